"""Breakpoints on lines that built nodes: which executions stop, and what the stop says."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import FrameType
from typing import TYPE_CHECKING, Any

from graphdebug.protocol.model import Source
from graphdebug.runtime.backends.tensorflow.record import Execution
from graphdebug.runtime.backends.tensorflow.sources import Origin
from graphdebug.runtime.frames import absolute

if TYPE_CHECKING:
    from graphdebug.runtime.boot import Runtime

NAMES_LIMIT = 3
"""Nodes of a line that a stop names."""

Names = Mapping[Origin, Mapping[int, str]]


@dataclass
class Hits:
    """The executions that stop."""

    executions: list[int] = field(default_factory=list)
    """Their positions in the record."""
    lines: list[Source] = field(default_factory=list)
    """The lines that made them."""
    parts: list[str] = field(default_factory=list)
    """What ran, by line."""

    def text(self, what: str, *more: str) -> str:
        """One sentence."""
        return "; ".join([f"{what} made {', '.join(self.parts)}", *filter(None, more)])


def hits(
    runtime: Runtime,
    found: Sequence[Execution],
    variables: Mapping[tuple[str, int], Names],
    frame: FrameType | None,
) -> Hits:
    """Evaluate the breakpoints of every execution, in order; log points log here."""
    stopped: dict[Source, list[int]] = {}
    made: dict[Source, int] = {}
    for index, execution in enumerate(found):
        source = execution.source
        breakpoint = source and runtime.breakpoints.at(source.path, source.line)
        if source is None or breakpoint is None:
            continue
        made[source] = made.get(source, 0) + 1
        names: dict[str, Any] = {}
        scope: dict[str, Any] = {}
        if breakpoint.condition or breakpoint.log_message:
            names = dict(_names(execution, variables.get((source.path, source.line), {})))
            scope = _globals(source.path, frame)
        if not runtime.breakpoints.hit(source.path, breakpoint, names, scope):
            continue
        if breakpoint.log_message:
            runtime.log(runtime.breakpoints.log_text(breakpoint, names, scope), source)
        else:
            stopped.setdefault(source, []).append(index)
    result = Hits()
    for source, indices in stopped.items():
        result.executions += indices
        result.lines.append(source)
        result.parts.append(_part(found, source, indices, made[source]))
    result.executions.sort()
    return result


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


def _globals(path: str, frame: FrameType | None) -> dict[str, Any]:
    if frame is not None and absolute(frame.f_code.co_filename) == path:
        return frame.f_globals
    for module in list(sys.modules.values()):
        file = getattr(module, "__file__", None)
        if isinstance(file, str) and absolute(file) == path:
            return vars(module)
    return {}


def _part(found: Sequence[Execution], source: Source, indices: Sequence[int], made: int) -> str:
    counts = Counter(found[index].name for index in indices)
    total = sum(counts.values())
    names = ", ".join(list(counts)[:NAMES_LIMIT]) + (" ..." if len(counts) > NAMES_LIMIT else "")
    executions = "execution" if made == 1 else "executions"
    chosen = "" if total == made else f", {total} of which the breakpoint stops at,"
    return f"{made} {executions}{chosen} of {names} (line {source.line})"

