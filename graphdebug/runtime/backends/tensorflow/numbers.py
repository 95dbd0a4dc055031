"""Which outputs of a graph's run held NaN or Inf, as its watches tell, and which node made the first."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from graphdebug.protocol.model import Source
from graphdebug.runtime.backends.tensorflow import finite, taps
from graphdebug.runtime.backends.tensorflow.partitions import (
    Executable,
    inputs,
    is_machinery,
    is_watchable,
)
from graphdebug.runtime.backends.tensorflow.sources import Origin
from graphdebug.runtime.backends.tensorflow.troubles import Trouble
from graphdebug.runtime.backends.tensorflow.watches import Slot, Value

_FLOATS = (1, 2)
"""DT_FLOAT and DT_DOUBLE: what TensorFlow counts NaN and Inf of."""

_NAN, _INFINITE = 2, (3, 7)
"""Where the counts stand in what ``DebugNumericSummary`` puts out."""

_OUTSIDE = ("Const", "Fill", "Placeholder", "_Arg", "_Recv", "ReadVariableOp", "VariableV2")
_DATA = ("ResourceGather", "IteratorGetNext", "OptionalGetValue")
_SINKS = (
    "_Retval",
    "_Send",
    "Assign",
    "ResourceApply",
    "ResourceSparseApply",
    "ResourceScatter",
    "Apply",
)
_UNTOLD = ("_Arg", "_Retval", "Enter", "RefEnter", "NextIteration", "RefNextIteration")
_PASSING = (
    "Identity",
    "IdentityN",
    "Switch",
    "Merge",
    "Enter",
    "Exit",
    "NextIteration",
    "StopGradient",
)


@dataclass
class Held:
    """What an output held when it first held any."""

    kind: finite.Kind
    time: int


@dataclass
class Numbers:
    """One run's."""

    executable: Executable
    held: Mapping[Slot, Held]
    known: Collection[Slot]
    """The outputs that would have been told."""
    source: Callable[[Origin], tuple[Source | None, str]]
    """The user's line that built an operation; of one of a gradient that of the operation that it
    differentiates, and its type."""
    given: Callable[[Any], bool | None]
    """Whether what was put in for a NodeDef (an argument, a feed) is finite; None where nobody knows."""
    _troubles: dict[Slot, Trouble] = field(default_factory=dict)

    def root(self) -> Trouble | None:
        """What made the first one that got somewhere: into a variable, or out of the graph."""
        found = [self._trouble(slot, set()) for slot in self._sinks()]
        found = found or [self._trouble(slot, set()) for slot in self.held]
        first = sorted(found, key=lambda item: (not item.root.made, item.root.time))
        return first[0] if first else None

    def _sinks(self) -> Iterator[Slot]:
        for definition in self.executable.nodes.values():
            if definition.op.startswith(_SINKS):
                yield from (slot for slot in inputs(definition) if slot in self.held)

    def _trouble(self, slot: Slot, open_: set[Slot]) -> Trouble:
        known = self._troubles.get(slot)
        if known is not None:
            return known
        node, held = slot[0], self.held[slot]
        definition, origin = self.executable.nodes[node], self.executable.origin[node]
        source, differentiated = self.source(origin)
        trouble = Trouble(held.kind, definition.op, source)
        trouble.time = held.time
        trouble.differentiated = differentiated
        trouble.passes = passes(self.executable, node)
        trouble.label = _label(self.executable.names.get(node, node), definition.op)
        taken = [item for slot in inputs(definition) for item in self._told(slot, set())]
        before = [
            item
            for item in taken
            if item in self.held and self.held[item].time <= held.time and item not in open_
        ]
        parents = [self._trouble(item, {*open_, slot}) for item in before]
        parents.sort(key=lambda item: not item.root.made)
        self._judge(trouble, definition, taken, before, parents)
        if not open_:  # else a loop was left out
            self._troubles[slot] = trouble
        return trouble

    def _judge(
        self,
        trouble: Trouble,
        definition: Any,
        taken: Sequence[Slot],
        before: Sequence[Slot],
        parents: Sequence[Trouble],
    ) -> None:
        """Whether a node made it, and what is to be said of its inputs."""
        unknown = [item for item in taken if not self._is_known(item)]
        bad = [item for item in unknown if self._given(item) is False]
        spread = trouble.kind == "inf" or any(self.held[item].kind == "nan" for item in before)
        if definition.op in _OUTSIDE or definition.op.startswith(_DATA):
            trouble.made, trouble.why = False, _outside(definition)
        elif (before and spread) or (parents and parents[0].root.made):
            trouble.made, trouble.parent = False, parents[0]
        elif bad:
            trouble.made, trouble.why = False, "it was put into the graph"
        else:
            unknown = [item for item in unknown if self._given(item) is None]
            clean = "held Inf, but no NaN" if before else "were finite"
            trouble.why = f"from inputs that {clean}"
            if unknown or definition.op in _PASSING:
                trouble.made, trouble.why = False, "what its inputs held isn't known"

    def _told(self, slot: Slot, seen: set[Slot]) -> Iterator[Slot]:
        """An input, or what it was handed on from by nodes that tell nothing."""
        definition = self.executable.nodes.get(slot[0])
        if slot in self.known or definition is None or definition.op not in _PASSING:
            yield slot
        elif slot not in seen:
            seen.add(slot)
            for item in inputs(definition):
                yield from self._told(item, seen)

    def _is_known(self, slot: Slot) -> bool:
        """Whether an input is told, or has no numbers that could be."""
        definition = self.executable.nodes.get(slot[0])
        if slot in self.known or definition is None:
            return slot in self.known
        return slot not in _floats(slot[0], definition)

    def _given(self, slot: Slot) -> bool | None:
        definition = self.executable.nodes.get(slot[0])
        return None if definition is None else self.given(definition)


