"""The record of one call of a compiled function, from what its copy wrote. Used for compiled functions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from graphdebug.protocol.model import Source, Tensor
from graphdebug.runtime.backends.tensorflow import taps
from graphdebug.runtime.backends.tensorflow.loops import Iterations
from graphdebug.runtime.backends.tensorflow.partitions import Executable
from graphdebug.runtime.backends.tensorflow.record import (
    PASSED_ON,
    Execution,
    short_device,
    tensor,
)
from graphdebug.runtime.backends.tensorflow.sources import GraphLines, Origin, find
from graphdebug.runtime.backends.tensorflow.watches import Slot, Value
from graphdebug.runtime.untraced import untraced


@dataclass(frozen=True)
class InlinedCall:
    """One place where TensorFlow put the nodes of a function instead of a call."""

    node: str
    """What the call's name would be."""
    origin: Origin
    op_type: str
    outputs: Mapping[int, Slot]
    """The output of which node each of the call's is."""

    @property
    def made_by(self) -> str:
        """The first of those nodes."""
        return self.outputs[min(self.outputs)][0]


def heads(executable: Executable) -> Iterator[Slot]:
    """The outputs with which an iteration of a loop begins: those of its variables."""
    from tensorflow.core.framework import types_pb2

    for node in executable.nests:
        definition = executable.nodes[node]
        if definition.op != "Merge" or not _begins(definition, executable):
            continue
        if definition.attr["T"].type not in (types_pb2.DT_RESOURCE, types_pb2.DT_VARIANT):
            yield node, 0


def _begins(definition: Any, executable: Executable) -> bool:
    made_by = (executable.nodes.get(text.partition(":")[0]) for text in definition.input)
    return any(node is not None and node.op == "NextIteration" for node in made_by)


@untraced
def executions(
    executable: Executable,
    calls: Iterable[InlinedCall],
    values: Mapping[Slot, Sequence[Value]],
    lines: GraphLines,
    graph: Any,
) -> list[Execution]:
    """What ran of the nodes that told their values, in order of time; ``heads`` only set the count."""
    told: dict[str, dict[int, Sequence[Value]]] = {}
    for (node, slot), found in values.items():
        told.setdefault(node, {})[slot] = found
    turns = [
        _Turn(node, node, executable.origin[node], executable.nodes[node].op, iteration, outputs)
        for node, slots in told.items()
        for iteration, outputs in enumerate(_turns(slots))
    ]
    for call in calls:
        slots = {slot: values[of] for slot, of in call.outputs.items() if of in values}
        turns += [
            _Turn(call.node, call.made_by, call.origin, call.op_type, iteration, outputs)
            for iteration, outputs in enumerate(_turns(slots))
        ]
    rank = executable.rank
    turns.sort(key=lambda turn: (turn.time, rank.get(turn.node, len(rank)), turn.iteration))
    return list(_described(turns, executable, lines, graph))


@dataclass
class _Turn:
    """One execution of one node."""

    node: str
    made_by: str
    """The node that put the values out."""
    origin: Origin
    op_type: str
    iteration: int
    values: dict[int, Value]

    @property
    def time(self) -> int:
        return max(value.time for value in self.values.values())


def _turns(outputs: Mapping[int, Sequence[Value]]) -> Iterator[dict[int, Value]]:
    """The values that each execution of a node put out.

    A node that puts out but some of its outputs each time can't be told apart; each counts then.
    """
    if len(set(map(len, outputs.values()))) == 1:
        for values in zip(*outputs.values(), strict=True):
            yield dict(zip(outputs, values, strict=True))
    else:
        single = [(value.time, slot, value) for slot, found in outputs.items() for value in found]
        for _, slot, value in sorted(single, key=lambda item: item[:2]):
            yield {slot: value}


