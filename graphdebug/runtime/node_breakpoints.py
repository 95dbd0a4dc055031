"""Breakpoints on nodes by name: what the client calls function breakpoints ``node:PATTERN``."""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping, Sequence
from typing import Any

from graphdebug.protocol.runtime import NodeBreakpoint
from graphdebug.runtime.breakpoints import is_true, meets_hit_condition


class NodeBreakpoints:
    """All of them. Replaced whole by the link's thread; read by any thread without a lock.

    ``version`` grows with each change.
    """

    def __init__(self) -> None:
        self._all: tuple[NodeBreakpoint, ...] = ()
        self._matching: dict[tuple[str, ...], tuple[NodeBreakpoint, ...]] = {}
        self._hits: dict[int, int] = {}
        self.version = 0

    def __bool__(self) -> bool:
        return bool(self._all)

    def replace_all(self, breakpoints: Sequence[NodeBreakpoint]) -> None:
        """Set them; hit counts of those that stay as they were are kept."""
        if tuple(breakpoints) == self._all:
            return
        kept = {item.id for item in breakpoints if item in self._all}
        self._all, self._matching = tuple(breakpoints), {}
        self._hits = {id: count for id, count in self._hits.items() if id in kept}
        self.version += 1

    def matching(self, *names: str) -> tuple[NodeBreakpoint, ...]:
        """Those whose pattern one of a node's names matches, such as its name and its type."""
        known = self._matching
        found = known.get(names)
        if found is None:
            found = known[names] = tuple(
                item
                for item in self._all
                if any(fnmatch.fnmatchcase(name, item.pattern) for name in names)
            )
        return found

    def hit(
        self,
        breakpoints: Sequence[NodeBreakpoint],
        names: Mapping[str, Any],
        globals_: Mapping[str, Any],
    ) -> tuple[int, ...]:
        """Count one execution of a node that these match; the numbers of those that stop there."""
        stopping = []
        for item in breakpoints:
            if item.condition and not is_true(item.condition, names, globals_):
                continue
            count = self._hits[item.id] = self._hits.get(item.id, 0) + 1
            if not item.hit_condition or meets_hit_condition(item.hit_condition, count):
                stopping.append(item.id)
        return tuple(stopping)
