"""What a stop is about that the client takes for an exception: a filter of ours, or the program's.

Used by ``stops`` and ``node_stops``, which say what a thread stopped for.
"""

from __future__ import annotations

from dataclasses import dataclass

from graphdebug.adapter.session import Session
from graphdebug.transport.framing import Message


@dataclass(frozen=True)
class _Alerted:
    filter: str
    text: str


class Exceptions:
    """Answers ``exceptionInfo``."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._alerted: dict[int, _Alerted] = {}

    def alerted(self, thread: int, filter: str, text: str) -> None:
        """A thread stopped for an exception filter of ours."""
        self._alerted[thread] = _Alerted(filter, text)

    def left(self, thread: int | None) -> None:
        """A thread goes on, or all do."""
        if thread is None:
            self._alerted.clear()
        else:
            self._alerted.pop(thread, None)

    def exceptionInfo_request(self, request: Message) -> None:
        """What a filter of ours stopped for, or debugpy's."""
        found = self._alerted.get(request["arguments"]["threadId"])
        if found is None:
            return self._session.forward(request)
        info = {"exceptionId": found.filter, "description": found.text, "breakMode": "always"}
        return self._session.reply(request, info)
