"""Whose turn it is to stop at a boundary.

Where two threads of a process stop at once, debugpy tells of one of them alone, and lets both go on with
that. So they stop one after the other.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from dataclasses import dataclass

from graphdebug.adapter.session import Session
from graphdebug.observation.runtimes import Runtime
from graphdebug.protocol.runtime import BoundaryEvent, ResumeArguments

COMING_SECONDS = 2.0
"""How long a thread that may stop at a boundary is waited for, before the next one may."""


@dataclass(frozen=True, eq=False)
class Boundary:
    """A boundary that a thread waits at, or stopped at."""

    runtime: Runtime
    event: BoundaryEvent


class Turns:
    """Lets threads that wait at boundaries stop there, one at a time in each process."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._waiting: dict[int, deque[Boundary]] = defaultdict(deque)
        self._coming: dict[int, Boundary] = {}
        self._stopped: set[int] = set()

    def add(self, boundary: Boundary) -> None:
        """A thread waits."""
        process = self._session.upstream.of_runtime(boundary.runtime).number
        self._waiting[process].append(boundary)
        self._next(process)

    def came(self, boundary: Boundary) -> None:
        """A thread stopped where it was let to, or isn't going to."""
        for process, coming in list(self._coming.items()):
            if coming is boundary:
                del self._coming[process]
                self._next(process)

    def stopped(self, thread: int) -> None:
        """A process stands."""
        self._stopped.add(self._session.upstream.of(thread).number)

    def went_on(self, thread: int) -> None:
        """A process goes on."""
        process = self._session.upstream.of(thread).number
        self._stopped.discard(process)
        self._coming.pop(process, None)
        self._next(process)

    def _next(self, process: int) -> None:
        waiting = self._waiting[process]
        if waiting and process not in self._stopped and process not in self._coming:
            boundary = self._coming[process] = waiting.popleft()
            self._session.start(self._resume(boundary))

    async def _resume(self, boundary: Boundary) -> None:
        number = boundary.event.boundary
        await boundary.runtime.request("resume", ResumeArguments(number, True))
        await asyncio.sleep(COMING_SECONDS)
        self.came(boundary)
