"""What passed between a client and an adapter, with times, and questions asked of it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

Message = dict[str, Any]
Direction = Literal["sent", "received"]


@dataclass(frozen=True)
class Entry:
    """One message on its way."""

    at: float
    """``time.monotonic()`` when it was sent or had come in."""
    direction: Direction
    """Seen from the client."""
    message: Message
    """As it was on the wire."""


class Transcript:
    """All messages of one connection, in the order in which they passed."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []

    def record(self, direction: Direction, message: Message) -> None:
        """Add a message that passes now."""
        self.entries.append(Entry(time.monotonic(), direction, message))

    def events(self, name: str) -> list[Message]:
        """The bodies of all events of that name so far."""
        return [
            entry.message.get("body") or {}
            for entry in list(self.entries)
            if entry.direction == "received" and entry.message.get("event") == name
        ]

    def output(self, category: str) -> str:
        """All text of that output category so far; an event without one is ``console``."""
        return "".join(
            body["output"]
            for body in self.events("output")
            if body.get("category", "console") == category
        )

    def requested(self, command: str) -> bool:
        """Whether the client has sent that request."""
        return any(
            entry.direction == "sent" and entry.message.get("command") == command
            for entry in list(self.entries)
        )

    def latency(self, seq: int) -> float:
        """Seconds between the request ``seq`` and its answer."""
        sent = next(e.at for e in self.entries if e.direction == "sent" and e.message["seq"] == seq)
        return self._answered(seq) - sent

    def answered(self, seq: int) -> bool:
        """Whether the request ``seq`` has its answer."""
        return any(self._answers(seq))

    def _answered(self, seq: int) -> float:
        return next(self._answers(seq)).at

    def _answers(self, seq: int) -> Iterator[Entry]:
        return (
            entry
            for entry in list(self.entries)
            if entry.direction == "received" and entry.message.get("request_seq") == seq
        )

    def __str__(self) -> str:
        start = self.entries[0].at if self.entries else 0.0
        arrow = {"sent": "->", "received": "<-"}
        return "\n".join(
            f"{entry.at - start:8.3f} {arrow[entry.direction]} {json.dumps(entry.message)[:600]}"
            for entry in list(self.entries)
        )
