"""The connections that debugpy makes from processes of a job, passed on to its adapters."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any

from graphdebug.protocol.hub import DebuggeeEvent
from graphdebug.protocol.wire import WireError, from_wire
from graphdebug.transport.endpoint import new_token, same_token
from graphdebug.transport.framing import Message, encode

CHUNK = 65536


@dataclass(frozen=True)
class Tokens:
    """What debugpy in the debuggee and debugpy's adapter show each other. Both are secrets."""

    ours: str = field(default_factory=new_token)
    """The debuggee shows it."""
    theirs: str = field(default_factory=new_token)
    """The adapter shows it."""


class Debuggees:
    """Knows which connection belongs to which adapter, and passes the bytes on, both ways.

    All methods are called on the loop.
    """

    def __init__(self, token: str) -> None:
        """``token`` is that of the job's invitations."""
        self._token = token
        self._expected: dict[str, int] = {}

    def expect(self, port: int) -> str:
        """A key for one connection, which is passed on to this loopback port."""
        key = secrets.token_hex(16)
        self._expected[key] = port
        return key

    async def serve(
        self, first: Message, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Serve a connection that began with ``debuggee``, until one side closes it."""
        try:
            event = from_wire(DebuggeeEvent, first.get("body"))
        except WireError:
            return
        port = self._expected.pop(event.key, None)
        if port is None or not same_token(event.token, self._token):
            return
        there, back = await asyncio.open_connection("127.0.0.1", port)
        try:
            writer.write(encode({"type": "response", "command": "debuggee", "success": True}))
            await _first_to_end(_pass_on(reader, back), _pass_on(there, writer))
        finally:
            back.close()
            with contextlib.suppress(OSError):
                await back.wait_closed()


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(CHUNK):
            writer.write(data)
            await writer.drain()


async def _first_to_end(*ways: Coroutine[Any, Any, None]) -> None:
    tasks = [asyncio.ensure_future(way) for way in ways]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
