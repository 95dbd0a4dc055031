"""The runtimes of a session: the processes that were invited and came."""

from __future__ import annotations

import asyncio
import contextlib
import glob
import os
import shutil
import socket
import tempfile
from abc import ABC, abstractmethod
from typing import Any

from graphdebug.observation.debuggees import Debuggees, Tokens
from graphdebug.protocol import runtime as messages
from graphdebug.protocol.dap import Configuration
from graphdebug.protocol.hub import DEBUGGEE
from graphdebug.protocol.model import Backend, Rank, Source, Step
from graphdebug.protocol.wire import WireError, from_wire, to_wire
from graphdebug.transport.connections import Fault, StreamConnection
from graphdebug.transport.endpoint import Listener, derived, new_token, same_token
from graphdebug.transport.framing import Message
from graphdebug.transport.processes import lives
from graphdebug.transport.registry import Place, RegistryError

ANSWER_SECONDS = 2.0
"""How long a runtime may take to answer; its thread answers at once unless the process is stopped."""


class Observer(ABC):
    """Who wants to know what the runtimes say. Called on the loop."""

    @abstractmethod
    def configuration(self) -> messages.ConfigureArguments:
        """What a runtime that just came is told."""

    @abstractmethod
    def received(self, runtime: Runtime, event: Any) -> None:
        """An event came; one of the dataclasses of ``protocol.runtime.EVENTS``."""

    def left(self, runtime: Runtime) -> None:
        """A process has gone."""


class Runtime:
    """The link to one process."""

    def __init__(self, connection: StreamConnection) -> None:
        self.number = -1
        """Its place among all that came."""
        self.hello: messages.HelloEvent | None = None
        self.backends: dict[str, Backend] = {}
        self.steps = 0
        self.dropped = 0
        self.report: messages.ReportEvent | None = None
        """The last one."""
        self.here = False
        """Whether it hasn't gone."""
        self.missed = 0
        """Of those, messages that came and couldn't be read."""
        self.last: Step | None = None
        """The last step that it made, as the client knows it."""
        self.stopped: Source | None = None
        """Where the debugger holds it."""
        self.joined: messages.RankEvent | None = None
        """Its place in the process group that the program made."""
        self._connection = connection
        self._seq = 0
        self._waiting: dict[int, asyncio.Future[bool]] = {}

    @property
    def rank(self) -> Rank:
        """What the client is told of this process."""
        assert self.hello is not None
        last = self.last
        return Rank(
            rank=self.hello.rank if self.joined is None else self.joined.rank,
            pid=self.hello.pid,
            steps=self.steps,
            backends=tuple(self.backends.values()),
            state="ended" if not self.here else "running" if self.stopped is None else "stopped",
            step=None if last is None else last.index,
            source=self.stopped or (None if last is None else last.source),
            devices=() if last is None else last.devices,
            distributed=self.joined is not None or self.hello.world_size > 0,
        )

    async def request(self, command: str, arguments: Any, seconds: float = ANSWER_SECONDS) -> bool:
        """Ask, and wait a while for the answer; whether there was one."""
        self._seq += 1
        seq = self._seq
        future = self._waiting[seq] = asyncio.get_running_loop().create_future()
        self._connection.send(
            {"type": "request", "seq": seq, "command": command, "arguments": to_wire(arguments)}
        )
        try:
            return await asyncio.wait_for(future, seconds)
        except asyncio.TimeoutError:
            return False
        finally:
            self._waiting.pop(seq, None)

    @property
    def asked(self) -> bool:
        """Whether it has still to answer something."""
        return bool(self._waiting)

    def answered(self, response: dict[str, Any]) -> None:
        """An answer came."""
        future = self._waiting.get(response.get("request_seq", 0))
        if future is not None and not future.done():
            future.set_result(bool(response.get("success")))

    def sweep(self) -> None:
        """Remove the recorded values that a process which was killed left behind."""
        hello = self.hello
        pid = hello.pid if hello is not None and hello.host == socket.gethostname() else 0
        if pid and not lives(pid):
            for parent in (tempfile.gettempdir(), "/dev/shm"):
                for path in glob.glob(os.path.join(parent, f"graphdebug-{pid}-*")):
                    shutil.rmtree(path, ignore_errors=True)

    def gone(self) -> None:
        """The process has gone: nobody waits for it."""
        self.here = False
        for future in self._waiting.values():
            if not future.done():
                future.set_result(False)


