"""debugpy's adapter, which does all that debugpy does: a child process, spoken to over its stdio.

For a further process that it debugs it takes a further client, on its port.
"""

from __future__ import annotations

import asyncio
import os
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Callable, Sequence
from typing import Any

from graphdebug.observation.debuggees import Tokens
from graphdebug.transport.connections import Connection, Fault, StreamConnection
from graphdebug.transport.framing import Message
from graphdebug.transport.processes import running

Answered = Callable[[Message], None]

TOKENS_VARIABLE = "GRAPHDEBUG_DEBUGPY_TOKENS"
"""Carries ``Tokens`` to the process of ours that runs debugpy's adapter, with a space between."""

GONE: Message = {"type": "response", "success": False, "message": "the session is over"}
"""The answer where none can come any more."""

EXIT_SECONDS = 2.0
"""How long debugpy's adapter may take to end once its stdin is closed."""


class Upstream:
    """Requests to debugpy's adapter, and what it sends.

    ``forwarded`` messages (everything but answers to ``ask``) come out of ``messages`` in the order
    in which they were sent; an answer to ``ask`` goes straight to who asked, so that the handling of
    a message may ask on.
    """

    def __init__(
        self, connection: Connection, process: Process | None, tokens: Tokens | None = None
    ) -> None:
        self._connection = connection
        self.tokens = tokens or Tokens()
        """What a debuggee that comes to ``attach`` with ``listen`` needs; see ``start_guarded``."""
        self.process = process
        self._seq = 0
        self._pending: dict[int, tuple[str, Answered]] = {}
        self._asked: dict[int, asyncio.Future[Message]] = {}
        self.ended = False
        """Whether nothing comes from it any more."""

    @classmethod
    async def connect(cls, host: str, port: int) -> Upstream:
        """Come as one more client, for one more process. Raises OSError."""
        reader, writer = await asyncio.open_connection(host, port)
        return cls(StreamConnection(reader, writer), None)

    @classmethod
    async def start(cls, options: Sequence[str], leave_endpoints: bool) -> Upstream:
        """Start ``python -m debugpy.adapter`` with these options.

        ``leave_endpoints``: whether it writes the endpoints file that DEBUGPY_ADAPTER_ENDPOINTS
        names.
        """
        environment = dict(os.environ)
        if not leave_endpoints:
            environment.pop("DEBUGPY_ADAPTER_ENDPOINTS", None)
        process = await asyncio.create_subprocess_exec(
            sys.executable, *running("graphdebug.adapter.buffered"), *options,
            stdin=PIPE, stdout=PIPE, stderr=DEVNULL, env=environment,
        )  # fmt: skip
        assert process.stdin is not None and process.stdout is not None
        return cls(StreamConnection(process.stdout, process.stdin), process)

    @classmethod
    async def start_guarded(cls) -> Upstream:
        """Start one whose port for debuggees lets nobody in without ``tokens``.

        debugpy's own asks for none where it is told to ``listen``.
        """
        tokens = Tokens()
        environment = {**os.environ, TOKENS_VARIABLE: f"{tokens.ours} {tokens.theirs}"}
        environment.pop("DEBUGPY_ADAPTER_ENDPOINTS", None)
        process = await asyncio.create_subprocess_exec(
            sys.executable, *running("graphdebug.adapter.guarded"),
            stdin=PIPE, stdout=PIPE, stderr=DEVNULL, env=environment,
        )  # fmt: skip
        assert process.stdin is not None and process.stdout is not None
        return cls(StreamConnection(process.stdout, process.stdin), process, tokens)

    @property
    def busy(self) -> bool:
        """Whether a request that holds up those after it waits for its answer.

        debugpy's adapter handles one request at a time, but for ``evaluate``.
        """
        return any(command != "evaluate" for command, _ in self._pending.values())

    def send(self, message: Message) -> None:
        """Pass a response or an event of the client on."""
        self._connection.send(message)

    def request(self, message: Message, answered: Answered) -> None:
        """Send a request; ``answered`` gets its response, among the forwarded messages."""
        self._seq += 1
        self._pending[self._seq] = message["command"], answered
        self._connection.send({**message, "seq": self._seq})

    async def ask(self, command: str, **arguments: Any) -> Message:
        """A request of our own; its response."""
        if self.ended:
            return dict(GONE)
        future: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        self._seq += 1
        self._asked[self._seq] = future
        self._connection.send(
            {"type": "request", "seq": self._seq, "command": command, "arguments": arguments}
        )
        return await future

    async def pump(self, take: Callable[[Message | None], None]) -> None:
        """Hand what comes, but for answers to ``ask``, to ``take``; None at the end."""
        async for message in self._connection.messages():
            if isinstance(message, Fault):
                continue
            future = self._asked.pop(message.get("request_seq", 0), None)
            if future is None:
                take(message)
            elif not future.done():
                future.set_result(message)
        self.ended = True
        for future in self._asked.values():
            if not future.done():
                future.set_result(dict(GONE))
        take(None)

    def answered(self, response: Message) -> None:
        """Hand a forwarded response to who sent the request."""
        _, answered = self._pending.pop(response["request_seq"], ("", None))
        if answered is not None:
            answered(response)

    def abandon(self) -> None:
        """Nothing will be answered any more: requests that still wait fail."""
        pending, self._pending = self._pending, {}
        for command, answered in pending.values():
            answered({**GONE, "command": command})

    async def close(self) -> None:
        """Close its stdin, which ends it; kill it if it doesn't."""
        await self._connection.close()
        if self.process is None:
            return
        try:
            await asyncio.wait_for(self.process.wait(), EXIT_SECONDS)
        except asyncio.TimeoutError:
            self.process.kill()
            await self.process.wait()
