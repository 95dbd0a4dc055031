"""Time without what a debugger held the thread for: a step that was stopped in took no longer for it.

Told of stops by ``mends``; imported by whoever measures steps.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import perf_counter_ns

told_of_all = False
"""Whether each stop is told, so that ``stands`` is right."""


class _Held(threading.local):
    nanoseconds = 0
    depth = 0


_held = _Held()

told: list[Callable[[int], None]] = []
"""Called in the thread that was held, with the nanoseconds, by whoever has no use for ``clock``."""


def clock() -> int:
    """``time.perf_counter_ns``, which stands still while the calling thread is held."""
    return perf_counter_ns() - _held.nanoseconds


def stands() -> bool:
    """Whether the calling thread is held, so that it runs what the user evaluates there."""
    return _held.depth > 0


@contextmanager
def holding() -> Iterator[None]:
    """The calling thread is held meanwhile."""
    began = perf_counter_ns()
    _held.depth += 1
    try:
        yield
    finally:
        _held.depth -= 1
        if not _held.depth:
            took = perf_counter_ns() - began
            _held.nanoseconds += took
            for tell in tuple(told):
                tell(took)
