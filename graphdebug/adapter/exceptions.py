"""What a stop is about that the client takes for an exception: a filter of ours, or the program's.

Used by ``stops`` and ``node_stops``, which say what a thread stopped for.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from graphdebug.adapter.records import Records
from graphdebug.adapter.session import PASS, Session
from graphdebug.transport.framing import Message

_EXPLAIN = "__import__('sys').modules['graphdebug.runtime.boot'].explain({key!r})"
"""Evaluated in the stopped thread: publishes what is to be said of the error it stopped for."""

STOP_SECONDS = 0.7
"""How long a stop waits for the explanation; after that ``exceptionInfo`` alone has it."""


@dataclass(frozen=True)
class _Alerted:
    filter: str
    text: str


class Exceptions:
    """Answers ``exceptionInfo``, and explains errors that operations on tensors raised."""

    def __init__(self, session: Session, records: Records) -> None:
        self._session = session
        self._records = records
        self._alerted: dict[int, _Alerted] = {}
        self._explained: dict[int, asyncio.Future[str | None]] = {}

    def alerted(self, thread: int, filter: str, text: str) -> None:
        """A thread stopped for an exception filter of ours."""
        self._alerted[thread] = _Alerted(filter, text)

    async def explain(self, body: dict[str, Any], frame: int) -> None:
        """Add to a ``stopped`` event for an error of the program's what is to be said of it."""
        asked = asyncio.ensure_future(self._ask(frame))
        self._explained[body["threadId"]] = asked
        done, _ = await asyncio.wait([asked], timeout=STOP_SECONDS)
        if done and (text := asked.result()) is not None:
            body["text"] = "\n".join(filter(None, (body.get("text"), text)))

    async def _ask(self, frame: int) -> str | None:
        published = await self._records.publish(lambda key: _EXPLAIN.format(key=key), frame)
        return None if isinstance(published, str) else published.result

    def left(self, thread: int | None) -> None:
        """A thread goes on, or all do."""
        for kept in (self._alerted, self._explained):
            if thread is None:
                kept.clear()
            else:
                kept.pop(thread, None)

    def exceptionInfo_request(self, request: Message) -> Any:
        """What a filter of ours stopped for, or debugpy's and what we have to say of it."""
        thread = request["arguments"]["threadId"]
        found = self._alerted.get(thread)
        if found is not None:
            info = {"exceptionId": found.filter, "description": found.text, "breakMode": "always"}
            return self._session.reply(request, info)
        explained = self._explained.get(thread)
        return PASS if explained is None else self._explain_info(request, explained)

    async def _explain_info(self, request: Message, explained: asyncio.Future[str | None]) -> None:
        response = await self._session.forwarded(request)
        text = await explained
        if text is not None and response.get("success"):
            body = response["body"]
            body["description"] = "\n\n".join(filter(None, (body.get("description"), text)))
        self._session.to_client(response)
