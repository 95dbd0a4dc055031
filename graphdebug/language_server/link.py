"""The connection to one running session, as one of its observers."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import Callable
from typing import Any, TypeVar

from graphdebug.protocol import dap
from graphdebug.protocol.observers import OBSERVE, ObserveArguments, RunningSession
from graphdebug.protocol.wire import WireError, from_wire, to_wire
from graphdebug.transport.framing import FramingError, Message, OversizeError, Parser, encode

CHUNK = 65536
ANSWER_SECONDS = 5.0

T = TypeVar("T")


class LinkError(Exception):
    """The session is gone, or didn't answer."""


class Link:
    """Asks a session, and hears its events. All methods are called on the loop."""

    def __init__(self, heard: Callable[[str, dict[str, Any]], None]) -> None:
        """``heard`` gets each event's name and body."""
        self._heard = heard
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[Message]] = {}
        self._writer: asyncio.StreamWriter | None = None
        self._let_in = False

    async def run(self, session: RunningSession, ready: Callable[[], None]) -> None:
        """Connect, call ``ready`` once the session has let us in, and read until it is over."""
        reading: asyncio.Future[None] | None = None
        try:
            reader, self._writer = await _connect(session.endpoint)
            reading = asyncio.ensure_future(self._read(reader))
            await self._ask(OBSERVE, ObserveArguments(session.token))
            self._let_in = True
            ready()
            await reading
        except (OSError, FramingError, LinkError):
            pass  # it ended before, or while, we came
        finally:
            self._let_in = False
            if reading is not None:
                reading.cancel()
            if self._writer is not None:
                self._writer.close()
                with contextlib.suppress(OSError):
                    await self._writer.wait_closed()

    def close(self) -> None:
        """Hang up."""
        if self._writer is not None:
            self._writer.close()

    async def request(self, command: str, arguments: Any, answer: type[T]) -> T:
        """The body of an answer. Raises LinkError."""
        if not self._let_in:
            raise LinkError()
        response = await self._ask(command, arguments)
        try:
            return from_wire(answer, response.get("body"))
        except WireError as error:
            raise LinkError(str(error)) from None

    async def steps(self, begin: int, end: int | None = None) -> dap.GraphdebugStepsResponse:
        """The steps of a range. Raises LinkError."""
        arguments = dap.GraphdebugStepsArguments(begin, end)
        return await self.request("graphdebugSteps", arguments, dap.GraphdebugStepsResponse)

    async def nodes(self, arguments: dap.GraphdebugNodesArguments) -> dap.GraphdebugNodesResponse:
        """Nodes of a step. Raises LinkError."""
        return await self.request("graphdebugNodes", arguments, dap.GraphdebugNodesResponse)

    async def _ask(self, command: str, arguments: Any) -> Message:
        if self._writer is None or self._writer.is_closing():
            raise LinkError()
        number = next(self._numbers)
        future: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        self._waiting[number] = future
        message = {"type": "request", "seq": number, "command": command}
        self._writer.write(encode({**message, "arguments": to_wire(arguments)}))
        try:
            response = await asyncio.wait_for(future, ANSWER_SECONDS)
        except asyncio.TimeoutError:
            raise LinkError() from None
        finally:
            self._waiting.pop(number, None)
        if not response.get("success"):
            raise LinkError(str(response.get("message")))
        return response

    async def _read(self, reader: asyncio.StreamReader) -> None:
        parser = Parser()
        try:
            while data := await reader.read(CHUNK):
                parser.feed(data)
                while (message := _next(parser)) is not None:
                    self._take(message)
        finally:
            for future in self._waiting.values():
                if not future.done():
                    future.set_exception(LinkError())

    def _take(self, message: Message) -> None:
        if message.get("type") == "event":
            self._heard(str(message.get("event")), message.get("body") or {})
            return
        future = self._waiting.get(message.get("request_seq", 0))
        if future is not None and not future.done():
            future.set_result(message)


def _next(parser: Parser) -> Message | None:
    """The next message that isn't too large."""
    while True:
        try:
            return parser.next()
        except OversizeError:
            continue


async def _connect(endpoint: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    kind, _, address = endpoint.partition(":")
    if kind == "unix":
        return await asyncio.open_unix_connection(address)
    host, _, port = address.rpartition(":")
    return await asyncio.open_connection(host, int(port))
