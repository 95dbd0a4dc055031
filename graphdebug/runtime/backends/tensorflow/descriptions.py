"""The nodes of a session's run, as clients are told of them: at once, or when somebody asks.

Used by ``session``.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from graphdebug.protocol.model import Node, Source
from graphdebug.runtime.backends.tensorflow import boundary, record
from graphdebug.runtime.backends.tensorflow.record import Execution, Record
from graphdebug.runtime.backends.tensorflow.runs import Run

if TYPE_CHECKING:
    from graphdebug.runtime.backends.tensorflow import TensorFlow

BOUND = (
    "the nodes that this line builds run inside of Session.run, so it stops where that is called"
)

REMOVED = (
    "TensorFlow's optimizer left nothing of what this line built ({}) when the graph ran, so nothing "
    "stops there; a session with ConfigProto(graph_options=GraphOptions(rewrite_options="
    "RewriterConfig(disable_meta_optimizer=True))) keeps it"
)

LATER_LIMIT = 5000
"""Executions of a run that is described later; a longer one is described at once, as it takes so long."""


class Descriptions:
    """Describes the runs of all sessions that were recorded."""

    def __init__(self, backend: TensorFlow) -> None:
        self.backend = backend

    def of(self, run: Run, recorded: Record, stops: boundary.Hits, graph: int | None) -> int | None:
        """The number of the description of a run that was recorded."""
        valued = self.backend.records_values and run.watch is not None
        limit = self.backend.runtime.configuration.record_limit
        wanted = run.sampled or (graph is None and self.backend.records_nodes)
        if not (stops.executions or valued or wanted):
            return graph
        began = time.perf_counter_ns()
        if stops.executions and not valued and self._may_wait(run, recorded):
            return self._later(run, recorded, stops, began)
        found = run.found = recorded.executions()
        stops.place(found)
        run.signature.saw(run.shapes, found)
        self.bind(run, found)
        if stops.executions or valued:
            # The others' values stay where they are, until somebody looks at one.
            values = self.backend.records_values or run.selection.nodes
            if record.travels(found, values):
                recorded.attach(found)
            key, nodes = None, record.nodes(found, stops.executions, limit=limit, values=values)
        else:
            key, nodes = run.key, record.nodes(found, limit=limit)
        number = self.backend.runtime.recorder.graph(key, lambda: nodes, again=True)
        spent = time.perf_counter_ns() - began
        run.signature.samples.take(run.shapes, len(found), recorded.devices, spent)
        return number

    def _may_wait(self, run: Run, recorded: Record) -> bool:
        """Whether a run that stops can be described later, when somebody looks into it."""
        limit = min(LATER_LIMIT, self.backend.runtime.configuration.record_limit)
        return (
            recorded.plain and len(recorded.order) <= limit and not self.backend.sessions.live.asked
        )

    def _later(self, run: Run, recorded: Record, stops: boundary.Hits, began: int) -> int:
        """The number of a description that is made when somebody asks."""
        if not run.signature.knows(run.shapes):
            run.signature.saw(run.shapes, recorded.executions())
        stops.executions = recorded.places(stops.keys)
        self._bind_lines(run, recorded.sources())
        nodes = run.selection.nodes
        if record.travels(run.asked, True):
            recorded.attach(run.asked)
            record.hold(run.asked)
        record.let_go(run.asked)
        values = {(item.node, item.iteration): item.values for item in run.asked}
        kept, count, wanted = recorded.kept(), len(recorded.order), tuple(stops.executions)

        def describe() -> list[Node]:
            found = kept.executions()
            for item in found:
                item.values = values.get((item.node, item.iteration), {})
            return record.nodes(found, wanted, values=nodes)

        number = self.backend.runtime.recorder.later(describe, count)
        spent = time.perf_counter_ns() - began
        run.signature.samples.take(run.shapes, count, recorded.devices, spent)
        return number

    def bind(self, run: Run, found: list[Execution]) -> None:
        """Tell what breakpoints on the lines do that made these executions."""
        self._bind_lines(run, [item.source for item in found if item.source is not None])

    def _bind_lines(self, run: Run, sources: Sequence[Source]) -> None:
        if not self.backend.sessions.live.asked:  # else that is told before a run
            self.backend.bind(sources, BOUND)
        for (path, line), origins in run.selection.removed.items():
            names = ", ".join(name for _, name in origins[: boundary.NAMES_LIMIT])
            self.backend.bind_removed(path, line, REMOVED.format(names))
