"""Bounds what a run records while it runs: how often a loop is going to run nobody knows before.

Used by ``session`` for runs that are recorded whole.
"""

from __future__ import annotations

import threading
from collections.abc import Collection

from graphdebug.runtime.backends.tensorflow.watches import Slot, Watch
from graphdebug.runtime.untraced import untraced_thread

INTERVAL = 0.1
"""Seconds between two looks; a few thousand values are written in that time."""


class Guard:
    """Removes values as they come, beyond ``limit`` of them, but never those of ``spared`` outputs."""

    def __init__(self, watch: Watch, spared: Collection[Slot], limit: int) -> None:
        self._watch = watch
        self._spared = spared
        self._limit = limit
        self._over = threading.Event()
        self._thread = untraced_thread(self._run, "graphdebug guard")
        self._thread.start()

    def _run(self) -> None:
        while not self._over.wait(INTERVAL):
            self._watch.thin(self._spared, self._limit)

    def end(self) -> None:
        """The run is over."""
        self._over.set()
        self._thread.join()
