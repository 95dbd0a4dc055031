"""Calls of tf.functions, and what Keras makes of them: one step for each outermost call."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from graphdebug.protocol.model import Node
from graphdebug.runtime.backends.tensorflow import (
    boundary,
    budget,
    named,
    record,
    retraces,
    static,
)
from graphdebug.runtime.backends.tensorflow.assignments import variables
from graphdebug.runtime.backends.tensorflow.callees import Callee, Callees, Described
from graphdebug.runtime.backends.tensorflow.calls import Call
from graphdebug.runtime.backends.tensorflow.copies import Copies, Recording, Unrecorded
from graphdebug.runtime.backends.tensorflow.descriptions import LATER_LIMIT
from graphdebug.runtime.backends.tensorflow.live_functions import Held, LiveFunctions
from graphdebug.runtime.backends.tensorflow.named import Named
from graphdebug.runtime.backends.tensorflow.record import Execution
from graphdebug.runtime.backends.tensorflow.signatures import Line
from graphdebug.runtime.backends.tensorflow.sources import Origin
from graphdebug.runtime.backends.tensorflow.walks import Walk, remarks

if TYPE_CHECKING:
    from graphdebug.runtime.backends.tensorflow import TensorFlow

BOUND = (
    "the nodes that this line builds run inside of a compiled function, so it stops where that is "
    "called"
)
UNTOLD = "; a condition sees no values there, since {}"
UNSEEN = "without values, times and repetitions, since {}"
REMOVED = (
    "TensorFlow's optimizer left nothing of what this line built ({}) when the function ran, so "
    "nothing stops there; tf.config.optimizer.set_experimental_options({{'disable_meta_optimizer': "
    "True}}) keeps it"
)

UNKNOWN = "TensorFlow tells none from inside of a compiled function"


class Functions:
    """Observes the calls of all compiled functions."""

    def __init__(self, backend: TensorFlow) -> None:
        self.backend = backend
        self.runtime = backend.runtime
        self.retraces = retraces.Retraces()
        self.copies = Copies(backend)
        self.live = LiveFunctions(backend)
        self.tells = False
        """Whether it is known before a call which breakpoints ask about it."""
        self.callees = Callees()
        self._numbers = itertools.count()

    def plain(self, concrete: Any, callee: Callee) -> bool:
        """Whether nothing is wanted of a call that begins but its step."""
        backend = self.backend
        if backend.records_values or backend.graph_watch.wanted(concrete):
            return False
        return not backend.asked or callee.unasked == backend.questions

    def report(self, call: Call, concrete: Any, duration: int) -> None:
        """Report the step of a call that is over, and stop where a breakpoint asks for it."""
        wanted = self.backend.asked or call.recording is not None
        if not (wanted or self.backend.records_nodes):
            index = self.backend.step(call, duration, None, 0, ())
            self.backend.stop(call, index, boundary.Hits())
            return
        unasked = call.recording is None and self.tells
        if unasked and self.backend.again(call.callee.told, call, duration):
            return
        unrecorded = call.recording
        why = unrecorded.why if isinstance(unrecorded, Unrecorded) else ""
        known = self._describe(call, concrete, why)
        if isinstance(call.recording, Recording):
            self._recorded(call, call.recording, concrete, duration, known)
            return
        if unrecorded is None and self.tells:
            self._unasked(call, known, duration)
            return
        passed: set[Line] = set()
        if isinstance(unrecorded, Unrecorded):
            self._bind_removed(unrecorded.removed)
            passed.update(unrecorded.removed)
        elif isinstance(unrecorded, Held):
            self._bind_removed(unrecorded.asked.removed)
            passed.update(unrecorded.asked.removed, unrecorded.lines)
        built = [item for item in _executions(known.nodes) if _line(item) not in passed]
        by_name = self._by_name(known, unrecorded, why)
        stops = boundary.hits(self.runtime, built, {}, call.frame, by_name=by_name, once=True)
        graph = None
        if stops.executions or self.backend.records_nodes:
            graph = self.runtime.recorder.graph(known.key, lambda: known.nodes)
        index = self.backend.step(call, duration, graph, len(known.nodes), known.devices)
        self.backend.stop(call, index, stops, UNSEEN.format(why or UNKNOWN))
        if isinstance(unrecorded, Held) and not stops.executions:
            self.backend.sessions.live.finish(call, unrecorded.live, index)

    def _by_name(self, known: Described, unrecorded: Any, why: str) -> Named:
        """The breakpoints on nodes by name that stop after a call of which nothing was recorded."""
        if not self.runtime.node_breakpoints or (unrecorded is not None and not why):
            return {}
        found = named.of_nodes(known.nodes, self.runtime.node_breakpoints)
        named.tell(
            self.runtime, found, (), f"the call of {known.name}", UNSEEN.format(why or UNKNOWN)
        )
        return found.nodes

    def _unasked(self, call: Call, known: Described, duration: int) -> None:
        """The same for a call that no breakpoint asks about."""
        graph = None
        if self.backend.records_nodes:
            graph = self.runtime.recorder.graph(known.key, lambda: known.nodes)
        index = self.backend.step(call, duration, graph, len(known.nodes), known.devices)
        call.callee.told.note(self.backend.configured, call, index)
        self.backend.stop(call, index, boundary.Hits())

    def _recorded(
        self, call: Call, recording: Recording, concrete: Any, duration: int, known: Described
    ) -> None:
        """The same for a call whose values were recorded."""
        graph, asked = concrete.graph, recording.asked
        before = boundary.Before.now(self.runtime)
        limit = self.runtime.configuration.record_limit
        kept, found = False, list[Execution]()
        try:
            found = recording.executions(self.backend.graphs.lines(graph), graph)
            if not self.live.asked:
                self.backend.bind((item.source for item in found if item.source is not None), BOUND)
            self._bind_removed(asked.removed)
            names = {
                (path, line): variables(graph, path, line, origins)
                for (path, line), origins in asked.lines.items()
            }
            on = asked.by_name.nodes
            stops = boundary.hits(self.runtime, found, names, call.frame, by_name=on)
            number, count = self._number(found, stops, known, limit)
            index = self.backend.step(call, duration, number, count, known.devices)
            replay = self._walk(call, concrete, found, stops, before) if stops.executions else None
            said = remarks(asked.removed, len(found), limit)
            kept = self.backend.stop(call, index, stops, *said, replay=replay)
        finally:
            if not kept:
                record.let_go(found)
                self.release(call)

    def _number(
        self, found: list[Execution], stops: boundary.Hits, known: Described, limit: int
    ) -> tuple[int | None, int]:
        """The number of the description of a call that was recorded, and how many nodes it has."""
        recorder, wanted, count = self.runtime.recorder, stops.executions, len(found)
        if wanted and not self.backend.records_values and count <= min(limit, LATER_LIMIT):
            record.hold(found)
            return recorder.later(lambda: record.nodes(found, wanted, values=True), count), count
        if wanted or self.backend.records_values:
            nodes = record.nodes(found, wanted, limit=limit, values=True)
            return recorder.graph(None, lambda: nodes), len(nodes)
        if self.backend.records_nodes:
            return recorder.graph(known.key, lambda: known.nodes), len(known.nodes)
        return None, len(known.nodes)

    def _walk(
        self,
        call: Call,
        concrete: Any,
        found: list[Execution],
        stops: boundary.Hits,
        before: boundary.Before,
    ) -> Walk:
        recording: Recording = call.recording
        lines = self.backend.graphs.lines(concrete.graph)

        def release() -> None:
            record.let_go(found)
            recording.release()

        def why(item: Execution, slot: int) -> str:
            if (item.node, slot) in recording.asked.slots or slot not in item.outputs:
                return ""
            return budget.why(item.outputs[slot].bytes, recording.asked.stops)

        return Walk(
            self.runtime,
            concrete.graph,
            lines,
            recording,
            lambda: found,
            len(found),
            stops.executions,
            boundary.Home.of(call.frame),
            why,
            before,
            release,
            lambda: recording.plan.by_name(lines, concrete.graph, self.runtime).nodes,
        )

    def _bind_removed(self, removed: Mapping[Line, Sequence[Origin]]) -> None:
        for (path, line), origins in removed.items():
            names = ", ".join(name for _, name in origins[: boundary.NAMES_LIMIT])
            self.backend.bind_removed(path, line, REMOVED.format(names))

    def release(self, call: Call) -> None:
        """Nobody needs any more what a call recorded."""
        recording, call.recording = call.recording, None
        counted, call.counted = call.counted, None
        if isinstance(recording, Recording):
            recording.release()
        if counted is not None:
            counted.release()

    def _describe(self, call: Call, concrete: Any, untold: str) -> Described:
        known = call.callee.described
        if known is None:
            from tensorflow.python.eager import context

            graph = concrete.graph
            device = static.only(context.context().list_logical_devices())
            lines = self.backend.graphs.lines(graph)
            nodes = static.nodes(graph, lines, graph.get_operations(), device)
            key = "function", next(self._numbers)
            known = Described(key, nodes, static.devices(nodes), graph.name)
            call.callee.described = known
            sources = (node.source for node in nodes if node.source is not None)
            why = UNTOLD.format(untold) if untold else ""
            if not self.live.asked:  # else that is told before a call
                self.backend.bind(sources, BOUND + why, ran=False)
        return known


def _line(execution: Execution) -> Line | None:
    source = execution.source
    return None if source is None else (source.path, source.line)


def _executions(nodes: list[Node]) -> list[Execution]:
    return [
        Execution(
            node=node.name,
            name=node.name,
            op_type=node.op_type,
            origin=None,
            source=node.source,
            iteration=0,
            device=node.device,
            duration_ns=0,
            outputs={},
        )
        for node in nodes
    ]
