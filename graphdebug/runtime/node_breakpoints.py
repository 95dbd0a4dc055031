"""Breakpoints on nodes by name: what the client calls function breakpoints ``node:PATTERN``."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from graphdebug.protocol.model import BindingKind
from graphdebug.protocol.runtime import NodeBindingEvent, NodeBreakpoint
from graphdebug.runtime.breakpoints import is_true, meets_hit_condition

FOUND = "it stops at nodes of that name or operation, as one that came by"


class NodeBreakpoints:
    """All of them. Replaced whole by the link's thread; read by any thread without a lock.

    ``version`` grows with each change.
    """

    def __init__(self, send: Callable[[NodeBindingEvent], bool]) -> None:
        self._send = send
        self._told: dict[int, tuple[BindingKind, str]] = {}
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
        self._told = {id: told for id, told in self._told.items() if id in kept}
        self.version += 1

    @property
    def all(self) -> tuple[NodeBreakpoint, ...]:
        """As they were set."""
        return self._all

    @property
    def counts(self) -> dict[int, int]:
        """How often each was hit so far."""
        return dict(self._hits)

    def bind(self, item: NodeBreakpoint, kind: BindingKind, reason: str) -> None:
        """Tell what one does, once. That nothing matches is told only while nothing did."""
        told = self._told.get(item.id)
        if told == (kind, reason) or (told is not None and kind == "never"):
            return
        self._told[item.id] = kind, reason
        self._send(NodeBindingEvent(item.id, kind, reason))

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
        counts: dict[int, int] | None = None,
    ) -> tuple[int, ...]:
        """Count one execution of a node that these match; the numbers of those that stop there.

        ``counts``: counted here instead, for what is only looked at again.
        """
        stopping = []
        hits = self._hits if counts is None else counts
        for item in breakpoints:
            if self._told.setdefault(item.id, ("node", ""))[0] == "never":
                self.bind(item, "node", FOUND)
            if item.condition and not is_true(item.condition, names, globals_):
                continue
            count = hits[item.id] = hits.get(item.id, 0) + 1
            if not item.hit_condition or meets_hit_condition(item.hit_condition, count):
                stopping.append(item.id)
        return tuple(stopping)
