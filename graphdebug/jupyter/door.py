"""Where kernels that this server didn't give an invitation come and ask for one."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from typing import Any

from graphdebug.jupyter.kernels import Kernels
from graphdebug.protocol.doors import JOIN, JoinArguments, JoinResponse
from graphdebug.protocol.doors import Door as Address
from graphdebug.protocol.wire import WireError, from_wire, to_wire
from graphdebug.transport.connections import Fault, StreamConnection
from graphdebug.transport.endpoint import Listener, new_token, same_token
from graphdebug.transport.framing import Message
from graphdebug.transport.registry import Place

INTRODUCTION_SECONDS = 5.0
"""How long one who connected may take to ask."""


class Door:
    """Found through the registry by this user alone. All methods are called on the loop."""

    def __init__(self, kernels: Kernels, has: Callable[[str], bool]) -> None:
        """``has``: whether the server has a kernel of an id."""
        self._kernels = kernels
        self._has = has
        self._token = new_token()
        self._place: Place | None = None
        self._listener: Listener | None = None
        self._server: asyncio.Server | None = None
        self._serving: set[asyncio.Task[Any]] = set()

    async def open(self) -> None:
        """Let them come. Raises OSError where the registry can't be used."""
        self._place = Place()
        self._listener = Listener(self._place.socket)
        unix = self._listener.endpoint.startswith("unix:")
        start = asyncio.start_unix_server if unix else asyncio.start_server
        self._server = await start(self._serve, sock=self._listener.socket)
        self._place.publish(Address(self._listener.endpoint, self._token, os.getpid()))

    async def close(self) -> None:
        """Let nobody come any more."""
        if self._place is not None:
            self._place.remove()
        if self._server is not None:
            self._server.close()
        for task in self._serving:
            task.cancel()
        await asyncio.gather(*self._serving, return_exceptions=True)
        if self._listener is not None:
            self._listener.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._serving.add(task)
        connection = StreamConnection(reader, writer)
        try:
            asked = await asyncio.wait_for(anext(connection.messages(), None), INTRODUCTION_SECONDS)
            if isinstance(asked, dict) and (arguments := self._arguments(asked)) is not None:
                connection.send(await self._answer(asked, arguments))
        except (OSError, asyncio.TimeoutError, asyncio.CancelledError):
            pass  # it has gone, or the server ends
        finally:
            self._serving.discard(task)
            await connection.close()

    def _arguments(self, asked: Message | Fault) -> JoinArguments | None:
        """What one who knows the token asks; None for anybody else."""
        if isinstance(asked, Fault) or asked.get("command") != JOIN:
            return None
        try:
            arguments = from_wire(JoinArguments, asked.get("arguments"))
        except WireError:
            return None
        return arguments if same_token(arguments.token, self._token) else None

    async def _answer(self, asked: Message, arguments: JoinArguments) -> Message:
        answer = {"type": "response", "request_seq": asked.get("seq", 0), "command": JOIN}
        if not self._has(arguments.kernel):
            return {**answer, "success": False, "message": "this server hasn't that kernel"}
        invitation = await self._kernels.joins(arguments.kernel)
        return {**answer, "success": True, "body": to_wire(JoinResponse(invitation))}
