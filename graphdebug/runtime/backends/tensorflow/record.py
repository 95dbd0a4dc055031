"""One run of a session, from TensorFlow's step statistics: which nodes ran, how often, what came out."""

from __future__ import annotations

import functools
import math
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from graphdebug.protocol.dap import Configuration
from graphdebug.protocol.model import VALUE_LIMIT, Node, Source, Tensor
from graphdebug.runtime.backends.tensorflow.loops import Iterations
from graphdebug.runtime.backends.tensorflow.partitions import Executable
from graphdebug.runtime.backends.tensorflow.sources import Origin
from graphdebug.runtime.backends.tensorflow.watches import First, Slot, Value

PASSED_ON = frozenset(
    {"Switch", "Merge", "Enter", "Exit", "NextIteration", "Identity", "StopGradient", "Snapshot"}
)
"""Operations that put out, first or at all, what was put into them."""

_LOCAL = "/job:localhost/replica:0/task:0"
_INTERNAL = ("__copy_", "__dbg_", "_SOURCE", "_SINK", "_retval_")

LINES_LIMIT = 64
"""Sets of nodes, of those that runs of one graph had, whose lines are remembered."""


@dataclass
class Execution:
    """One execution of one node."""

    node: str
    """TensorFlow's name for it when it ran."""
    name: str
    """What to call it, after what the user built."""
    op_type: str
    origin: Origin | None
    """What it was when the user built it; None inside of a function, where that can't be told."""
    source: Source | None
    iteration: int
    device: str
    duration_ns: int
    outputs: dict[int, Tensor]
    """By position; a ``Switch`` has but one of its two."""
    inputs: tuple[Tensor, ...] = ()
    iterations: tuple[int, ...] = ()
    """Of the loops around it, outermost first; empty where that can't be told."""
    fed: tuple[tuple[Execution, int], ...] = ()
    """The executions that made its inputs, and which of their outputs those are."""
    began: int = 0
    """When, on TensorFlow's clock."""
    values: dict[int, Value] = field(default_factory=dict)
    """By the position of the output."""


