"""The client's breakpoints and what each is bound to.

What a breakpoint will do is read from the source when it is set (``analysis``) and corrected by the
runtimes as the program runs.
"""

from __future__ import annotations

import os
import tokenize
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from graphdebug.protocol.model import BindingKind
from graphdebug.protocol.runtime import BindingEvent, Breakpoint

if TYPE_CHECKING:
    from graphdebug.analysis import Analysis

UNOBSERVED = "this program wasn't started by graphdebug, so that its graph runs aren't seen; "
UNOBSERVED_BUILDS = "stops only while the graph is built: " + UNOBSERVED


@dataclass
class Bound:
    """A breakpoint as the client knows it."""

    id: int | None
    """debugpy's id for it."""
    path: str
    """As the client spells it."""
    line: int
    """Where it stands, after debugpy moved it."""
    verified: bool
    """Whether debugpy took it."""
    kind: BindingKind
    """What it is bound to."""
    reason: str
    """Why."""

    @property
    def message(self) -> str:
        """What the client shows."""
        return f"{self.kind}: {self.reason}"

    def body(self) -> dict[str, Any]:
        """As DAP's Breakpoint, for an event."""
        return {
            "id": self.id,
            "verified": self.verified,
            "line": self.line,
            "source": {"path": self.path, "name": os.path.basename(self.path)},
            "message": self.message,
        }


@dataclass
class _File:
    requested: tuple[Breakpoint, ...] = ()
    bound: list[Bound] = field(default_factory=list)


class Breakpoints:
    """All source breakpoints of a session.

    ``observed``: whether graph runs of the program are, or will be. A program that was merely attached
    to has no runtime, and a breakpoint in its graphs must not promise what needs one.
    """

    def __init__(self) -> None:
        self.observed = True
        self._files: dict[str, _File] = {}
        self._analyses: dict[str, tuple[tuple[int, int], Analysis]] = {}
        self._found: dict[tuple[str, int], tuple[BindingKind, str]] = {}

    def request(self, path: str, breakpoints: Sequence[dict[str, Any]]) -> tuple[Breakpoint, ...]:
        """The client sets all breakpoints of a file."""
        requested = tuple(
            Breakpoint(
                line=int(item["line"]),
                condition=item.get("condition") or None,
                hit_condition=item.get("hitCondition") or None,
                log_message=item.get("logMessage") or None,
            )
            for item in breakpoints
            if isinstance(item.get("line"), int)
        )
        self._files.setdefault(path, _File()).requested = requested
        return requested

    def answer(self, path: str, answered: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """debugpy's answer for a file, with what each breakpoint is bound to."""
        file = self._files.setdefault(path, _File())
        file.bound = []
        result = []
        for item in answered:
            bound = self._bind(path, item)
            file.bound.append(bound)
            result.append({**item, "message": bound.message})
        return result

    def moved(self, body: dict[str, Any]) -> dict[str, Any]:
        """debugpy says that a breakpoint changed: its event's body, with the binding."""
        for bound in self._all():
            if bound.id is not None and bound.id == body.get("id"):
                changed = self._bind(bound.path, {"line": bound.line, **body})
                bound.line, bound.verified = changed.line, changed.verified
                bound.kind, bound.reason = changed.kind, changed.reason
                return {**body, "message": bound.message}
        return body

    def correct(self, event: BindingEvent) -> list[Bound]:
        """A runtime says what lines do: the breakpoints whose binding that changes."""
        changed = []
        path = os.path.realpath(event.path)
        for line in event.lines:
            self._found[path, line] = event.kind, event.reason
        for bound in self._all():
            known = self._found.get((os.path.realpath(bound.path), bound.line))
            if known is not None and known[0] != bound.kind:
                bound.kind, bound.reason = known
                changed.append(bound)
        return changed

    def at(self, path: str, line: int) -> list[Bound]:
        """The breakpoints of a line."""
        path = os.path.realpath(path)
        return [
            bound
            for bound in self._all()
            if bound.line == line and os.path.realpath(bound.path) == path
        ]

    def for_runtime(self) -> dict[str, tuple[Breakpoint, ...]]:
        """All of them, as runtimes know them."""
        return {path: file.requested for path, file in self._files.items() if file.requested}

    def locations(self, path: str, begin: int, end: int) -> list[int]:
        """The lines from ``begin`` to ``end``, both included, where a breakpoint can stop."""
        analysis = self._analysis(path)
        if analysis is None:
            return []
        return [line for line in range(begin, end + 1) if analysis.binding(line).line == line
                and analysis.binding(line).kind != "never"]  # fmt: skip

    def _bind(self, path: str, item: dict[str, Any]) -> Bound:
        line = int(item.get("line") or 0)
        verified = bool(item.get("verified"))
        bound = Bound(item.get("id"), path, line, verified, "line", "stops each time the line runs")
        if not verified:
            bound.kind = "never"
            bound.reason = item.get("message") or "debugpy could not place it"
            return bound
        known = self._found.get((os.path.realpath(path), line))
        analysis = self._analysis(path)
        if known is not None:
            bound.kind, bound.reason = known
        elif analysis is not None:
            binding = analysis.binding(line)
            bound.kind, bound.reason = binding.kind, binding.reason
            if binding.kind == "boundary" and not self.observed:
                bound.kind = "line" if binding.builds else "never"
                bound.reason = (
                    UNOBSERVED_BUILDS if binding.builds else UNOBSERVED
                ) + binding.reason
        return bound

    def _analysis(self, path: str) -> Analysis | None:
        """What the source says; None for one that can't be read."""
        from graphdebug.analysis import analyse  # loaded beside the program's start, not before

        try:
            stat = os.stat(path)
            key = (stat.st_mtime_ns, stat.st_size)
            known = self._analyses.get(path)
            if known is None or known[0] != key:
                with tokenize.open(path) as file:
                    known = key, analyse(file.read(), path)
                self._analyses[path] = known
            return known[1]
        except (OSError, SyntaxError, ValueError):
            return None

    def _all(self) -> Iterable[Bound]:
        for file in self._files.values():
            yield from file.bound
