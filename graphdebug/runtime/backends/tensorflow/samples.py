"""Which runs of a graph are recorded so that its nodes have times and devices: the first, and then a few.

What nodes took, where they ran and how often a loop went round changes while a program runs. Imported by
``session`` and ``signatures``.
"""

from __future__ import annotations

import time
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

SHARE = 600
"""How many times as long as its description took is waited for the next one. With TensorFlow's part, and
the encoding on another thread, a sample takes about three times that: 0.5 % of the time at most."""

FIRST = 30
"""The same after the first one, which finds out what the others know."""

PAUSE = 1_000_000_000
"""Nanoseconds from one to the next at least."""

AGE = 4
"""A next sample is taken once all of them are older by this part: in a day some fifty, which are kept."""


@dataclass(slots=True)
class Sample:
    """A run that was recorded, of those with feeds of the same shapes."""

    nodes: int
    """How many executions it had."""
    devices: tuple[str, ...]
    first: int
    """When the first one was, in nanoseconds of ``perf_counter``."""
    due: int
    """When the next one is."""
    plain: Any = None
    """What stands for the runs since of which nothing but their time is wanted."""

    @property
    def is_due(self) -> bool:
        """Whether the run that begins is to be the next one."""
        return time.perf_counter_ns() >= self.due


class Samples:
    """The last ones of a graph. Called on the program's threads; two at once cost one more sample."""

    def __init__(self) -> None:
        self._last: dict[Hashable, Sample] = {}

    def is_due(self, shapes: Hashable) -> bool:
        """Whether the run that begins is to be one."""
        last = self._last.get(shapes)
        return last is None or last.is_due

    def last(self, shapes: Hashable) -> Sample | None:
        """What the last one told; None where there is none."""
        return self._last.get(shapes)

    def take(self, shapes: Hashable, nodes: int, devices: tuple[str, ...], spent: int) -> None:
        """A run was described, which took so many nanoseconds."""
        now = time.perf_counter_ns()
        last = self._last.get(shapes)
        first = now if last is None else last.first
        share = FIRST if last is None else SHARE
        due = now + max(PAUSE, share * spent, (now - first) // AGE)
        self._last[shapes] = Sample(nodes, devices, first, due)

    def drop(self, shapes: Hashable) -> None:
        """Nobody knows it any more: the next run is one."""
        self._last.pop(shapes, None)
