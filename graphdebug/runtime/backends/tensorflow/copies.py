"""Which copies of compiled functions run in their place, so that the values of nodes are seen.

A function runs as itself until a breakpoint, or the capture of values, asks about its nodes. Used by
``functions`` and what stops inside; ``taps`` makes the copies.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from graphdebug.protocol.model import VALUE_LIMIT
from graphdebug.runtime.backends.tensorflow import budget, contexts, named, partitions, taps
from graphdebug.runtime.backends.tensorflow.named import Matches
from graphdebug.runtime.backends.tensorflow.partitions import Executable
from graphdebug.runtime.backends.tensorflow.record import Execution
from graphdebug.runtime.backends.tensorflow.recordings import InlinedCall, executions, heads
from graphdebug.runtime.backends.tensorflow.signatures import Line, candidates, watchable
from graphdebug.runtime.backends.tensorflow.sources import (
    GraphLines,
    Origin,
    body_of,
    called,
    find,
    renamed_in,
)
from graphdebug.runtime.backends.tensorflow.watches import Dumps, Slot, Watch

if TYPE_CHECKING:
    from graphdebug.runtime.backends.tensorflow import TensorFlow
    from graphdebug.runtime.runtime import Runtime

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
    stops: bool = False
    """Whether a call is going to stop in any case, so that all of it is recorded."""
    calls: list[InlinedCall] = field(default_factory=list)
    """Calls of functions on those lines, of which only the called function's nodes are left."""
    by_name: Matches = field(default_factory=Matches)
    """What breakpoints on nodes by name are on."""
    told: bool = False
    """Whether that was told."""


@dataclass
class Copy:
    """A function that does what one of the user's does, and tells values; for one call at a time."""

    name: str
    watch: Watch
    counts: bool = False
    """Whether it tells counts of NaN and Inf instead of values."""


