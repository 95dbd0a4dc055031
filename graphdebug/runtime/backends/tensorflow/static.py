"""Nodes of a graph that TensorFlow doesn't record: what it was built of, each once, without times."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from graphdebug.protocol.model import Node, Tensor
from graphdebug.runtime.backends.tensorflow.record import short_device, tensor
from graphdebug.runtime.backends.tensorflow.sources import GraphLines, body_of, function_attributes

OPEN = -1
"""A dimension that the graph leaves open. A shape of unknown rank is ``(OPEN,)``."""


def nodes(graph: Any, lines: GraphLines, operations: Iterable[Any], device: str) -> list[Node]:
    """Operations of a graph, with those of the functions that they call.

    ``device`` is where they run if they don't say so themselves.
    """
    walked = list(_walk(graph, operations, "", "", ()))
    # Operations are other objects each time that they are asked for.
    places = {(function, operation.name): at for at, (function, _, operation) in enumerate(walked)}
    return [
        Node(
            index=index,
            step=0,
            name=name,
            op_type=operation.type,
            phase="graph",
            iteration=0,
            device=where,
            inputs=tuple(_described(item, where) for item in operation.inputs),
            outputs=tuple(_described(item, where) for item in operation.outputs),
            source=lines.source(graph, (function, operation.name)),
            input_nodes=_makers(function, operation, places),
        )
        for index, (function, name, operation) in enumerate(walked)
        for where in [short_device(operation.device) or device]
    ]


def _makers(
    function: str, operation: Any, places: Mapping[tuple[str, str], int]
) -> tuple[int, ...]:
    made = {places.get((function, item.op.name)) for item in operation.inputs}
    return tuple(sorted(place for place in made if place is not None))


def devices(built: Sequence[Node]) -> tuple[str, ...]:
    """Where they run, as far as the graph says."""
    return tuple(sorted({node.device for node in built if node.device}))


def only(devices: Sequence[Any]) -> str:
    """The name of the device, where there is but one; empty where TensorFlow chooses."""
    return short_device(devices[0].name) if len(devices) == 1 else ""


def _walk(
    top: Any, operations: Iterable[Any], function: str, prefix: str, inside: tuple[str, ...]
) -> Iterator[tuple[str, str, Any]]:
    for operation in operations:
        if operation.type == "Placeholder" and (function or top.building_function):
            continue  # how a function's arguments are spelled
        name = prefix + operation.name
        yield function, name, operation
        for attribute in function_attributes(operation):
            value = operation.get_attr(attribute)
            for called in value if isinstance(value, list) else (value,):
                body = body_of(top, called.name)
                if body is not None and called.name not in inside:
                    yield from _walk(
                        top,
                        body.get_operations(),
                        called.name,
                        f"{name}/{attribute}/",
                        (*inside, called.name),
                    )


def _described(output: Any, device: str) -> Tensor:
    shape = output.shape
    sizes = (OPEN,) if shape.rank is None else tuple(OPEN if d is None else d for d in shape)
    return tensor(sizes, output.dtype, device)