class Record:
    """What TensorFlow recorded of one run."""

    def __init__(
        self,
        statistics: Any,
        graph: Executable,
        source: Callable[[Origin], Source | None],
        values: Callable[[], Mapping[Slot, Sequence[Value]]],
        in_turn: bool = False,
    ) -> None:
        """``in_turn``: the iterations of loops ran one by one. ``values`` lists what was recorded."""
        self._in_turn = in_turn
        self._statistics = statistics
        self._graph = graph
        self._source = source
        self._values = values

    @functools.cached_property
    def order(self) -> list[tuple[Any, str, str]]:
        """The statistics of what ran, in order of its start, with names and devices."""
        timed = []
        for device in self._statistics.dev_stats:
            where = short_device(device.device)
            for stats in device.node_stats:
                name = stats.node_name
                if not name.startswith(_INTERNAL):
                    timed.append((stats, name, where))
        timed.sort(key=lambda item: item[0].all_start_nanos)
        return timed

    @property
    def devices(self) -> tuple[str, ...]:
        """Where it ran."""
        return tuple(sorted({device for _, _, device in self.order}))

    def nodes(self) -> frozenset[str]:
        """What ran, by name."""
        return frozenset([name for _, name, _ in self.order])

    def sources(self) -> tuple[Source, ...]:
        """The lines that made it; worked out once for all runs of the same nodes."""
        names = self.nodes()
        known = self._graph.lines.get(names)
        if known is None:
            fixed = [self._fixed(stats) for stats, _, _ in self.order]
            found = dict.fromkeys(item.source for item in fixed if item.source is not None)
            if len(self._graph.lines) >= LINES_LIMIT:
                self._graph.lines.clear()
            known = self._graph.lines[names] = tuple(found)
        return known

    @property
    def plain(self) -> bool:
        """Whether each of the statistics is of the node of its name, not of one inside of a function."""
        return not self._graph.opaque

    def places(self, keys: Collection[tuple[str, int]]) -> list[int]:
        """The positions of executions, by node and iteration, where it is ``plain``."""
        nodes = {node for node, _ in keys}
        turns: Counter[str] = Counter()
        found = []
        for place, (_, name, _) in enumerate(self.order):
            if name in nodes:
                if (name, turns[name]) in keys:
                    found.append(place)
                turns[name] += 1
        return found

    def kept(self) -> Record:
        """The same without values, and without the user's graph; once ``sources`` were asked for."""
        return Record(self._statistics, self._graph, _no_line, dict, self._in_turn)

    def executions(self, only: Collection[str] | None = None) -> list[Execution]:
        """What ran, in order of its start: all of it, or nodes of these names alone."""
        counts: dict[tuple[str, bool], int] = {}
        latest: dict[str, Execution] = {}
        loops = self._graph.nests if self._in_turn and only is None else {}
        iterations = Iterations(self._graph.nodes, loops)
        found = []
        for stats, name, device in self.order:
            if only is not None and name not in only:
                continue
            fixed = self._fixed(stats)
            turn = counts.get((name, fixed.inner), 0)
            counts[name, fixed.inner] = turn + 1
            execution = _execution(stats, device, fixed, turn, latest)
            found.append(execution)
            if not fixed.inner:
                if loops:
                    execution.iterations = iterations.of(name)
                latest[name] = execution
        return found

    def _fixed(self, stats: Any) -> _Fixed:
        graph, name = self._graph, stats.node_name
        definition = graph.nodes.get(name)
        if definition is None or (graph.opaque and not _is_node(stats, definition)):
            return _Fixed(name, _called(stats) or name, None, None, (), True)
        fixed: _Fixed | None = graph.known.get(name)
        if fixed is None:
            origin = graph.origin[name]
            fixed = graph.known[name] = _Fixed(
                graph.names.get(name, name),
                str(definition.op),
                origin,
                self._source(origin),
                tuple(map(_input, definition.input)),
                False,
            )
        return fixed

    @property
    def reshapes(self) -> Mapping[Slot, Slot]:
        """Outputs that have the numbers of another one, in another shape."""
        return self._graph.reshapes

    def constant(self, node: str) -> Any:
        """The value of a constant of the graph; None for any other node."""
        return self._graph.constant(node)

    def attach(self, found: Sequence[Execution]) -> None:
        """Give executions their values.

        The k-th value of a node is that of its k-th execution: TensorFlow runs watched loops one
        iteration at a time. A node with more or fewer values than executions gets none, unless it is
        known that they are the first.
        """
        values = self._values()
        own = [item for item in found if item.origin is not None] if values else []
        counts = Counter((item.node, slot) for item in own for slot in item.outputs)
        turns: Counter[Slot] = Counter()
        for item in own:
            for slot in item.outputs:
                output = item.node, slot
                files = values.get(output, ())
                turn = turns[output]
                if turn < len(files) and (len(files) == counts[output] or type(files) is First):
                    item.values[slot] = files[turn]
                turns[output] += 1


def _no_line(origin: Origin) -> None:
    """Of nodes whose lines are known there is nothing to ask."""


class _Fixed(NamedTuple):
    """What is the same for every execution of a node."""

    name: str
    op_type: str
    origin: Origin | None
    source: Source | None
    inputs: tuple[tuple[str, int], ...]
    """Nodes and their outputs."""
    inner: bool
    """Whether it runs inside of a function."""


def _execution(
    stats: Any, device: str, fixed: _Fixed, iteration: int, latest: Mapping[str, Execution]
) -> Execution:
    outputs = {}
    for item in stats.output:
        description = item.tensor_description
        shape = tuple([dimension.size for dimension in description.shape.dim])
        outputs[item.slot] = tensor(shape, description.dtype, device)
    fed = []
    for producer, slot in fixed.inputs:
        made = latest.get(producer)
        if made is not None and slot in made.outputs:
            fed.append((made, slot))
    return Execution(
        node=stats.node_name,
        name=fixed.name,
        op_type=fixed.op_type,
        origin=fixed.origin,
        source=fixed.source,
        iteration=iteration,
        device=device,
        duration_ns=max(0, stats.op_end_rel_nanos - stats.op_start_rel_nanos),
        outputs=outputs,
        inputs=tuple([made.outputs[slot] for made, slot in fed]),
        fed=tuple(fed),
        began=stats.all_start_nanos,
    )


def large(found: Sequence[Execution]) -> set[Slot]:
    """Outputs that are too large for their values to travel."""
    return {
        (item.node, slot)
        for item in found
        for slot, output in item.outputs.items()
        if math.prod(output.shape) > VALUE_LIMIT
    }


