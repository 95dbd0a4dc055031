"""Where messages come from and go to, on an event loop: this process's stdio, a socket, a child process."""

from __future__ import annotations

import asyncio
import contextlib
import os
import queue
import select
import socket
import stat
import sys
import threading
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Literal, Protocol

from graphdebug.transport.framing import (
    BodyError,
    FramingError,
    Message,
    OversizeError,
    Parser,
    encode,
)

CHUNK = 65536

READS = 4
"""Chunks that are read before anything else has its turn."""


class Log(Protocol):
    """Where what passes is noted."""

    def message(self, sender: Literal["client", "adapter"], message: Message) -> None:
        """A message passed."""

    def fault(self, text: str) -> None:
        """Something came that isn't one."""


class Fault(Exception):
    """Something came that isn't a message; ``fatal`` where nothing can be read after it."""

    def __init__(self, reason: str, fatal: bool) -> None:
        super().__init__(reason)
        self.fatal = fatal


Taken = list["Message | Fault"]
"""What came at once."""

Take = Callable[[Taken], None]


class Connection(ABC):
    """Messages both ways. All methods are called on the loop.

    ``heard``: whether a message ever came, from more than a probe for an open port.
    ``log``: where what passes is noted, if anywhere.
    """

    def __init__(self) -> None:
        self.heard = False
        self.log: Log | None = None
        self._parser = Parser()
        self._lost = False

    @abstractmethod
    async def receive(self, take: Take, rest: Callable[[], None] = lambda: None) -> None:
        """Call ``take`` with what comes, in order, until the other side closes or sends what isn't DAP.

        What it raises ends this, too. ``rest`` is called when nothing more is here for now.
        """

    def _complete(self) -> Iterator[Message | Fault]:
        """The messages that are here."""
        while not self._lost:
            try:
                message = self._parser.next()
            except (BodyError, OversizeError) as error:
                yield self._fault(str(error), fatal=False)
                continue
            except FramingError as error:
                yield self._fault(str(error), fatal=True)
                return
            if message is None:
                return
            self.heard = True
            if self.log is not None:
                self.log.message("client", message)
            yield message

    def _partial(self) -> Iterator[Fault]:
        """What is said where the other side has closed."""
        if self._parser.partial and not self._lost:
            yield self._fault("the stream ended in the middle of a message", fatal=True)

    def _fault(self, text: str, fatal: bool) -> Fault:
        self._lost = fatal
        if self.log is not None:
            self.log.fault(text)
        return Fault(text, fatal)

    def limit(self, body: int) -> None:
        """Take no message whose body is longer than so many bytes."""
        self._parser.limit = body

    def send(self, message: Message) -> None:
        """Queue a message; nothing happens after the other side has gone."""
        if self.log is not None:
            self.log.message("adapter", message)
        self._send(encode(message))

    def hold(self) -> None:
        """What is sent from now on may wait until ``release``, to be written in one piece."""

    def release(self) -> None:
        """Write it."""

    @abstractmethod
    def _send(self, data: bytes) -> None:
        """Queue bytes; nothing happens after the other side has gone."""

    @abstractmethod
    async def close(self) -> None:
        """Send what is queued, then close."""


