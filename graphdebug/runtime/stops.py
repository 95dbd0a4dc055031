"""Stops that the runtime asks for, at the session boundary."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Sequence
from types import FrameType

from graphdebug.protocol.model import Source
from graphdebug.protocol.runtime import BoundaryEvent
from graphdebug.runtime import debugger
from graphdebug.runtime.frames import source_of

Send = Callable[[BoundaryEvent], bool]


class Stops:
    """Announces a stop to the observer, waits until it knows, and stops.

    The program's thread waits here only while a debugger is attached and its adapter is there:
    ``resume`` and ``release`` are called on the link's thread.
    """

    def __init__(self, send: Send) -> None:
        self._send = send
        self._numbers = itertools.count()
        self._waiting: dict[int, tuple[threading.Event, list[bool]]] = {}
        self.filters: frozenset[str] = frozenset()
        """The exception filters of ours that are set."""

    def boundary(
        self,
        frame: FrameType,
        step: int,
        lines: Sequence[Source],
        executions: Sequence[int],
        text: str,
        filter: str | None = None,
        title: str = "Graph boundary",
    ) -> None:
        """Stop in ``frame``, at whose line a graph ran the nodes of ``lines``."""
        if not debugger.attached():
            return
        number = next(self._numbers)
        known, answer = threading.Event(), [False]
        self._waiting[number] = known, answer
        event = BoundaryEvent(
            number, source_of(frame), step, tuple(lines), tuple(executions), text, filter, title
        )
        if self._send(event):
            known.wait()
        self._waiting.pop(number, None)
        if answer[0]:
            debugger.stop_at(frame)

    def filtered(self, name: str) -> bool:
        """Whether an exception filter of ours is set, and stops somebody."""
        return name in self.filters and debugger.attached()

    def resume(self, number: int, stop: bool) -> None:
        """The observer knows; the thread goes on, and stops if ``stop``."""
        waiting = self._waiting.get(number)
        if waiting is not None:
            waiting[1][0] = stop
            waiting[0].set()

    def release(self) -> None:
        """The observer has gone: nobody stops."""
        for known, _ in list(self._waiting.values()):
            known.set()