def travels(found: Sequence[Execution], values: bool | Collection[str]) -> bool:
    """Whether a description with such values, as ``nodes`` takes them, would have any."""
    return any(
        math.prod(output.shape) <= VALUE_LIMIT
        for item in found
        if (values if isinstance(values, bool) else item.node in values)
        for output in item.outputs.values()
    )


def hold(found: Sequence[Execution]) -> None:
    """Keep the values that may travel, whose files are going to be removed."""
    for item in found:
        for slot, value in item.values.items():
            if math.prod(item.outputs[slot].shape) <= VALUE_LIMIT:
                value.hold()


def let_go(found: Sequence[Execution]) -> None:
    """The files are removed: of the values those stay that are held."""
    for item in found:
        item.values = {slot: value for slot, value in item.values.items() if value.held}


def nodes(
    found: Sequence[Execution],
    wanted: Collection[int] = (),
    *,
    limit: int = Configuration.record_limit,
    values: bool | Collection[str] = False,
) -> list[Node]:
    """As the protocol says it, up to ``limit``; with values or without, or with those of some nodes.

    ``wanted`` are positions that are described beyond the limit too.
    """
    places = {id(item): index for index, item in enumerate(found)}
    return [
        Node(
            index=index,
            step=0,
            name=item.name,
            op_type=item.op_type,
            phase="graph",
            iteration=item.iteration,
            device=item.device,
            inputs=item.inputs,
            outputs=_outputs(item, values if isinstance(values, bool) else item.node in values),
            source=item.source,
            duration_ns=item.duration_ns,
            iterations=item.iterations,
            input_nodes=_ordered(places.get(id(made)) for made, _ in item.fed),
        )
        for index, item in enumerate(found)
        if index < limit or index in wanted
    ]


def _ordered(places: Iterable[int | None]) -> tuple[int, ...]:
    return tuple(sorted({place for place in places if place is not None}))


def _outputs(execution: Execution, values: bool) -> tuple[Tensor, ...]:
    return tuple(
        _valued(output, execution.values.get(slot)) if values else output
        for slot, output in sorted(execution.outputs.items())
    )


def _valued(tensor: Tensor, value: Value | None) -> Tensor:
    if value is None or math.prod(tensor.shape) > VALUE_LIMIT:
        return tensor
    array = value.read()
    if array is None or tuple(array.shape) != tensor.shape:
        return tensor
    return Tensor(
        tensor.shape, tensor.dtype, tensor.device, tensor.bytes, value=_plain(array.tolist())
    )


def _plain(value: Any) -> Any:
    """As JSON can say it."""
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    return value if isinstance(value, (bool, int, float)) else str(value)


def short_device(device: str) -> str:
    """``/device:CPU:0`` for a device of this process, the whole name for another's."""
    return device.removeprefix(_LOCAL)


@functools.lru_cache(maxsize=4096)
def tensor(shape: tuple[int, ...], dtype: Any, device: str) -> Tensor:
    """A description, shared by all like it; ``dtype`` as TensorFlow or its protos have it."""
    name, size = _kind(dtype)
    return Tensor(shape, name, device, size * (0 if -1 in shape else math.prod(shape)))


@functools.cache
def _kind(dtype: Any) -> tuple[str, int]:
    from tensorflow.python.framework import dtypes

    kind = dtypes.as_dtype(dtype).base_dtype
    return kind.name, getattr(kind, "size", 0) or 0


def _input(text: str) -> tuple[str, int]:
    """A node and one of its outputs, from how a definition names them; a control input has none."""
    producer, _, number = text.partition(":")
    return producer, int(number or 0)


def _called(stats: Any) -> str:
    """The type of operation that statistics are of; empty where they don't say."""
    _, _, call = stats.timeline_label.partition(" = ")
    return str(call.partition("(")[0])


def _is_node(stats: Any, definition: Any) -> bool:
    """Whether statistics are of this node, not of one with its name inside of a function."""
    _, _, call = stats.timeline_label.partition(" = ")
    op_type, _, inputs = call.partition("(")
    given = sorted(filter(None, inputs.rstrip(")").split(", ")))
    return bool(op_type == definition.op and given == sorted(definition.input))
