"""Walking through the recorded run of a session, as an editor's buttons do."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from support.dap import Session

Message = dict[str, Any]

BOUNDARY = "Graph boundary"
REPLAY = "Graph replay"


def to_boundary(session: Session) -> Message:
    """Continue to the next stop at a graph boundary."""
    while True:
        stop = session.wait_for_stop()
        if stop.get("description") == BOUNDARY:
            return stop
        session.cont()


def move(session: Session, command: str) -> Message:
    """``next``, ``stepBack`` and so on; the stop that it leads to."""
    session.request(command, threadId=session.thread)
    return session.wait_for_stop()


def places(session: Session, command: str) -> Iterator[Message]:
    """The innermost frames of a walk with ``command``, until it is back at the boundary."""
    while move(session, command)["description"] == REPLAY:
        yield session.frame()


def numbers(frame: Message) -> tuple[int, ...]:
    """The iterations in the name of a place."""
    return tuple(int(item) for item in frame["name"].partition("[")[2].partition("]")[0].split(","))
