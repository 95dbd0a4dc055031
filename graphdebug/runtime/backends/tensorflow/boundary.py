"""Breakpoints on lines that built nodes: which executions stop, and what the stop says."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import FrameType, ModuleType
from typing import TYPE_CHECKING, Any

from graphdebug.protocol.model import Source
from graphdebug.protocol.runtime import Breakpoint, NodeBreakpoint
from graphdebug.runtime.backends.tensorflow import named
from graphdebug.runtime.backends.tensorflow.assignments import Names
from graphdebug.runtime.backends.tensorflow.named import Named
from graphdebug.runtime.backends.tensorflow.record import Execution
from graphdebug.runtime.frames import absolute

if TYPE_CHECKING:
    from graphdebug.runtime.runtime import Runtime

NAMES_LIMIT = 3
"""Nodes of a line that a stop names."""

Log = Callable[[int, Breakpoint, str, Source], None]
"""Takes what a log point says: the position of the execution, the breakpoint, the text, the line."""


@dataclass(frozen=True)
class Home:
    """The module that called a graph: what is kept of the calling frame, which may go."""

    path: str
    globals: dict[str, Any]

    @classmethod
    def of(cls, frame: FrameType | None) -> Home | None:
        """That of a frame."""
        if frame is None:
            return None
        return cls(absolute(frame.f_code.co_filename), frame.f_globals)


@dataclass(frozen=True)
class Before:
    """The breakpoints as a run found them, to evaluate them again later."""

    breakpoints: Mapping[str, Mapping[int, Breakpoint]]
    """All of them."""
    counts: Mapping[tuple[str, int], int]
    """How often they were hit before."""
    named: Mapping[int, int]
    """The same of breakpoints on nodes by name."""

    @classmethod
    def now(cls, runtime: Runtime) -> Before:
        """As they are."""
        breakpoints, named = runtime.breakpoints, runtime.node_breakpoints
        return cls(breakpoints.files, breakpoints.counts, named.counts)


@dataclass
class Hits:
    """The executions that stop."""

    executions: list[int] = field(default_factory=list)
    """Their positions in the record."""
    lines: list[Source] = field(default_factory=list)
    """The lines that made them."""
    parts: list[str] = field(default_factory=list)
    """What ran, by line."""
    keys: set[tuple[str, int]] = field(default_factory=set)
    """Node and iteration of each of the executions."""
    named: tuple[int, ...] = ()
    """The client's numbers of the breakpoints on nodes by name that were hit."""

    def place(self, found: Sequence[Execution]) -> None:
        """Find the executions in a longer record."""
        self.executions = [
            index
            for index, item in enumerate(found)
            if item.origin is not None and (item.node, item.iteration) in self.keys
        ]

    def text(self, what: str, *more: str) -> str:
        """One sentence."""
        return "; ".join([f"{what} {', '.join(self.parts)}", *filter(None, more)])


def hits(
    runtime: Runtime,
    found: Sequence[Execution],
    variables: Mapping[tuple[str, int], Names],
    frame: FrameType | Home | None,
    *,
    by_name: Named = {},  # noqa: B006
    once: bool = False,
    log: Log | None = None,
    before: Before | None = None,
) -> Hits:
    """Evaluate the breakpoints of every execution, in order; log points log here, or to ``log``.

    ``by_name``: those on nodes by name. ``once``: these are nodes rather than executions, which nobody
    counted. ``before``: the counts of hits to go on from, where the executions are only looked at again.
    """
    again = None if before is None else (dict(before.counts), dict(before.named))
    stopped: dict[tuple[str, int], list[int]] = {}
    named_: dict[int, list[int]] = {}
    made: Counter[tuple[str, int]] = Counter()
    for index, execution in enumerate(found):
        source = execution.source
        on = by_name.get(execution.node, ())
        if source is None:
            continue
        breakpoint = runtime.breakpoints.at(source.path, source.line)
        if breakpoint is None and not on:
            continue
        line = source.path, source.line
        made[line] += 1
        names: dict[str, Any] = {}
        scope: dict[str, Any] = {}
        if _asks(breakpoint, on):
            names = dict(_names(execution, variables.get(line, {})))
            scope = globals_of(source.path, frame)
        counts = again and again[1]
        for number in runtime.node_breakpoints.hit(on, names, scope, counts) if on else ():
            named_.setdefault(number, []).append(index)
        if breakpoint is None or not runtime.breakpoints.hit(
            source.path, breakpoint, names, scope, again and again[0]
        ):
            continue
        if breakpoint.log_message:
            text = runtime.breakpoints.log_text(breakpoint, names, scope)
            if log is None:
                runtime.log(text, source)
            else:
                log(index, breakpoint, text, source)
        else:
            stopped.setdefault(line, []).append(index)
    result = Hits(named=tuple(named_))
    for line, indices in stopped.items():
        source = found[indices[0]].source
        if source is not None:
            result.lines.append(source)
        result.parts.append(_part(found, line[1], indices, made[line], once))
    by_number = {number: [found[at].name for at in places] for number, places in named_.items()}
    result.parts += named.parts(by_number, runtime.node_breakpoints, once)
    result.executions = sorted({at for each in (stopped, named_) for at in _all(each)})
    result.keys = {(found[at].node, found[at].iteration) for at in result.executions}
    return result


def _all(stopped: Mapping[Any, Sequence[int]]) -> Iterator[int]:
    return (index for indices in stopped.values() for index in indices)


def _asks(breakpoint: Breakpoint | None, on: Sequence[NodeBreakpoint]) -> bool:
    """Whether one of them has an expression."""
    line = breakpoint is not None and (breakpoint.condition or breakpoint.log_message)
    return bool(line) or any(item.condition for item in on)


def _names(execution: Execution, variables: Names) -> Iterator[tuple[str, Any]]:
    """What a condition sees as locals."""
    values = {slot: value.read() for slot, value in execution.values.items()}
    for slot, name in variables.get(execution.origin or ("", ""), {}).items():
        if slot in values:
            yield name, values[slot]
    if values:
        yield "value", values[min(values)]
    yield "node", execution.name
    yield "iteration", execution.iteration
    yield "phase", "graph"


def globals_of(path: str, frame: FrameType | Home | None) -> dict[str, Any]:
    """The globals of the module that a file is; that of ``frame`` is the first to be asked."""
    home = frame if isinstance(frame, Home) else Home.of(frame)
    if home is not None and home.path == path:
        return home.globals
    known = sys.modules.get(_modules.get(path, ""))
    if known is not None and _file(known) == path:
        return vars(known)
    for name, module in list(sys.modules.items()):
        if _file(module) == path:
            _modules[path] = name
            return vars(module)
    return {}


_modules: dict[str, str] = {}
"""The modules that files were found to be: there are thousands to look through."""


def _file(module: Any) -> str | None:
    file = vars(module).get("__file__") if isinstance(module, ModuleType) else None
    return absolute(file) if isinstance(file, str) else None


def _part(
    found: Sequence[Execution], line: int, indices: Sequence[int], made: int, once: bool
) -> str:
    counts = Counter(found[index].name for index in indices)
    names = ", ".join(list(counts)[:NAMES_LIMIT]) + (" ..." if len(counts) > NAMES_LIMIT else "")
    if once:
        return f"{names} (line {line})"
    chosen = "" if len(indices) == made else f", {len(indices)} of which the breakpoint stops at,"
    return f"{made} execution{'s' * (made != 1)}{chosen} of {names} (line {line})"
