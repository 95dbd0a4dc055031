"""Other programs of the same user that look at the session: language servers, terminals."""

from __future__ import annotations

import asyncio
import collections
from typing import Any

from graphdebug.observation.answers import Answers, Refused
from graphdebug.protocol.observers import (
    END,
    OBSERVE,
    ObserveArguments,
    RunningSession,
    SessionKind,
)
from graphdebug.protocol.wire import WireError, from_wire
from graphdebug.transport.connections import Fault, StreamConnection
from graphdebug.transport.endpoint import Listener, new_token, same_token
from graphdebug.transport.framing import Message
from graphdebug.transport.registry import Place

INTRODUCTION_SECONDS = 5.0
"""How long one who connected may take to show the token."""

FAREWELL_SECONDS = 1.0
"""How long observers may still ask once the session is over; nobody is waited for where there is none."""

UNREAD_LIMIT = 16 * 1024 * 1024
"""Bytes that an observer may leave unread before it is let go."""

ALERTS_KEPT = 100
"""Alerts that one who comes later is still told of, the newest."""


class Observers:
    """Lets the session be found in the registry, and serves those who come with its token.

    They hear its events and ask about its steps; they can change nothing in it. All methods are
    called on the loop.
    """

    def __init__(self, answers: Answers) -> None:
        self._answers = answers
        self._place: Place | None = None
        self._listener: Listener | None = None
        self._server: asyncio.Server | None = None
        self._token = new_token()
        self._serving: set[asyncio.Task[Any]] = set()
        self._observers: dict[StreamConnection, asyncio.StreamWriter] = {}
        self._observing: set[asyncio.Task[Any]] = set()
        self._alerts: collections.deque[Message] = collections.deque(maxlen=ALERTS_KEPT)

    async def open(
        self, kind: SessionKind, pid: int, program: str, cwd: str, started: float
    ) -> None:
        """Let them come. Raises OSError where the registry can't be used."""
        self._place = Place()
        self._listener = Listener(self._place.socket)
        unix = self._listener.endpoint.startswith("unix:")
        start = asyncio.start_unix_server if unix else asyncio.start_server
        self._server = await start(self._serve, sock=self._listener.socket)
        self._place.publish(
            RunningSession(self._listener.endpoint, self._token, pid, kind, program, cwd, started)
        )

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
        """Let nobody come any more, and let go of those that are here."""
        if self._place is not None:
            self._place.remove()
        if self._server is not None:
            self._server.close()
        if self._observing:
            self.tell(END, {})
            await asyncio.wait(self._observing, timeout=FAREWELL_SECONDS)
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
        messages = connection.messages()
        try:
            first = await asyncio.wait_for(anext(messages, None), INTRODUCTION_SECONDS)
            if not isinstance(first, dict) or not self._invited(first):
                return
            connection.send(_response(first, {"success": True}))
            for alert in self._alerts:
                connection.send(alert)
            self._observers[connection] = writer
            self._observing.add(task)
            async for message in messages:
                if isinstance(message, Fault):
                    return
                connection.send(self._answer(message))
                await writer.drain()
        except (OSError, asyncio.TimeoutError, asyncio.CancelledError):
            pass  # it has gone, or the session is over
        finally:
            self._observers.pop(connection, None)
            self._serving.discard(task)
            self._observing.discard(task)
            await connection.close()

    def _invited(self, first: Message) -> bool:
        try:
            arguments = from_wire(ObserveArguments, first.get("arguments"))
        except WireError:
            return False
        return first.get("command") == OBSERVE and same_token(arguments.token, self._token)

    def _answer(self, request: Message) -> Message:
        try:
            body = self._answers.answer(str(request.get("command")), request.get("arguments"))
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
