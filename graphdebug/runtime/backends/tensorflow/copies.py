"""Which copies of compiled functions run in their place, so that the values of nodes are seen.

A function runs as itself until a breakpoint, or the capture of values, asks about its nodes. Used by
``functions`` alone; ``taps`` makes the copies.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from graphdebug.protocol.model import VALUE_LIMIT, Tensor
from graphdebug.runtime.backends.tensorflow import partitions, taps
from graphdebug.runtime.backends.tensorflow.partitions import Executable
from graphdebug.runtime.backends.tensorflow.record import Execution, short_device, tensor
from graphdebug.runtime.backends.tensorflow.signatures import Line, watchable
from graphdebug.runtime.backends.tensorflow.sources import (
    GraphLines,
    Origin,
    body_of,
    called,
    find,
    renamed_in,
)
from graphdebug.runtime.backends.tensorflow.watches import Dumps, Slot, Value, Watch

if TYPE_CHECKING:
    from graphdebug.runtime.backends.tensorflow import TensorFlow

WALK_LIMIT = 1 << 16
"""Elements of an output, beyond which it is recorded only for a breakpoint on its own line."""

_INLINED = ("PartitionedCall", "StatefulPartitionedCall")


@dataclass
class Asked:
    """What breakpoints ask about one function."""

    lines: dict[Line, list[Origin]] = field(default_factory=dict)
    """Lines with breakpoints, and what they built."""
    removed: dict[Line, list[Origin]] = field(default_factory=dict)
    """Those of them that TensorFlow's optimizer left nothing of."""
    slots: frozenset[Slot] = frozenset()
    """Outputs to record."""
    calls: list[InlinedCall] = field(default_factory=list)
    """Calls of functions on those lines, of which only the called function's nodes are left."""


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


@dataclass
class Copy:
    """A function that does what one of the user's does, and tells values; for one call at a time."""

    name: str
    watch: Watch


@dataclass
class Recording:
    """One call that a copy makes in the place of the user's function."""

    plan: Plan
    asked: Asked
    copy: Copy

    def executions(self, lines: GraphLines, graph: Any) -> list[Execution]:
        """What ran of the nodes that were asked about, in order of time, with values."""
        executable = self.plan.executable
        values = self.copy.watch.values()
        told: dict[str, dict[int, list[Value]]] = {}
        for (node, slot), found in values.items():
            told.setdefault(node, {})[slot] = found
        turns = [
            _Turn(
                node, node, executable.origin[node], executable.nodes[node].op, iteration, outputs
            )
            for node, slots in told.items()
            for iteration, outputs in enumerate(_turns(slots))
        ]
        for call in self.asked.calls:
            slots = {slot: values[of] for slot, of in call.outputs.items() if of in values}
            turns += [
                _Turn(call.node, call.made_by, call.origin, call.op_type, iteration, outputs)
                for iteration, outputs in enumerate(_turns(slots))
            ]
        rank = {name: position for position, name in enumerate(executable.nodes)}
        turns.sort(key=lambda turn: (turn.time, rank.get(turn.node, len(rank)), turn.iteration))
        return list(self._described(turns, lines, graph))

    def _described(
        self, turns: Iterable[_Turn], lines: GraphLines, graph: Any
    ) -> Iterator[Execution]:
        executable = self.plan.executable
        latest: dict[str, dict[int, Tensor]] = {}
        for turn in turns:
            definition = executable.nodes.get(turn.node)
            static = getattr(find(graph, turn.origin), "outputs", ())
            device = short_device(executable.nodes[turn.made_by].device)
            puts_out = bool(taps.outputs(executable.nodes[turn.made_by]))
            latest[turn.node] = {
                slot: _tensor(value, static[slot] if slot < len(static) else None, device)
                for slot, value in (turn.values if puts_out else {}).items()
            }
            yield Execution(
                node=turn.node,
                name=executable.names.get(turn.node, turn.node),
                op_type=turn.op_type,
                origin=turn.origin,
                source=lines.source(graph, turn.origin),
                iteration=turn.iteration,
                device=device,
                duration_ns=0,
                outputs=latest[turn.node],
                inputs=tuple(_inputs(definition, latest)) if definition is not None else (),
                values=turn.values if puts_out else {},
            )

    def release(self) -> None:
        """The call is over, and what was recorded read."""
        self.plan.release(self.asked.slots, self.copy)


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