class Runtimes:
    """Listens for invited processes and keeps those that are here, and what those that left did."""

    def __init__(self, observer: Observer) -> None:
        self._observer = observer
        self._listener = _listener()
        self._token = new_token()
        self._server: asyncio.Server | None = None
        self._serving: set[asyncio.Future[Any]] = set()
        self._debuggees = Debuggees(self._token)
        self.children: dict[int, messages.ChildEvent] = {}
        """What processes that may be ranks said of themselves, by process id."""
        self.all: list[Runtime] = []
        self.here: list[Runtime] = []

    async def start(self) -> None:
        """Let them come."""
        start = (
            asyncio.start_unix_server
            if self._listener.endpoint.startswith("unix:")
            else asyncio.start_server
        )
        self._server = await start(self._serve, sock=self._listener.socket)

    def invitation(
        self, configuration: Configuration, explain: bool = False, own_breakpoints: bool = False
    ) -> messages.Invitation:
        """What a process needs to come here; the flags are those of ``Invitation``."""
        return messages.Invitation(
            self._listener.endpoint,
            self._token,
            configuration,
            explain,
            own_breakpoints=own_breakpoints,
        )

    async def tell(self, command: str, arguments: Any) -> None:
        """Send a request to each runtime that is here, and wait until they have it."""
        await asyncio.gather(*(item.request(command, arguments) for item in self.here))

    @property
    def quiet(self) -> bool:
        """Whether nobody but one process can have anything on its way here."""
        return len(self.here) == 1 and not self.here[0].asked

    def ranks(self) -> list[Rank]:
        """All processes; of a distributed job the ranks alone, in order."""
        ranked = sorted(filter(self.is_rank, self.all), key=lambda one: one.rank.rank)
        return [runtime.rank for runtime in ranked or self.all]

    def is_rank(self, runtime: Runtime) -> bool:
        """Whether it is a rank, and not a process that a rank started, which inherits its variables."""
        if runtime.joined is not None:
            return True
        hello = runtime.hello
        assert hello is not None
        above = hello.host, hello.parent_pid
        parent = next((one.hello for one in self.all
                       if one.hello and (one.hello.host, one.hello.pid) == above), None)  # fmt: skip
        inherits = parent is not None and parent.world_size > 0 and parent.rank == hello.rank
        return hello.world_size > 0 and not inherits

    def of_process(self, pid: int) -> Runtime | None:
        """The runtime of a process, if it is here."""
        return next((one for one in self.here if one.hello and one.hello.pid == pid), None)

    async def close(self) -> None:
        """Let nobody come any more, and let go of those that are here."""
        if self._server is not None:
            self._server.close()
        for task in self._serving:
            task.cancel()
        await asyncio.gather(*self._serving, return_exceptions=True)
        self._listener.close()
        for runtime in self.all:
            runtime.sweep()

    async def drained(self, seconds: float) -> None:
        """Wait until the runtimes have said all they had to say, and left."""
        if self._serving:
            await asyncio.wait(self._serving, timeout=seconds)

    @property
    def token(self) -> str:
        """That of the invitations."""
        return self._token

    def share(self, token: str) -> None:
        """Invite with one made of a token that hubs on other machines have, too; nobody has come yet."""
        self._token = derived(token, "ranks")
        self._debuggees = Debuggees(self._token)

    async def debug(self, runtime: Runtime, port: int, tokens: Tokens) -> bool:
        """Have debugpy connect from a process to what listens at a loopback port; if it was asked."""
        return await runtime.request(
            "debug",
            messages.DebugArguments(self._debuggees.expect(port), tokens.ours, tokens.theirs),
        )

    async def serve(
        self,
        first: Message | None,
        connection: StreamConnection,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        """Serve a runtime, or a process's debugpy, until it has gone; an ``Admit``."""
        task = asyncio.current_task()
        assert task is not None
        self._serving.add(task)
        runtime = Runtime(connection)
        try:
            messages = connection.messages()
            message: Message | Fault | None = first or await anext(messages, None)
            while message is not None and await self._take(runtime, message, reader, writer):
                message = await anext(messages, None)
        except asyncio.CancelledError:
            pass  # the session is over
        finally:
            runtime.gone()
            if runtime in self.here:
                self.here.remove(runtime)
                self._observer.left(runtime)
            self._serving.discard(task)
            with contextlib.suppress(OSError, asyncio.CancelledError):
                await connection.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self.serve(None, StreamConnection(reader, writer), reader, writer)

    async def _take(
        self,
        runtime: Runtime,
        message: Message | Fault,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> bool:
        """Handle what came; whether to go on."""
        if isinstance(message, Fault):
            if message.fatal or runtime.hello is None:
                return False
            self._missed(runtime)
            return True
        if runtime.hello is None and message.get("event") == DEBUGGEE:
            await self._debuggees.serve(message, reader, writer)
            return False
        return self._receive(runtime, message)

    def _missed(self, runtime: Runtime) -> None:
        """A message was too large to be read: what it told is not there."""
        runtime.missed += 1
        runtime.dropped += 1
        self._observer.received(runtime, messages.DroppedEvent(runtime.dropped))

    def _receive(self, runtime: Runtime, message: dict[str, Any]) -> bool:
        """Handle one message; False for one that nobody who was invited sends."""
        if message.get("type") == "response":
            runtime.answered(message)
            return True
        try:
            event: Any = from_wire(messages.EVENTS[message["event"]], message.get("body"))
        except (KeyError, TypeError, WireError):
            return runtime.hello is not None
        if runtime.hello is None:
            return self._welcome(runtime, event)
        if isinstance(event, messages.BackendEvent):
            runtime.backends[event.backend.name] = event.backend
        elif isinstance(event, messages.DroppedEvent):
            runtime.dropped = event.count + runtime.missed
        elif isinstance(event, messages.StepEvent):
            for step in event.each():
                runtime.steps += 1
                self._observer.received(runtime, step)
            return True
        elif isinstance(event, messages.ReportEvent):
            runtime.report = event
        elif isinstance(event, messages.RankEvent):
            runtime.joined = event
        self._observer.received(runtime, event)
        return True

    def _welcome(self, runtime: Runtime, event: object) -> bool:
        if isinstance(event, messages.ChildEvent) and same_token(event.token, self._token):
            self.children[event.pid] = event
            return False
        if not isinstance(event, messages.HelloEvent) or not same_token(event.token, self._token):
            return False
        runtime.hello, runtime.number, runtime.here = event, len(self.all), True
        self.all.append(runtime)
        self.here.append(runtime)
        configured = asyncio.ensure_future(
            runtime.request("configure", self._observer.configuration())
        )
        self._serving.add(configured)
        configured.add_done_callback(self._serving.discard)
        self._observer.received(runtime, event)
        return True


def _listener() -> Listener:
    """In the registry's directory, where what killed processes leave is removed; else in its own."""
    try:
        return Listener(Place().socket)
    except RegistryError:
        return Listener()


def same_path(one: str, other: str) -> bool:
    """Whether two paths name the same file, as breakpoints compare them."""
    return one == other or os.path.realpath(one) == os.path.realpath(other)
