"""The client's breakpoints and what each is bound to.

What a breakpoint will do is read from the source when it is set (``analysis``) and corrected by the
runtimes as the program runs.
"""

from __future__ import annotations

import os
import tokenize
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from graphdebug.protocol.model import BindingKind, StaticGraphs
from graphdebug.protocol.runtime import BackwardEvent, BindingEvent, Breakpoint

if TYPE_CHECKING:
    from graphdebug.analysis import Analysis, Binding

EAGER = "where Python runs it with eager tensors, it stops each time"
ALSO_EAGER = f"and {EAGER}"

BACKWARD = "; and in backward, each time an autograd Node runs that this line made"

_UNSTOPPED = (
    "torch.cond", "torch.while_loop", "torch.fx.", "make_fx", "tf.data."
)  # fmt: skip
"""Constructs, by how their names begin, at whose graph runs the debugger can't stop yet."""

_HELD_INSIDE = ("tf.", "keras.")
"""Constructs, by how their names begin, whose nodes are held while they run under it."""

_INSIDE = ("at Session.run", "inside Session.run, at each execution of these nodes,")
"""What a reason says of a graph that stops at the boundary, and of one that stops inside."""

EAGERLY = (
    "runs eagerly while this breakpoint is set; results may differ in the last bits from the "
    "compiled ones"
)


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
    backward: bool = False
    """Whether autograd Nodes that the line made run backward, where it stops too."""

    @property
    def message(self) -> str:
        """What the client shows."""
        return f"{self.kind}: {self.reason}{BACKWARD if self.backward else ''}"

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
        self.version = 0
        """Grows whenever the client sets breakpoints."""
        self.static_graphs: StaticGraphs = "boundary"
        self._files: dict[str, _File] = {}
        self._analyses: dict[str, tuple[tuple[int, int], Analysis]] = {}
        self._found: dict[tuple[str, int], tuple[BindingKind, str]] = {}
        self._backward: set[tuple[str, int]] = set()

    def request(self, path: str, breakpoints: Sequence[dict[str, Any]]) -> tuple[Breakpoint, ...]:
        """The client sets all breakpoints of a file."""
        requested = tuple(
            Breakpoint(
                line=item["line"],
                condition=item.get("condition") or None,
                hit_condition=item.get("hitCondition") or None,
                log_message=item.get("logMessage") or None,
            )
            for item in breakpoints
        )
        self._files.setdefault(path, _File()).requested = requested
        self.version += 1
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
                bound.backward = changed.backward
                return {**body, "message": bound.message}
        return body

    def correct(self, event: BindingEvent) -> list[Bound]:
        """A runtime says what lines do: the breakpoints whose binding that changes."""
        path = os.path.realpath(event.path)
        for line in event.lines:
            known = self._found.get((path, line))
            seen_eager = known is not None and known[1].endswith(EAGER)
            reason = f"{event.reason}; {ALSO_EAGER}" if seen_eager else event.reason
            self._found[path, line] = event.kind, reason
        return self._rebind()

    def run_backward(self, event: BackwardEvent) -> list[Bound]:
        """A runtime saw Nodes that lines made run backward: the breakpoints whose message changes."""
        path = os.path.realpath(event.path)
        self._backward.update((path, line) for line in event.lines)
        return self._rebind()

    def runs_backward(self, path: str, line: int) -> bool:
        """Whether autograd Nodes that a line made were seen to run backward, where it stops too."""
        return (os.path.realpath(path), line) in self._backward

    def placed(self, path: str, answered: Sequence[dict[str, Any]]) -> tuple[Breakpoint, ...]:
        """Those of a file, on the lines where debugpy has placed them."""
        file = self._files[path]
        file.requested = tuple(
            replace(item, line=int(place.get("line") or item.line))
            for item, place in zip(file.requested, answered, strict=False)
        )
        return file.requested

    def ran_eagerly(self, path: str, line: int) -> list[Bound]:
        """A line that the source promised to a graph was run by Python with eager tensors."""
        if any(bound.reason.startswith(EAGERLY) for bound in self.at(path, line)):
            return []  # as promised
        key = os.path.realpath(path), line
        known = self._found.get(key)
        if known is None or known[0] == "never":
            self._found[key] = "line", EAGER
        elif known[0] in ("boundary", "node") and not known[1].endswith(EAGER):
            self._found[key] = known[0], f"{known[1]}; {ALSO_EAGER}"
        return self._rebind()

    def _rebind(self) -> list[Bound]:
        changed = []
        for bound in self._all():
            if not bound.verified:
                continue
            place = os.path.realpath(bound.path), bound.line
            known = self._found.get(place, (bound.kind, bound.reason))
            now = (*known, place in self._backward)
            if now != (bound.kind, bound.reason, bound.backward):
                bound.kind, bound.reason, bound.backward = now
                changed.append(bound)
        return changed

    def kind(self, path: str, line: int) -> BindingKind:
        """What a breakpoint on a line is, or would be, bound to."""
        known = self._found.get((os.path.realpath(path), line))
        if known is not None:
            return known[0]
        analysis = self._analysis(path)
        if analysis is None:
            return "line"
        binding = analysis.binding(line)
        return "node" if self._stops_inside(binding) else binding.kind

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
        bound.backward = self.runs_backward(path, line)
        analysis = self._analysis(path)
        if known is not None:
            bound.kind, bound.reason = known
        elif analysis is not None:
            binding = analysis.binding(line)
            bound.kind, bound.reason = binding.kind, binding.reason
            if self._stops_inside(binding):
                bound.kind, bound.reason = "node", _inside(binding)
            elif binding.kind == "boundary" and self._misses(binding):
                bound.kind, bound.reason = _without_boundary(binding, self.observed)
        return bound

    def _stops_inside(self, binding: Binding) -> bool:
        return binding.can_stop_inside and self.observed and self.static_graphs == "node"

    def _misses(self, binding: Binding) -> bool:
        return not self.observed or binding.construct.startswith(_UNSTOPPED)

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


def _inside(binding: Binding) -> str:
    if binding.session:
        return binding.reason.replace(*_INSIDE)
    if binding.construct.startswith(_HELD_INSIDE):
        return (
            f"part of a graph that {binding.construct} makes; it stops inside while that runs, at each "
            "execution of the nodes that this line builds"
        )
    what = f"{binding.construct} compiles {binding.function}"
    return f"{EAGERLY} ({what}, and the compiled call that it is part of runs as plain Python)"


def _without_boundary(binding: Binding, observed: bool) -> tuple[BindingKind, str]:
    """What a breakpoint on a graph's line does where nothing stops at the boundary."""
    why = (
        f"the debugger can't stop at runs of what {binding.construct} makes yet"
        if observed
        else "graphdebug didn't start this program and doesn't see its graphs run"
    )
    if binding.builds:
        return "line", f"stops where Python runs it, as while {binding.construct} traces it; {why}"
    return "never", f"{binding.construct} makes a graph of this line, which no Python runs; {why}"
