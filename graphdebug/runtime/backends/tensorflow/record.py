"""One run of a session, from TensorFlow's step statistics: which nodes ran, how often, what came out."""

from __future__ import annotations

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


def executions(
    statistics: Any, graph: Executable, source: Callable[[Origin], Source | None]
) -> list[Execution]:
    """What ran, in order of its start."""
    timed = [
        (stats.all_start_nanos, short_device(device.device), stats)
        for device in statistics.dev_stats
        for stats in device.node_stats
        if not stats.node_name.startswith(_INTERNAL)
    ]
    timed.sort(key=lambda item: item[0])
    counts: dict[tuple[str, bool], int] = {}
    latest: dict[str, dict[int, Tensor]] = {}
    found = []
    for _, device, stats in timed:
        name = stats.node_name
        definition = graph.nodes.get(name)
        if definition is not None and graph.opaque and not _is_node(stats, definition):
            definition = None
        origin = None if definition is None else graph.origin[name]
        outputs = {item.slot: _output(item, device) for item in stats.output}
        key = name, definition is None
        iteration = counts[key] = counts.get(key, -1) + 1
        found.append(
            Execution(
                node=name,
                name=name if origin is None else graph.names.get(name, name),
                op_type=_op_type(stats, definition),
                origin=origin,
                source=None if origin is None else source(origin),
                iteration=iteration,
                device=device,
                duration_ns=max(0, stats.op_end_rel_nanos - stats.op_start_rel_nanos),
                outputs=outputs,
                inputs=() if definition is None else tuple(_inputs(definition, latest)),
            )
        )
        if definition is not None:
            latest[name] = outputs
    return found


def attach(found: Sequence[Execution], dumps: Mapping[Slot, list[str]]) -> None:
    """Give executions their values.

    The k-th value of a node is that of its k-th execution: TensorFlow runs watched loops one
    iteration at a time. A node with more or fewer values than executions gets none.
    """
    own = [execution for execution in found if execution.origin is not None]
    counts = Counter((execution.node, slot) for execution in own for slot in execution.outputs)
    turns: Counter[Slot] = Counter()
    for execution in own:
        for slot in execution.outputs:
            output = execution.node, slot
            files = dumps.get(output, ())
            if len(files) == counts[output]:
                execution.values[slot] = Value(files[turns[output]])
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
    from tensorflow.python.framework import dtypes

    kind = dtypes.as_dtype(dtype).base_dtype
    size = getattr(kind, "size", 0) or 0
    return Tensor(shape, kind.name, device, size * (0 if -1 in shape else math.prod(shape)))


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
