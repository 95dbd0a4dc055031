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
from graphdebug.runtime.replays import Replay, Replays

Send = Callable[[BoundaryEvent], bool]

BOUNDARY = "graphdebug.boundary"
"""The exception filter that stops at every graph boundary."""

RETRACE = "graphdebug.retrace"
"""The exception filter that stops where a function is traced or compiled again."""


class Stops:
    """Announces a stop to the observer, waits until it knows, and stops.

    The program's thread waits here only while a debugger is attached and its adapter is there:
    ``resume`` and ``release`` are called on the link's thread.
    """

    def __init__(self, send: Send, replays: Replays) -> None:
        self.replays = replays
        self._send = send
        self._numbers = itertools.count()
        self._waiting: dict[int, tuple[threading.Event, list[bool]]] = {}
        self.filters: frozenset[str] = frozenset()
        """The exception filters of ours that are set."""
        self._standing: dict[int, int] = {}

    def boundary(
        self,
        frame: FrameType,
        step: int,
        lines: Sequence[Source],
        executions: Sequence[int],
        text: str,
        filter: str | None = None,
        title: str = "Graph boundary",
        replay: Replay | None = None,
        hit: Sequence[int] = (),
    ) -> bool:
        """Stop in ``frame``, at whose line a graph ran the nodes of ``lines``.

        ``hit`` are the client's numbers of the breakpoints on nodes by name that ask for it.

        ``replay`` is what can be walked through there; whether it was kept, to be released here when
        the thread goes on. (That may be later: the stop can come once the caller has returned.)
        """
        self.went_on()
        if not debugger.attached() or debugger.suspended():
            return False
        number = next(self._numbers)
        known, answer = threading.Event(), [False]
        self._waiting[number] = known, answer
        event = BoundaryEvent(
            boundary=number,
            frame=source_of(frame),
            step=step,
            lines=tuple(lines),
            executions=tuple(executions),
            text=text,
            filter=filter,
            title=title,
            recorded=replay is not None,
            hit=tuple(hit),
        )
        if self._send(event):
            known.wait()
        self._waiting.pop(number, None)
        if not answer[0]:
            return False
        self._standing[threading.get_ident()] = number
        if replay is not None:
            self.replays.keep(number, replay)
        debugger.stop_at(frame)
        return replay is not None

    def went_on(self) -> None:
        """The calling thread does something new: no stop of it is going on any more.

        Unless it is what the user evaluates at one.
        """
        if self._standing and not debugger.suspended():
            number = self._standing.pop(threading.get_ident(), None)
            if number is not None:
                self.replays.drop(number)

    def left(self, number: int) -> None:
        """The observer saw the thread go on from a boundary; called on the link's thread."""
        self.replays.drop(number)

    def here(self) -> int | None:
        """The boundary that the calling thread is stopped at; the adapter evaluates this."""
        return self._standing.get(threading.get_ident())

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
        self.replays.drop_all()
