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
from collections.abc import AsyncIterator, Callable
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


class Connection(ABC):
    """Messages both ways. All methods are called on the loop.

    ``heard``: whether a message ever came, from more than a probe for an open port.
    ``log``: where what passes is noted, if anywhere.
    """

    def __init__(self) -> None:
        self.heard = False
        self.log: Log | None = None
        self._parser = Parser()

    async def messages(self) -> AsyncIterator[Message | Fault]:
        """What comes, in order, until the other side closes or sends what isn't DAP."""
        async for message in self._messages():
            if self.log is not None:
                if isinstance(message, Fault):
                    self.log.fault(str(message))
                else:
                    self.log.message("client", message)
            yield message

    async def _messages(self) -> AsyncIterator[Message | Fault]:
        more = True
        while more:
            while True:
                try:
                    message = self._parser.next()
                except (BodyError, OversizeError) as error:
                    yield Fault(str(error), fatal=False)
                    continue
                except FramingError as error:
                    yield Fault(str(error), fatal=True)
                    return
                if message is None:
                    break
                self.heard = True
                yield message
            data = await self._read()
            self._parser.feed(data)
            more = bool(data)
        if self._parser.partial:
            yield Fault("the stream ended in the middle of a message", fatal=True)

    def limit(self, body: int) -> None:
        """Take no message whose body is longer than so many bytes."""
        self._parser.limit = body

    @abstractmethod
    async def _read(self) -> bytes:
        """Some bytes; none at the end."""

    def send(self, message: Message) -> None:
        """Queue a message; nothing happens after the other side has gone."""
        if self.log is not None:
            self.log.message("adapter", message)
        self._send(encode(message))

    @abstractmethod
    def _send(self, data: bytes) -> None:
        """Queue bytes; nothing happens after the other side has gone."""

    @abstractmethod
    async def close(self) -> None:
        """Send what is queued, then close."""


class StreamConnection(Connection):
    """Over asyncio's streams: a socket, or a child's stdio."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        super().__init__()
        self._reader = reader
        self._writer = writer
        sock = writer.get_extra_info("socket")
        if sock is not None and sock.family != getattr(socket, "AF_UNIX", None):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

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


class StdioConnection(Connection):
    """This process's stdin and stdout.

    Where stdin can be awaited the loop reads it, and what stdout takes at once is written there and
    then: a thread between would cost each message as much as all that is done with it. Else, and for
    what a client that doesn't read would hold up the loop with, there are two daemon threads. What
    anything else here prints goes to stderr, not between the messages.
    """

    FLUSH_SECONDS = 2.0

    def __init__(self) -> None:
        super().__init__()
        self._loop = asyncio.get_running_loop()
        self._incoming: asyncio.Queue[bytes] = asyncio.Queue()
        self._outgoing: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._queued = self._written = 0
        self._input = os.dup(0)
        self._output = os.dup(1)
        devnull = os.open(os.devnull, os.O_RDONLY)
        os.dup2(devnull, 0)
        os.close(devnull)
        os.dup2(2, 1)
        self._writer = threading.Thread(target=self._write_all, name="stdout", daemon=True)
        self._writer.start()
        self._takes = _writable(self._output)
        try:
            self._loop.add_reader(self._input, self._read_some)
        except (NotImplementedError, OSError):
            threading.Thread(target=self._read_all, name="stdin", daemon=True).start()

    def _read_some(self) -> None:
        try:
            data = os.read(self._input, CHUNK)
        except OSError:
            data = b""
        self._incoming.put_nowait(data)
        if not data:
            self._loop.remove_reader(self._input)

    def _read_all(self) -> None:
        try:
            while data := os.read(self._input, CHUNK):
                self._loop.call_soon_threadsafe(self._incoming.put_nowait, data)
            self._loop.call_soon_threadsafe(self._incoming.put_nowait, b"")
        except (OSError, RuntimeError):
            pass  # the loop has closed: the session is over

    def _write_all(self) -> None:
        try:
            while (data := self._outgoing.get()) is not None:
                view = memoryview(data)
                while view:
                    view = view[os.write(self._output, view) :]
                self._written += 1
        except OSError:
            pass  # the client has gone; its stdin tells the loop

    async def _read(self) -> bytes:
        return await self._incoming.get()

    def _send(self, data: bytes) -> None:
        if self._queued == self._written and self._takes(len(data)):
            with contextlib.suppress(OSError):  # then the thread finds out why
                data = data[os.write(self._output, data) :]
        if data:
            self._queued += 1
            self._outgoing.put(data)

    async def close(self) -> None:
        with contextlib.suppress(NotImplementedError):
            self._loop.remove_reader(self._input)
        self._outgoing.put(None)
        await asyncio.to_thread(self._writer.join, self.FLUSH_SECONDS)
        if not self._writer.is_alive():
            os.close(self._output)


def _writable(output: int) -> Callable[[int], bool]:
    """What tells whether so many bytes can be written now without waiting."""
    kind = os.fstat(output).st_mode
    if not hasattr(select, "poll") or not (stat.S_ISFIFO(kind) or stat.S_ISSOCK(kind)):
        return lambda size: False
    poll = select.poll()
    poll.register(output, select.POLLOUT)
    # What a pipe has room for where it has room, and a socket more than that.
    return lambda size: size <= select.PIPE_BUF and bool(poll.poll(0))


def complain(text: str) -> None:
    """One line on stderr, for whoever started the adapter."""
    print(f"graphdebug: {text}", file=sys.stderr, flush=True)
