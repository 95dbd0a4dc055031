"""One run of a session, from TensorFlow's step statistics: which nodes ran, how often, what came out."""

from __future__ import annotations

import functools
import math
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from graphdebug.protocol.model import VALUE_LIMIT, Node, Source, Tensor
from graphdebug.runtime.backends.tensorflow.partitions import Executable
from graphdebug.runtime.backends.tensorflow.sources import Origin
from graphdebug.runtime.backends.tensorflow.watches import Slot, Value

NODES_LIMIT = 50_000
"""Executions described for one run; those of lines with breakpoints come on top."""

_LOCAL = "/job:localhost/replica:0/task:0"
_INTERNAL = ("__copy_", "__dbg_", "_SOURCE", "_SINK", "_retval_")


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
    values: dict[int, Value] = field(default_factory=dict)
    """By the position of the output."""


class Record:
    """What TensorFlow recorded of one run."""

    def __init__(
        self,
        statistics: Any,
        graph: Executable,
        source: Callable[[Origin], Source | None],
        values: Mapping[Slot, Sequence[Value]],
    ) -> None:
        self._statistics = statistics
        self._graph = graph
        self._source = source
        self._values = values

    def executions(self, only: Collection[str] | None = None) -> list[Execution]:
        """What ran, in order of its start: all of it, or nodes of these names alone."""
        counts: Counter[tuple[str, bool]] = Counter()
        latest: dict[str, dict[int, Tensor]] = {}
        found = []
        for stats, device in self._timed(only):
            name = stats.node_name
            definition = self._definition(stats)
            outputs = {item.slot: _output(item, device) for item in stats.output}
            found.append(self._execution(stats, device, definition, outputs, latest, counts))
            if definition is not None:
                latest[name] = outputs
        self._attach(found)
        return found

    def _timed(self, only: Collection[str] | None) -> list[tuple[Any, str]]:
        timed = []
        for device in self._statistics.dev_stats:
            where = short_device(device.device)
            for stats in device.node_stats:
                name = stats.node_name
                if not name.startswith(_INTERNAL) if only is None else name in only:
                    timed.append((stats, where))
        timed.sort(key=lambda item: item[0].all_start_nanos)
        return timed

    def _definition(self, stats: Any) -> Any | None:
        definition = self._graph.nodes.get(stats.node_name)
        if definition is not None and self._graph.opaque and not _is_node(stats, definition):
            return None
        return definition

    def _execution(
        self,
        stats: Any,
        device: str,
        definition: Any,
        outputs: dict[int, Tensor],
        latest: Mapping[str, Mapping[int, Tensor]],
        counts: Counter[tuple[str, bool]],
    ) -> Execution:
        name = stats.node_name
        origin = None if definition is None else self._graph.origin[name]
        key = name, definition is None
        counts[key] += 1
        return Execution(
            node=name,
            name=name if origin is None else self._graph.names.get(name, name),
            op_type=_op_type(stats, definition),
            origin=origin,
            source=None if origin is None else self._source(origin),
            iteration=counts[key] - 1,
            device=device,
            duration_ns=max(0, stats.op_end_rel_nanos - stats.op_start_rel_nanos),
            outputs=outputs,
            inputs=() if definition is None else tuple(_inputs(definition, latest)),
        )

    def _attach(self, found: Sequence[Execution]) -> None:
        """Give executions their values.

        The k-th value of a node is that of its k-th execution: TensorFlow runs watched loops one
        iteration at a time. A node with more or fewer values than executions gets none.
        """
        own = [item for item in found if item.origin is not None] if self._values else []
        counts = Counter((item.node, slot) for item in own for slot in item.outputs)
        turns: Counter[Slot] = Counter()
        for item in own:
            for slot in item.outputs:
                output = item.node, slot
                values = self._values.get(output, ())
                if len(values) == counts[output]:
                    item.values[slot] = values[turns[output]]
                turns[output] += 1


def large(found: Sequence[Execution]) -> set[Slot]:
    """Recorded outputs whose values are too large to travel."""
    return {
        (item.node, slot)
        for item in found
        for slot in item.values
        if math.prod(item.outputs[slot].shape) > VALUE_LIMIT
    }


def nodes(
    found: Sequence[Execution], wanted: Collection[int] = (), *, values: bool = False
) -> list[Node]:
    """As the protocol says it, with ``values`` or without.

    ``wanted`` are positions that are described beyond the limit too.
    """
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
            outputs=_outputs(item, values),
            source=item.source,
            duration_ns=item.duration_ns,
        )
        for index, item in enumerate(found)
        if index < NODES_LIMIT or index in wanted
    ]


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


def tensor(shape: tuple[int, ...], dtype: Any, device: str) -> Tensor:
    """A description; ``dtype`` as TensorFlow or its protos have it."""
    name, size = _kind(dtype)
    return Tensor(shape, name, device, size * (0 if -1 in shape else math.prod(shape)))


@functools.cache
def _kind(dtype: Any) -> tuple[str, int]:
    from tensorflow.python.framework import dtypes

    kind = dtypes.as_dtype(dtype).base_dtype
    return kind.name, getattr(kind, "size", 0) or 0


def _output(output: Any, device: str) -> Tensor:
    description = output.tensor_description
    shape = tuple(dimension.size for dimension in description.shape.dim)
    return tensor(shape, description.dtype, device)


def _inputs(definition: Any, latest: Mapping[str, Mapping[int, Tensor]]) -> Iterator[Tensor]:
    for text in definition.input:
        producer, _, slot = text.partition(":")
        output = latest.get(producer, {}).get(int(slot or 0))
        if output is not None:
            yield output


def _op_type(stats: Any, definition: Any) -> str:
    if definition is not None:
        return str(definition.op)
    _, _, call = stats.timeline_label.partition(" = ")
    return str(call.partition("(")[0]) or stats.node_name


def _is_node(stats: Any, definition: Any) -> bool:
    """Whether statistics are of this node, not of one with its name inside of a function."""
    _, _, call = stats.timeline_label.partition(" = ")
    op_type, _, inputs = call.partition("(")
    given = sorted(filter(None, inputs.rstrip(")").split(", ")))
    return bool(op_type == definition.op and given == sorted(definition.input))