@dataclass
class Recording:
    """One call that a copy makes in the place of the user's function."""

    plan: Plan
    asked: Asked
    copy: Copy

    def executions(self, lines: GraphLines, graph: Any) -> list[Execution]:
        """What ran of the nodes that were asked about, in order of time, with values."""
        values = self.copy.watch.values()
        found = executions(self.plan.executable, self.asked.calls, values, lines, graph)
        self.plan.ran = budget.ran(found)
        return found

    @property
    def reshapes(self) -> Mapping[Slot, Slot]:
        """None: what isn't told isn't known to have run."""
        return {}

    def attach(self, found: Sequence[Execution]) -> None:
        """They have their values."""

    def constant(self, node: str) -> Any:
        """The value of a constant of the graph; None for any other node."""
        return self.plan.executable.constant(node)

    def release(self) -> None:
        """The call is over, and what was recorded read."""
        self.plan.release(self.asked.slots, self.copy)


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
        self.ran: budget.Ran = {}
        """What the last recorded call tells about the next one."""
        self._free: dict[frozenset[Slot], list[Copy]] = {}
        self._counting: list[Copy] = []
        self._asked: tuple[tuple[int, int, bool], Asked] | None = None
        names = renamed_in(definition, concrete.graph)
        if "_XlaMustCompile" in definition.attr and definition.attr["_XlaMustCompile"].b:
            self.why = "XLA compiles it as a whole; jit_compile=False keeps its nodes"
            return
        try:
            self.graph = contexts.optimised(context, definition, inputs)
            self.executable = partitions.executable([self.graph], concrete.graph, names)
            self.why = partitions.why_uncopyable(self.executable, concrete.graph)
        except taps.Untapped as error:
            self.why = str(error)

    def asked(self, lines: GraphLines, graph: Any, backend: TensorFlow) -> Asked:
        """What the breakpoints ask; worked out once for each change of them."""
        breakpoints, named = backend.runtime.breakpoints, backend.runtime.node_breakpoints
        key = breakpoints.version, named.version, backend.records_values
        with self.lock:
            if self._asked is None or self._asked[0] != key:
                self._asked = key, self._ask(lines, graph, breakpoints.files, backend)
            return self._asked[1]

    def _ask(
        self,
        lines: GraphLines,
        graph: Any,
        files: Mapping[str, Mapping[int, Any]],
        backend: TensorFlow,
    ) -> Asked:
        lines.update(graph)
        asked, slots, walks = Asked(), set[Slot](), False
        values, limit = backend.records_values, backend.runtime.configuration.record_limit
        for path, file in files.items():
            for line, breakpoint in file.items():
                origins = lines.built_at(graph, path, line)
                if not origins:
                    continue
                asked.lines[path, line] = origins
                calls = list(self.inlined(graph, origins))
                asked.calls += calls
                slots.update(slot for call in calls for slot in call.outputs.values())
                left = bool(calls) or any(map(self._remains, origins))
                if self.graph is not None and not self.executable.opaque and not left:
                    asked.removed[path, line] = origins
                slots.update(self._slots(graph, origins, None))
                unsure = breakpoint.condition or breakpoint.hit_condition or breakpoint.log_message
                walks |= left and not unsure
        if backend.runtime.node_breakpoints:
            asked.by_name = self.by_name(lines, graph, backend.runtime)
            walks |= asked.by_name.stops
            for node in asked.by_name.nodes:
                found = self._slots(graph, [self.executable.origin[node]], None)
                slots.update(slot for slot in found if slot[0] == node)
        asked.stops = walks
        if walks:
            others = candidates(graph, self.executable)
            lined = (c for c in others if lines.source(graph, self._origin(c)) is not None)
            slots.update(budget.chosen(lined, self.ran, limit))
        if values:
            slots.update(self._slots(graph, list(self.executable.origins), VALUE_LIMIT))
        if slots:
            slots.update(heads(self.executable))
        asked.slots = frozenset(slots)
        return asked

    def by_name(self, lines: GraphLines, graph: Any, runtime: Runtime) -> Matches:
        """What breakpoints on nodes by name are on."""
        return named.matches(graph, self.executable, runtime.node_breakpoints, lines.origins)

    def _origin(self, candidate: budget.Candidate) -> Origin:
        return self.executable.origin[candidate.slot[0]]

    def inlined(self, graph: Any, origins: Iterable[Origin]) -> Iterator[InlinedCall]:
        """Those of the operations that call functions whose nodes stand in the call's place."""
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

    def borrow(
        self, context: Any, slots: frozenset[Slot], dumps: Dumps, *, counts: bool = False
    ) -> Copy:
        """A copy that tells these outputs; give it back with ``release``. Raises Untapped.

        ``counts``: it tells of each how many NaN and Inf it holds, and of others nothing.
        """
        with self.lock:
            free = self._counting if counts else self._free.setdefault(slots, [])
            if free:
                return free.pop()
        directory = dumps.directory()
        url = f"file://{directory}"
        if counts:
            made = taps.numbered(self.definition, self.graph, slots, self.executable.nests, url)
        else:
            made = taps.tapped(self.definition, self.graph, slots, url)
        name = contexts.register(context, made)
        self.made.append(name)
        return Copy(name, Watch(slots, directory), counts)

    def release(self, slots: frozenset[Slot], copy: Copy) -> None:
        """Its call is over."""
        copy.watch.clear()
        with self.lock:
            free = self._counting if copy.counts else self._free.setdefault(slots, [])
            free.append(copy)


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

    def plan(
        self, context: Any, concrete: Any, name: bytes, inputs: Sequence[Any]
    ) -> tuple[Plan, Asked] | None:
        """What is known of a function that is called, and asked about; None where nobody asks."""
        if not (self._backend.asked or self._backend.records_values):
            return None
        graph = concrete.graph
        lines = self._backend.graphs.lines(graph)
        if not (self._backend.records_values or self._asks(graph, lines)):
            return None
        plan = self.plan_of(context, concrete, name, inputs)
        return plan, plan.asked(lines, graph, self._backend)

    def _asks(self, graph: Any, lines: GraphLines) -> bool:
        """Whether a breakpoint may be on a node of this function."""
        runtime = self._backend.runtime
        lines.update(graph)
        files = runtime.breakpoints.files
        return bool(runtime.node_breakpoints) or any(
            lines.built_at(graph, path, line) for path, file in files.items() for line in file
        )

    def record(self, context: Any, plan: Plan, asked: Asked) -> Recording | Unrecorded:
        """The recording of a call that begins, or why there is none."""
        if plan.why or not asked.slots:
            return Unrecorded(plan.why, asked.removed)
        try:
            copy = plan.borrow(context, asked.slots, self._backend.sessions.dumps)
        except taps.Untapped as error:
            plan.why = str(error)
            return Unrecorded(plan.why, asked.removed)
        return Recording(plan, asked, copy)

    def plan_of(self, context: Any, concrete: Any, name: bytes, inputs: Sequence[Any]) -> Plan:
        """What is known of a function that is called."""
        with self._lock:
            plans = self._plans.get(concrete)
            if plans is None:
                plans = self._plans[concrete] = {}
            plan = plans.get(name)
            if plan is None:
                definition = context.get_function_def(name)
                plan = plans[name] = Plan(context, concrete, definition, inputs)
                weakref.finalize(concrete, contexts.unregister, context, plan.made).atexit = False
            return plan
