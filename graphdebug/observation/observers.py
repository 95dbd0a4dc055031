"""Other programs of the same user that look at the session: language servers, terminals."""

from __future__ import annotations

import asyncio
import collections
from collections.abc import Awaitable, Callable
from typing import Any

from graphdebug.observation.answers import Answers, Refused
from graphdebug.protocol.observers import END, ObserveArguments
from graphdebug.protocol.wire import WireError, from_wire
from graphdebug.transport.connections import Fault, StreamConnection
from graphdebug.transport.framing import Message

FAREWELL_SECONDS = 1.0
"""How long observers may still ask once the session is over; nobody is waited for where there is none."""

UNREAD_LIMIT = 16 * 1024 * 1024
"""Bytes that an observer may leave unread before it is let go."""

ALERTS_KEPT = 100
"""Alerts that one who comes later is still told of, the newest."""


class Observers:
    """Serves those who came with the token: they hear events and ask about steps.

    They change nothing in the program, but for how much of it is recorded. All methods are called on
    the loop.
    """

    def __init__(self, answers: Answers) -> None:
        self._answers = answers
        self._observers: dict[StreamConnection, asyncio.StreamWriter] = {}
        self._observing: set[asyncio.Task[Any]] = set()
        self._alerts: collections.deque[Message] = collections.deque(maxlen=ALERTS_KEPT)
        self.asking: dict[StreamConnection, ObserveArguments] = {}
        """Who they said they are, and what they want to be recorded."""
        self.changed: Callable[[], None] = lambda: None
        """Called when one has come or gone."""
        self.questions: dict[str, Callable[[], Awaitable[Message]]] = {}
        """Requests, beside those of ``Answers``, whose bodies take a while; by their command."""

    def tell(self, event: str, body: dict[str, Any]) -> None:
        """Send an event to all of them."""
        message = {"type": "event", "event": event, "body": body}
        if event == "graphdebugAlert":
            self._alerts.append(message)
        for observer, writer in list(self._observers.items()):
            if writer.transport.get_write_buffer_size() > UNREAD_LIMIT:
                writer.transport.abort()
            else:
                observer.send(message)

    async def close(self) -> None:
        """Let go of those that are here, once they have asked what they still want to know."""
        if self._observing:
            self.tell(END, {})
            await asyncio.wait(self._observing, timeout=FAREWELL_SECONDS)

    async def serve(
        self,
        first: Message,
        connection: StreamConnection,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        """Serve one who came with ``graphdebugObserve``, until it goes; an ``Admit``."""
        task = asyncio.current_task()
        assert task is not None
        try:
            self.asking[connection] = from_wire(ObserveArguments, first.get("arguments"))
        except WireError as error:
            return connection.send(_response(first, {"success": False, "message": str(error)}))
        self._observing.add(task)
        try:
            connection.send(_response(first, {"success": True}))
            for alert in self._alerts:
                connection.send(alert)
            self._observers[connection] = writer
            self.changed()
            async for message in connection.messages():
                if isinstance(message, Fault):
                    return None
                connection.send(await self._answer(message))
                await writer.drain()
        finally:
            self._observers.pop(connection, None)
            self._observing.discard(task)
            del self.asking[connection]
            self.changed()
        return None

    async def _answer(self, request: Message) -> Message:
        question = self.questions.get(str(request.get("command")))
        if question is not None:
            return _response(request, {"success": True, "body": await question()})
        try:
            command = str(request.get("command"))
            body = await self._answers.answered(command, request.get("arguments"))
        except Refused as error:
            return _response(request, {"success": False, "message": str(error)})
        return _response(request, {"success": True, "body": body})


def _response(request: Message, fields: Message) -> Message:
    return {
        "type": "response",
        "request_seq": request.get("seq", 0),
        "command": request.get("command", ""),
        **fields,
    }