def _turns(outputs: Mapping[int, list[Value]]) -> Iterator[dict[int, Value]]:
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


def _tensor(value: Value, static: Any, device: str) -> Tensor:
    if static is not None and static.shape.is_fully_defined():
        return tensor(tuple(static.shape), static.dtype, device)
    array = value.read()
    if array is None:
        return tensor((), static.dtype if static is not None else "variant", device)
    return tensor(tuple(array.shape), array.dtype if array.dtype != object else "string", device)


def _inputs(definition: Any, latest: Mapping[str, Mapping[int, Tensor]]) -> Iterator[Tensor]:
    for text in definition.input:
        producer, _, slot = text.partition(":")
        output = latest.get(producer, {}).get(int(slot or 0))
        if output is not None:
            yield output


class Unrecorded(NamedTuple):
    """A call that runs as the user's function, though breakpoints are on its lines."""

    why: str
    """Why nothing of it is recorded; empty where nothing could be."""
    removed: Mapping[Line, list[Origin]]
    """Lines that TensorFlow's optimizer left nothing of."""


class Plan:
    """What is known of one function that TensorFlow executes."""

    def __init__(self, context: Any, concrete: Any, definition: Any, inputs: Sequence[Any]) -> None:
        """``concrete`` is the ConcreteFunction whose graph it was made of."""
        self.lock = threading.Lock()
        self.definition = definition
        self.graph: Any = None
        self.executable = Executable()
        self.why = ""
        """Why no copy takes its place; empty where one can."""
        self.made: list[str] = []
        self._free: dict[frozenset[Slot], list[Copy]] = {}
        self._asked: tuple[tuple[int, bool], Asked] | None = None
        names = renamed_in(definition, concrete.graph)
        if definition.attr["_XlaMustCompile"].b:
            self.why = "XLA compiles it as a whole; jit_compile=False keeps its nodes"
            return
        try:
            self.graph = taps.optimised(context, definition, inputs)
            self.executable = partitions.executable([self.graph], concrete.graph, names)
            self.why = partitions.why_uncopyable(self.executable, concrete.graph)
        except taps.Untapped as error:
            self.why = str(error)

    def asked(self, lines: GraphLines, graph: Any, backend: TensorFlow) -> Asked:
        """What the breakpoints ask; worked out once for each change of them."""
        breakpoints = backend.runtime.breakpoints
        key = breakpoints.version, backend.records_values
        with self.lock:
            if self._asked is None or self._asked[0] != key:
                self._asked = key, self._ask(lines, graph, breakpoints.files, key[1])
            return self._asked[1]

    def _ask(
        self, lines: GraphLines, graph: Any, files: Mapping[str, Mapping[int, Any]], values: bool
    ) -> Asked:
        lines.update(graph)
        asked, slots, walks = Asked(), set[Slot](), False
        for path, file in files.items():
            for line, breakpoint in file.items():
                origins = lines.built_at(graph, path, line)
                if not origins:
                    continue
                asked.lines[path, line] = origins
                calls = list(self._inlined(graph, origins))
                asked.calls += calls
                slots.update(slot for call in calls for slot in call.outputs.values())
                left = bool(calls) or any(map(self._remains, origins))
                if self.graph is not None and not self.executable.opaque and not left:
                    asked.removed[path, line] = origins
                slots.update(self._slots(graph, origins, None))
                walks |= left and not (breakpoint.condition or breakpoint.hit_condition)
        if walks or values:
            of_lines = [
                origin
                for origin in self.executable.origins
                if values or lines.source(graph, origin) is not None
            ]
            slots.update(self._slots(graph, of_lines, WALK_LIMIT if walks else VALUE_LIMIT))
        asked.slots = frozenset(slots)
        return asked

    def _inlined(self, graph: Any, origins: Sequence[Origin]) -> Iterator[InlinedCall]:
        for origin in origins:
            operation = find(graph, origin)
            if operation is None or operation.type not in _INLINED or self._remains(origin):
                continue
            for function in called(operation):
                body = body_of(graph, function)
                places: dict[str, dict[int, Slot]] = {}
                for position, output in enumerate(body.outputs if body is not None else ()):
                    made = _maker(output)
                    suffix = f"/{made.op.name}"
                    for node in self.executable.origins.get((function, made.op.name), ()):
                        place = node.removesuffix(suffix)
                        if f"/{place}".endswith(f"/{origin[1]}") and place != node:
                            places.setdefault(place, {})[position] = node, made.value_index
                for place, outputs in places.items():
                    yield InlinedCall(place, origin, operation.type, outputs)

    def _remains(self, origin: Origin) -> bool:
        """Whether an operation is executed; where a function was inlined a ``NoOp`` may stand."""
        nodes = self.executable.origins.get(origin, ())
        return any(self.executable.nodes[node].op != "NoOp" for node in nodes)

    def _slots(self, graph: Any, origins: Sequence[Origin], limit: int | None) -> Iterator[Slot]:
        for origin in origins:
            for node in self.executable.origins.get(origin, ()):
                definition = self.executable.nodes[node]
                if definition.op not in ("NoOp", "_Retval") and not taps.outputs(definition):
                    yield node, 0
            for slot, size in watchable(graph, origin, self.executable):
                there = slot[1] < len(taps.outputs(self.executable.nodes[slot[0]]))
                if there and (limit is None or size is None or size <= limit):
                    yield slot

    def borrow(self, context: Any, slots: frozenset[Slot], dumps: Dumps) -> Copy:
        """A copy that tells these outputs; give it back with ``release``. Raises Untapped."""
        with self.lock:
            free = self._free.setdefault(slots, [])
            if free:
                return free.pop()
        directory = dumps.directory()
        made = taps.tapped(self.definition, self.graph, slots, f"file://{directory}", False)
        name = taps.register(context, made)
        self.made.append(name)
        return Copy(name, Watch(slots, directory))

    def release(self, slots: frozenset[Slot], copy: Copy) -> None:
        """Its call is over."""
        copy.watch.clear()
        with self.lock:
            self._free.setdefault(slots, []).append(copy)


