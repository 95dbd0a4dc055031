"""Which nodes of a session's graph can be stopped at while it runs, and on whose lines they stand."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from graphdebug.protocol.model import Source
from graphdebug.runtime.backends.tensorflow import boundary
from graphdebug.runtime.backends.tensorflow.assignments import variables
from graphdebug.runtime.backends.tensorflow.live import Spot, Spots
from graphdebug.runtime.backends.tensorflow.partitions import Executable
from graphdebug.runtime.backends.tensorflow.record import short_device
from graphdebug.runtime.backends.tensorflow.signatures import watchable
from graphdebug.runtime.backends.tensorflow.sources import GraphLines, Origin
from graphdebug.runtime.backends.tensorflow.watches import Slot

_MACHINERY = (
    "Enter",
    "RefEnter",
    "RefExit",
    "LoopCond",
    "NextIteration",
    "RefNextIteration",
    "Switch",
    "RefSwitch",
    "_SwitchN",
)
"""What loops and branches are made of, which nobody wrote. (An ``Exit`` is a loop's result.)"""


def spots(graph: Any, lines: GraphLines, executable: Executable) -> Spots:
    """Those of one executable graph."""
    outputs: dict[str, tuple[int, ...]] = {}
    for origin in executable.origins:
        for (node, slot), _ in watchable(graph, origin, executable):
            outputs[node] = (*outputs.get(node, ()), slot)
    found = {}
    for node, slots in outputs.items():
        source = lines.source(graph, executable.origin[node])
        if source is None or _is_machinery(executable, node):
            continue
        definition = executable.nodes[node]
        found[node] = Spot(
            node=node,
            name=executable.names.get(node, node),
            op_type=definition.op,
            source=source,
            slots=slots,
            inputs=tuple(
                item if _is_watchable(executable, *item) else None for item in _inputs(definition)
            ),
            repeats=node in executable.nests,
            device=short_device(definition.device),
        )
    holding: dict[Source, dict[Origin, dict[int, str]]] = {}

    def held(spot: Spot) -> dict[int, str]:
        if spot.source not in holding:
            place = spot.source.path, spot.source.line
            origins = [o for o in lines.built_at(graph, *place) if o in executable.origins]
            holding[spot.source] = variables(graph, *place, origins)
        return holding[spot.source].get(executable.origin[spot.node], {})

    return Spots(found, held, lambda source: boundary.globals_of(source.path, None))


def _is_watchable(executable: Executable, node: str, slot: int) -> bool:
    """Whether TensorFlow's debugger can hold an output: it has data, and is no old variable."""
    from tensorflow.python.framework import dtypes, op_def_registry

    definition = executable.nodes.get(node)
    known = None if definition is None else op_def_registry.get(definition.op)
    if definition is None or known is None or slot >= len(known.output_arg):
        return False
    output = known.output_arg[slot]
    if output.is_ref or output.number_attr or output.type_list_attr:
        return False
    dtype = output.type or definition.attr[output.type_attr].type
    return bool(dtype) and dtypes.as_dtype(dtype) not in (dtypes.resource, dtypes.variant)


def _is_machinery(executable: Executable, node: str) -> bool:
    definition = executable.nodes[node]
    if definition.op in _MACHINERY:
        return True
    made_by = [
        (producer, executable.nodes[producer].op)
        for producer, _ in _inputs(definition)
        if producer in executable.nodes
    ]
    if definition.op in ("Merge", "RefMerge"):
        return any(op in ("NextIteration", "RefNextIteration") for _, op in made_by)
    # The value of a loop's variable in its body; an Identity of the user's has a Switch of its own.
    return definition.op == "Identity" and any(
        op in ("Switch", "RefSwitch") and producer != f"{node}/Switch" for producer, op in made_by
    )


def _inputs(definition: Any) -> Iterator[Slot]:
    for text in definition.input:
        if not text.startswith("^"):
            name, _, slot = text.partition(":")
            yield name, int(slot or 0)
