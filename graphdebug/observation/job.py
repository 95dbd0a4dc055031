"""A job: what its runtimes tell, kept for whoever looks, whether or not an editor debugs it.

A launched program's job lives as long as its session. A job that was made attachable outlives its
clients: see ``protocol.hub`` for who comes to it, and how.

An editor's session with it is a ``DebugAdapter(client, upstream, job)``. Its debugpy comes from each
process that ``debug`` asks: start ``upstream = await Upstream.start_guarded()``, send it ``attach``
with ``listen``, and once it says ``debugpyWaitingForServer``, call
``await job.debug(runtime, port, upstream.tokens)`` for a process of ``job.runtimes.here``. When the
session ends, in whatever way, ``await job.undebug()`` takes debugpy out of the processes again.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Coroutine, Mapping
from dataclasses import replace
from typing import Any, get_args

from graphdebug.observation.answers import Answers
from graphdebug.observation.debuggees import Tokens
from graphdebug.observation.door import Admit, Door, Log
from graphdebug.observation.observers import Observers
from graphdebug.observation.runtimes import Observer, Runtime, Runtimes
from graphdebug.observation.step_events import StepEvents
from graphdebug.observation.steps import Steps
from graphdebug.protocol import runtime as messages
from graphdebug.protocol.dap import (
    Configuration,
    GraphdebugAlertEvent,
    GraphdebugDroppedEvent,
)
from graphdebug.protocol.hub import DEBUGGEE
from graphdebug.protocol.model import Capture
from graphdebug.protocol.observers import OBSERVE, RunningSession
from graphdebug.protocol.wire import to_wire
from graphdebug.transport.endpoint import Listener, new_token
from graphdebug.transport.registry import Place

CAPTURES: tuple[Capture, ...] = get_args(Capture)
"""From nothing to all."""


class Follower(ABC):
    """Hears what the runtimes say once the job has kept it: steps and alerts have the job's indices.

    Called on the loop.
    """

    @abstractmethod
    def received(self, runtime: Runtime, event: Any) -> None:
        """An event came; one of the dataclasses of ``protocol.runtime.EVENTS``."""

    def left(self, runtime: Runtime) -> None:
        """The process has gone, or its link."""


class Debugging(Follower):
    """A follower that debugs the job: it says what the runtimes do. There is one at most."""

    @abstractmethod
    def configuration(self) -> messages.ConfigureArguments:
        """What the runtimes are told, now or when they come."""

    def takes(self, runtime: Runtime) -> bool:
        """Whether a process that comes is to be debugged; it is let go then once it is."""
        return False


class Job(Observer):
    """The runtimes of a program, the steps that they made, and those who look at them."""

    def __init__(self, unattended: Configuration) -> None:
        """``unattended`` is what is recorded while nobody debugs the job."""
        self.unattended = unattended
        self.runtimes = Runtimes(self)
        self.steps = Steps()
        self.followers: list[Follower] = []
        self.debugging: Debugging | None = None
        self.answers = Answers(
            self.steps, self.runtimes, lambda: self.configuration().configuration.capture
        )
        self.observers = Observers(self.answers)
        self.observers.changed = self._looked_at
        self._capture = unattended.capture
        self._step_events = StepEvents(self.observers.tell)
        self._had_client = False
        self._place: Place | None = None
        self._door: Door | None = None
        self._tasks: set[asyncio.Future[Any]] = set()

    async def open(
        self,
        session: RunningSession,
        roles: Mapping[str, Admit] | None = None,
        log: Log = lambda line: None,
        token: str = "",
    ) -> tuple[RunningSession, Door]:
        """Let observers come, and those of ``roles``, by their first command, with the same token.

        Returns where, to be given to ``publish``, and the door. The address and the token of
        ``session`` are put in here; ``token`` is one that was agreed upon, by several hubs. Raises
        OSError where the registry can't be used.
        """
        self._place = Place()
        listener = Listener(self._place.socket)
        if token:
            self.runtimes.share(token)
        token = token or new_token()
        clients = {OBSERVE: self.observers.serve, **(roles or {})}
        ranks = dict.fromkeys(("hello", DEBUGGEE), (self.runtimes.token, self.runtimes.serve))
        self._door = Door(
            {**ranks, **{name: (token, serve) for name, serve in clients.items()}}, log
        )
        await self._door.listen(listener)
        return replace(session, endpoint=listener.endpoint, token=token), self._door

    def publish(self, session: RunningSession) -> None:
        """Let it be found in the registry, once ``open``. Raises OSError."""
        assert self._place is not None
        self._place.publish(session)

    def configuration(self) -> messages.ConfigureArguments:
        """What a runtime that just came is told."""
        if self.debugging is not None:
            return self.debugging.configuration()
        return messages.ConfigureArguments(replace(self.unattended, capture=self._capture))

    def _looked_at(self) -> None:
        """Observers came or went: record as much as the one who wants most."""
        wanted = [item.capture for item in self.observers.asking.values() if item.capture]
        most = max((self.unattended.capture, *wanted), key=CAPTURES.index)
        if wanted:
            self._start(self.go())
        if most != self._capture:
            self._capture = most
            if self.debugging is None:
                self._start(self.configure())

    async def let_go(self, runtime: Runtime) -> None:
        """A process that waits for a client need wait no more."""
        await runtime.request("go", messages.GoArguments())

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def configure(self) -> None:
        """Tell the runtimes that are here what they are told when they come."""
        await self.runtimes.tell("configure", self.configuration())

    async def debug(self, runtime: Runtime, port: int, tokens: Tokens) -> bool:
        """Have debugpy connect from a process to its adapter, which waits at this loopback port.

        Whether it was asked in time; that it came is seen by the adapter going on.
        """
        return await self.runtimes.debug(runtime, port, tokens)

    async def undebug(self) -> None:
        """Take debugpy out of all processes; what they record is as if nobody had debugged them."""
        self.debugging = None
        await self.runtimes.tell("undebug", messages.UndebugArguments())
        await self.configure()

    async def go(self) -> None:
        """A client has come: a program that waits for one need wait no more."""
        self._had_client = True
        await self.runtimes.tell("go", messages.GoArguments())

    def received(self, runtime: Runtime, event: Any) -> None:
        if isinstance(event, messages.HelloEvent) and self._had_client and not self._takes(runtime):
            self._start(self.let_go(runtime))  # it came later than the one it would wait for
        if isinstance(event, messages.GraphEvent):
            self.steps.add_graph(runtime.number, event)
        elif isinstance(event, messages.StepEvent):
            event = replace(event, step=self.steps.add(runtime.number, event.step, event.graph))
            runtime.last = event.step
            self._step_events.add(event.step)
        elif isinstance(event, messages.AlertEvent):
            event = messages.AlertEvent(self.steps.add_alert(runtime.number, event.alert))
            self.observers.tell("graphdebugAlert", to_wire(GraphdebugAlertEvent(event.alert)))
        elif isinstance(event, messages.DroppedEvent):
            dropped = GraphdebugDroppedEvent(self.answers.dropped)
            self.observers.tell("graphdebugDropped", to_wire(dropped))
        for follower in self._all():
            follower.received(runtime, event)

    def _takes(self, runtime: Runtime) -> bool:
        return self.debugging is not None and self.debugging.takes(runtime)

    def left(self, runtime: Runtime) -> None:
        for follower in self._all():
            follower.left(runtime)

    def _all(self) -> list[Follower]:
        return [*self.followers, *filter(None, [self.debugging])]

    def flush(self) -> None:
        """Tell observers of the last step now."""
        self._step_events.flush()

    async def close(self) -> None:
        """The job is over."""
        self.flush()
        if self._place is not None:
            self._place.remove()
        await self.observers.close()
        if self._door is not None:
            await self._door.close()
        await self.runtimes.close()