def _maker(output: Any) -> Any:
    """What an output passes on."""
    while output.op.type == "Identity":
        output = output.op.inputs[0]
    return output


class Copies:
    """The plans of all functions that are alive."""

    def __init__(self, backend: TensorFlow) -> None:
        self._backend = backend
        self._lock = threading.Lock()
        self._plans: weakref.WeakKeyDictionary[Any, dict[bytes, Plan]] = weakref.WeakKeyDictionary()

    def prepare(
        self, context: Any, concrete: Any, name: bytes, inputs: Sequence[Any]
    ) -> Recording | Unrecorded | None:
        """The recording of a call that begins, or why there is none; None where nobody asks."""
        breakpoints = self._backend.runtime.breakpoints
        if not (breakpoints.files or self._backend.records_values):
            return None
        graph = concrete.graph
        lines = self._backend.graphs.lines(graph)
        if not self._backend.records_values:
            lines.update(graph)
            if not any(
                lines.built_at(graph, path, line)
                for path, file in breakpoints.files.items()
                for line in file
            ):
                return None
        plan = self._plan(context, concrete, name, inputs)
        asked = plan.asked(lines, graph, self._backend)
        if plan.why or not asked.slots:
            return Unrecorded(plan.why, asked.removed)
        try:
            copy = plan.borrow(context, asked.slots, self._backend.sessions.dumps)
        except taps.Untapped as error:
            plan.why = str(error)
            return Unrecorded(plan.why, asked.removed)
        return Recording(plan, asked, copy)

    def _plan(self, context: Any, concrete: Any, name: bytes, inputs: Sequence[Any]) -> Plan:
        with self._lock:
            plans = self._plans.get(concrete)
            if plans is None:
                plans = self._plans[concrete] = {}
            plan = plans.get(name)
            if plan is None:
                definition = context.get_function_def(name)
                plan = plans[name] = Plan(context, concrete, definition, inputs)
                weakref.finalize(concrete, taps.unregister, context, plan.made).atexit = False
            return plan