def _described(
    turns: Iterable[_Turn], executable: Executable, lines: GraphLines, graph: Any
) -> Iterator[Execution]:
    known = _Known(executable)
    iterations = Iterations(executable.nodes, executable.nests)
    for turn in turns:
        fixed = executable.known.get((turn.node, turn.made_by))
        if fixed is None:
            fixed = executable.known[turn.node, turn.made_by] = _fixed(
                turn, executable, lines, graph
            )
        now = iterations.of(turn.made_by) if executable.nests else ()
        values = turn.values if fixed.puts_out else {}
        fed = tuple(known.feeding(fixed.inputs, now))
        execution = Execution(
            node=turn.node,
            name=fixed.name,
            op_type=turn.op_type,
            origin=turn.origin,
            source=fixed.source,
            iteration=turn.iteration,
            device=fixed.device,
            duration_ns=0,
            outputs={slot: fixed.tensor(slot, value) for slot, value in values.items()},
            inputs=tuple([made.outputs[slot] for made, slot in fed]),
            iterations=now,
            fed=fed,
            began=turn.time,
            values=values,
        )
        known.add(execution)
        if not fixed.merges:
            yield execution


class _Fixed(NamedTuple):
    """What is the same for every execution of a node."""

    name: str
    source: Source | None
    device: str
    inputs: tuple[str, ...]
    """As its definition names them; none of a call that others stand for."""
    puts_out: bool
    merges: bool
    static: tuple[tuple[Any, Tensor | None], ...]
    """The dtypes of the outputs, and their descriptions where the graph says their shapes."""

    def tensor(self, slot: int, value: Value) -> Tensor:
        """The description of an output."""
        dtype, described = self.static[slot] if slot < len(self.static) else (None, None)
        if described is not None:
            return described
        array = value.read()
        if array is None:
            return tensor((), "variant" if dtype is None else dtype, self.device)
        kind = array.dtype if array.dtype != object else "string"
        return tensor(tuple(array.shape), kind, self.device)


def _fixed(turn: _Turn, executable: Executable, lines: GraphLines, graph: Any) -> _Fixed:
    definition = executable.nodes[turn.made_by]
    device = short_device(definition.device)
    return _Fixed(
        name=executable.names.get(turn.node, turn.node),
        source=lines.source(graph, turn.origin),
        device=device,
        inputs=tuple(definition.input) if turn.node == turn.made_by else (),
        puts_out=bool(taps.outputs(definition)),
        merges=definition.op == "Merge",
        static=tuple(
            (
                output.dtype,
                tensor(tuple(output.shape), output.dtype, device)
                if output.shape.is_fully_defined()
                else None,
            )
            for output in getattr(find(graph, turn.origin), "outputs", ())
        ),
    )


class _Known:
    """The executions so far, among which those are found that made a node's inputs."""

    def __init__(self, executable: Executable) -> None:
        self._executable = executable
        self._latest: dict[str, Execution] = {}
        self._at: dict[tuple[str, tuple[int, ...]], Execution] = {}

    def add(self, execution: Execution) -> None:
        """One more."""
        self._latest[execution.node] = execution
        self._at[execution.node, execution.iterations] = execution

    def feeding(
        self, inputs: Sequence[str], now: tuple[int, ...]
    ) -> Iterator[tuple[Execution, int]]:
        """What made these inputs of a node that runs in these iterations, as far as that is known."""
        for text in inputs:
            if not text.startswith("^"):
                found = list(self._made(text, now, set()))
                if found:
                    yield max(found, key=lambda item: item[0].began)

    def _made(
        self, text: str, now: tuple[int, ...], seen: set[str]
    ) -> Iterator[tuple[Execution, int]]:
        """Beyond nodes that only pass on and told nothing."""
        name, _, position = text.partition(":")
        slot = int(position or 0)
        nest = self._executable.nests.get(name, ())
        last = self._latest.get(name)
        # Of a loop that is over it is the last iteration.
        made = last if len(nest) > len(now) else self._at.get((name, now[: len(nest)]))
        definition = self._executable.nodes.get(name)
        if made is not None and slot in made.outputs:
            yield made, slot
        elif definition is not None and definition.op in PASSED_ON and name not in seen:
            seen.add(name)
            if definition.op == "NextIteration":
                now = (*now[:-1], now[-1] - 1) if now else now
            inputs = definition.input if definition.op == "Merge" else definition.input[:1]
            for item in inputs:
                if not item.startswith("^"):
                    yield from self._made(item, now, seen)
