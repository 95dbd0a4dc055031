"""Runs of graphs that are described when somebody looks into them: of most that stop nobody does.

What is kept of each is what its framework recorded. Imported by ``recorder``.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence

from graphdebug.protocol.model import Node

RUNS_LIMIT = 256
"""Runs kept, the last ones: as many as an observer keeps that were described."""

NODES_LIMIT = 50_000
"""Nodes that they have together. Runs beyond it are described, the oldest first, so that none is lost."""

END_SECONDS = 1.0
"""How long a program that ends describes those that are left, the last ones first."""

Describe = Callable[[], Sequence[Node]]


class Undescribed:
    """By their numbers. Safe to call from any thread."""

    def __init__(self, send: Callable[[int, Sequence[Node]], None]) -> None:
        """``send`` gets the descriptions that are asked for, or have to be made."""
        self._send = send
        self._lock = threading.Lock()
        self._kept: OrderedDict[int, tuple[Describe, int]] = OrderedDict()
        self._nodes = 0

    @property
    def kept(self) -> list[int]:
        """Their numbers, the oldest first."""
        with self._lock:
            return list(self._kept)

    def keep(self, number: int, describe: Describe, nodes: int) -> None:
        """One more run, which has so many nodes."""
        over = []
        with self._lock:
            self._kept[number] = describe, nodes
            self._nodes += nodes
            if len(self._kept) > RUNS_LIMIT:
                self._take(next(iter(self._kept)))
            while self._nodes > NODES_LIMIT and len(self._kept) > 1:
                oldest = next(iter(self._kept))
                over.append((oldest, self._take(oldest)))
        for each, made in over:
            self._send(each, made())

    def _take(self, number: int) -> Describe:
        describe, nodes = self._kept.pop(number)
        self._nodes -= nodes
        return describe

    def describe(self, number: int) -> None:
        """Somebody asks; nothing is sent of one that isn't kept."""
        with self._lock:
            found = self._take(number) if number in self._kept else None
        if found is not None:
            self._send(number, found())

    def describe_all(self) -> None:
        """The program ends: nobody can ask any more."""
        until = time.monotonic() + END_SECONDS
        for number in reversed(self.kept):
            if time.monotonic() < until:
                self.describe(number)

    def clear(self) -> None:
        """Nobody is there who knows of them."""
        with self._lock:
            self._kept.clear()
            self._nodes = 0