class StreamConnection(Connection):
    """Over asyncio's streams: a socket."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        super().__init__()
        self._reader = reader
        self._writer = writer
        sock = writer.get_extra_info("socket")
        if sock is not None and sock.family != getattr(socket, "AF_UNIX", None):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    async def messages(self) -> AsyncIterator[Message | Fault]:
        """What comes, one by one; see ``receive``."""
        more = True
        while more and not self._lost:
            for message in self._complete():
                yield message
            if not self._lost:
                data = await self._read()
                self._parser.feed(data)
                more = bool(data)
        for fault in self._partial():
            yield fault

    async def receive(self, take: Take, rest: Callable[[], None] = lambda: None) -> None:
        async for message in self.messages():
            take([message])
            rest()

    async def _read(self) -> bytes:
        try:
            return await self._reader.read(CHUNK)
        except OSError:
            return b""

    def _send(self, data: bytes) -> None:
        if not self._writer.is_closing():
            self._writer.write(data)

    async def close(self) -> None:
        try:
            self._writer.close()
            await self._writer.wait_closed()
        except OSError:
            pass  # the other side was first


class PipeConnection(Connection):
    """Over two pipes, which are this connection's own from now on.

    What can be read is handled where the loop tells of it, and what can be written is written there and
    then: a task or a thread between would cost each message as much as all that is done with it. Where
    the loop can't wait for a pipe a daemon thread reads it, and another one writes what would have to
    wait for the other side.
    """

    FLUSH_SECONDS = 2.0

    def __init__(self, input: int, output: int) -> None:
        super().__init__()
        self._loop = asyncio.get_running_loop()
        self._input = input
        self._output = output
        self._outgoing: queue.SimpleQueue[memoryview | None] = queue.SimpleQueue()
        self._queued = self._written = 0
        self._held: list[bytes] | None = None
        self._writer: threading.Thread | None = None
        self._ended: asyncio.Future[None] = self._loop.create_future()
        self._take: Take = lambda came: None
        self._rest: Callable[[], None] = lambda: None
        self._readable = _ready(input, "POLLIN")
        self._writable = _ready(output, "POLLOUT")

    async def receive(self, take: Take, rest: Callable[[], None] = lambda: None) -> None:
        self._take, self._rest = take, rest
        try:
            self._loop.add_reader(self._input, self._read_some)
        except (NotImplementedError, OSError):
            threading.Thread(target=self._read_all, daemon=True).start()
            await self._ended
            return
        try:
            await self._ended
        finally:
            self._loop.remove_reader(self._input)
            os.close(self._input)

    def _read_some(self) -> None:
        """What is here, and what comes meanwhile; others have to have their turn, too."""
        for _ in range(READS):
            self._arrived(self._read())
            if self._ended.done() or not self._readable():
                break
        self._rest()

    def _arrived(self, data: bytes) -> None:
        if self._ended.done():
            return
        try:
            self._parser.feed(data)
            came = [*self._complete(), *([] if data else self._partial())]
            if came:
                self._take(came)
        except Exception as error:
            self._ended.set_exception(error)
        else:
            if self._lost or not data:
                self._ended.set_result(None)

    def _read(self) -> bytes:
        try:
            return os.read(self._input, CHUNK)
        except OSError:
            return b""

    def _read_all(self) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has closed: the session is over
            more = True
            while more:
                data = self._read()
                self._loop.call_soon_threadsafe(self._arrived, data)
                self._loop.call_soon_threadsafe(self._rest)
                more = bool(data)

    def hold(self) -> None:
        if self._held is None:
            self._held = []

    def release(self) -> None:
        held, self._held = self._held, None
        if held:
            self._send(b"".join(held))

    def _send(self, data: bytes) -> None:
        if self._held is not None:
            self._held.append(data)
            return
        rest = memoryview(data)
        if self._queued == self._written:
            with contextlib.suppress(OSError):  # then the thread finds out why
                while rest and self._writable():  # then there is room for as much
                    rest = rest[os.write(self._output, rest[: select.PIPE_BUF]) :]
        if rest:
            self._queued += 1
            self._outgoing.put(rest)
            if self._writer is None:
                self._writer = threading.Thread(target=self._write_all, daemon=True)
                self._writer.start()

    def _write_all(self) -> None:
        try:
            while (rest := self._outgoing.get()) is not None:
                while rest:
                    rest = rest[os.write(self._output, rest) :]
                self._written += 1
        except OSError:
            pass  # the other side has gone; what is read from it tells the loop

    async def close(self) -> None:
        self.release()
        if self._writer is not None:
            self._outgoing.put(None)
            await asyncio.to_thread(self._writer.join, self.FLUSH_SECONDS)
            if self._writer.is_alive():
                return
        with contextlib.suppress(OSError):  # it was closed before
            os.close(self._output)


class StdioConnection(PipeConnection):
    """This process's stdin and stdout. What anything else here prints goes to stderr, not between."""

    def __init__(self) -> None:
        super().__init__(os.dup(0), os.dup(1))
        devnull = os.open(os.devnull, os.O_RDONLY)
        os.dup2(devnull, 0)
        os.close(devnull)
        os.dup2(2, 1)


def _ready(file: int, what: Literal["POLLIN", "POLLOUT"]) -> Callable[[], bool]:
    """What tells whether a pipe or a socket can be read from or written to now without waiting."""
    kind = os.fstat(file).st_mode
    if not hasattr(select, "poll") or not (stat.S_ISFIFO(kind) or stat.S_ISSOCK(kind)):
        return lambda: False
    poll = select.poll()
    poll.register(file, getattr(select, what))
    return lambda: bool(poll.poll(0))


def complain(text: str) -> None:
    """One line on stderr, for whoever started the adapter."""
    print(f"graphdebug: {text}", file=sys.stderr, flush=True)
