"""Which nodes of a session's graph can be stopped at while it runs, and on whose lines they stand."""

from __future__ import annotations

from typing import Any

from graphdebug.protocol.model import Source
from graphdebug.runtime.backends.tensorflow import boundary
from graphdebug.runtime.backends.tensorflow.assignments import variables
from graphdebug.runtime.backends.tensorflow.live import Spot, Spots
from graphdebug.runtime.backends.tensorflow.partitions import (
    Executable,
    inputs,
    is_machinery,
    is_watchable,
)
from graphdebug.runtime.backends.tensorflow.record import short_device
from graphdebug.runtime.backends.tensorflow.signatures import watchable
from graphdebug.runtime.backends.tensorflow.sources import GraphLines, Origin, find


def spots(graph: Any, lines: GraphLines, executable: Executable) -> Spots:
    """Those of one executable graph."""
    outputs: dict[str, tuple[int, ...]] = {}
    for origin in executable.origins:
        for (node, slot), _ in watchable(graph, origin, executable):
            outputs[node] = (*outputs.get(node, ()), slot)
    found = {}
    for node, slots in outputs.items():
        source = lines.source(graph, executable.origin[node])
        if source is None or is_machinery(executable, node):
            continue
        definition = executable.nodes[node]
        found[node] = Spot(
            node=node,
            name=executable.names.get(node, node),
            op_type=definition.op,
            source=source,
            slots=slots,
            inputs=tuple(
                item if is_watchable(executable, *item) else None for item in inputs(definition)
            ),
            repeats=node in executable.nests,
            device=short_device(definition.device),
            built=getattr(find(graph, executable.origin[node]), "type", ""),
            called=executable.origin[node][1],
        )
    holding: dict[Source, dict[Origin, dict[int, str]]] = {}

    def held(spot: Spot) -> dict[int, str]:
        if spot.source not in holding:
            place = spot.source.path, spot.source.line
            origins = [o for o in lines.built_at(graph, *place) if o in executable.origins]
            holding[spot.source] = variables(graph, *place, origins)
        return holding[spot.source].get(executable.origin[spot.node], {})

    return Spots(found, held, lambda source: boundary.globals_of(source.path, None))