def slots(executable: Executable, *, copied: bool) -> frozenset[Slot]:
    """All outputs that hold floats; ``copied``: of a copy, which can tell those that are lists, too."""
    return frozenset(
        slot
        for node, definition in executable.nodes.items()
        if definition.op not in _UNTOLD
        for slot in _floats(node, definition)
        if copied or is_watchable(executable, *slot)
    )


def _floats(node: str, definition: Any) -> list[Slot]:
    try:
        found = taps.outputs(definition)
    except taps.Untapped:
        return []
    return [(node, position) for position, (_, kind) in enumerate(found) if kind in _FLOATS]


def counted(values: Mapping[Slot, Sequence[Value]]) -> dict[Slot, Held]:
    """What the counts that a run wrote say."""
    found: dict[Slot, Held] = {}
    for slot, each in values.items():
        for value in each:
            counts = value.read()
            if counts is not None and len(counts) > max(_INFINITE):
                nan, infinite = counts[_NAN], sum(counts[at] for at in _INFINITE)
                if nan or infinite:
                    found[slot] = Held("nan" if nan else "inf", value.time)
                    break
    return found


def looked_at(values: Mapping[Slot, Sequence[Value]]) -> dict[Slot, Held]:
    """The same, of outputs that were recorded as they are."""
    found: dict[Slot, Held] = {}
    for slot, each in values.items():
        for value in each:
            held = finite.kind(value.read())
            if held:
                found[slot] = Held(held, value.time)
                break
    return found


def passes(executable: Executable, node: str) -> bool:
    """Whether a node only hands on what it got."""
    return executable.nodes[node].op in _PASSING or is_machinery(executable, node)


def _label(name: str, op_type: str) -> str:
    last = name.rpartition("/")[2]
    return op_type if last.rstrip("_0123456789") == op_type else f"{name} ({op_type})"


def _outside(definition: Any) -> str:
    if definition.op in ("Const", "Fill"):
        return "it is a constant"
    if definition.op.startswith(("ReadVariable", "ResourceGather", "VariableV2")):
        return "the variable that it reads held it before the run"
    return "it was put into the graph" if definition.op == "_Arg" else "it came in with data"
