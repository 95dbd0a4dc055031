"""``Session.run`` and every other way to run a graph of TensorFlow 1."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from graphdebug.runtime.backends.tensorflow import boundary, record
from graphdebug.runtime.backends.tensorflow.assignments import variables
from graphdebug.runtime.backends.tensorflow.calls import Call
from graphdebug.runtime.backends.tensorflow.partitions import Executable, executable
from graphdebug.runtime.backends.tensorflow.signatures import (
    Selection,
    Shapes,
    Signature,
    Signatures,
    Wanted,
)
from graphdebug.runtime.backends.tensorflow.watches import Dumps, Slot, Watch

if TYPE_CHECKING:
    from graphdebug.runtime.backends.tensorflow import TensorFlow

BOUND = "the nodes that this line builds run inside of {}, so it stops where that is called"


@dataclass
class Run:
    """One run of a graph by a session, while we observe it."""

    session: Any
    signature: Signature
    shapes: Shapes
    key: tuple[Any, ...]
    selection: Selection
    traced: bool
    slots: frozenset[Slot]
    watch: Watch | None = None
    options: Any = None
    """Our buffer; None where the user's is used as it is."""
    metadata: Any = None
    """Our buffer; None where the user's is used."""
    unasked: list[str] = field(default_factory=list)
    """Fields of the metadata that the user didn't ask for."""
    found: list[record.Execution] | None = None
    """What ran."""


class Sessions:
    """Observes the runs of all sessions."""

    def __init__(self, backend: TensorFlow) -> None:
        self.backend = backend
        self.runtime = backend.runtime
        self.calls = backend.calls
        self.signatures = Signatures()
        self.dumps = Dumps()

    def remove(self) -> None:
        """Nothing is left of what was written."""
        self.dumps.remove()

    def prepare(self, call: Call, args: tuple[Any, ...]) -> tuple[Any, ...]:
        """Ask TensorFlow for the record that this run needs; returns the arguments to run with."""
        run = self._run(*args)
        if run is None:
            return args
        call.ran = run
        if not run.traced:
            return args
        return self._arguments(run, *args)

    def _run(
        self, session: Any, options: Any, feeds: Any, fetches: Any, targets: Any, metadata: Any
    ) -> Run | None:
        wanted, shapes = _signature(session.graph, feeds, fetches, targets)
        known = self.signatures.of(session)
        signature = known.of(wanted)
        key = ("session", known.number, wanted, shapes)
        selection = Selection()
        breakpoints = self.runtime.breakpoints
        local = not session._target
        if breakpoints.files and local:
            lines = self.backend.graphs.lines(session.graph)
            selection = signature.selection(
                session, lines, breakpoints.files, breakpoints.version, self.dumps
            )
        slots = frozenset(selection.slots)
        nodes = self.backend.records_nodes and shapes not in signature.summaries
        traced = local and bool(nodes or selection.lines)
        return Run(session, signature, shapes, key, selection, traced, slots)

    def _arguments(
        self, run: Run, session: Any, options: Any, feeds: Any, fetches: Any, targets: Any, metadata: Any
    ) -> tuple[Any, ...]:
        from tensorflow.core.protobuf import config_pb2
        from tensorflow.python.client import pywrap_tf_session as api

        asked = config_pb2.RunOptions()
        if options is not None:
            asked.ParseFromString(api.TF_GetBuffer(options))
        if asked.trace_level == config_pb2.RunOptions.NO_TRACE:
            # Not FULL_TRACE, which takes the one profiler that there is away from the user.
            asked.trace_level = config_pb2.RunOptions.SOFTWARE_TRACE
            run.unasked.append("step_stats")
        if run.slots and not asked.debug_options.debug_tensor_watch_opts:
            run.watch = run.signature.borrow(run.slots, self.dumps)
            run.watch.add_to(asked)
        elif not asked.output_partition_graphs:
            asked.output_partition_graphs = True
            run.unasked.append("partition_graphs")
        run.options = api.TF_NewBufferFromString(asked.SerializeToString())
        if metadata is None:
            metadata = run.metadata = api.TF_NewBuffer()
        return session, run.options, feeds, fetches, targets, metadata

    def collect(self, run: Run, metadata: Any, failed: bool) -> None:
        """Read what TensorFlow recorded, and leave nothing behind."""
        from tensorflow.core.protobuf import config_pb2
        from tensorflow.python.client import pywrap_tf_session as api

        try:
            if not failed:
                told = config_pb2.RunMetadata.FromString(api.TF_GetBuffer(metadata))
                run.found = self._found(run, told)
        finally:
            api.TF_DeleteBuffer(run.options)
            if run.metadata is not None:
                api.TF_DeleteBuffer(run.metadata)
            if failed:
                self._release(run)

    def _found(self, run: Run, told: Any) -> list[record.Execution]:
        graph = run.session.graph
        lines = self.backend.graphs.lines(graph)
        planned = run.watch is not None
        known: Executable = (
            run.signature.executable(run.session, self.dumps)
            if planned
            else executable(told.partition_graphs)
        )
        found = record.executions(
            told.step_stats, known, lambda origin: lines.source(graph, origin)
        )
        if run.watch is not None:
            record.attach(found, run.watch.dumps())
        return found

    def _release(self, run: Run) -> None:
        if run.watch is not None:
            run.signature.release(run.slots, run.watch)
            run.watch = None

    def report(self, call: Call, run: Run, duration: int) -> None:
        """Report the step of a run that is over, and stop where a breakpoint asks for it."""
        try:
            stops = self._hits(call, run)
            index = self._step(call, run, duration, stops)
        finally:
            self._release(run)
        if stops.executions and call.frame is not None:
            self.runtime.stops.boundary(
                call.frame,
                index,
                stops.lines,
                stops.executions,
                stops.text(call.name, *_remarks(run.selection)),
            )

    def _hits(self, call: Call, run: Run) -> boundary.Hits:
        if run.found is None or not run.selection.lines:
            return boundary.Hits()
        names = {
            (path, line): variables(run.session.graph, path, line, origins)
            for (path, line), origins in run.selection.lines.items()
        }
        return boundary.hits(self.runtime, run.found, names, call.frame)

    def _step(self, call: Call, run: Run, duration: int, stops: boundary.Hits) -> int:
        found = run.found
        recorder = self.runtime.recorder
        summaries = run.signature.summaries
        graph = recorder.known(run.key) if self.backend.records_nodes else None
        if found is not None:
            devices = tuple(sorted({item.device for item in found}))
            summaries[run.shapes] = len(found), devices
            self._bind(call, found)
            if stops.executions or (self.backend.records_values and run.watch is not None):
                nodes = record.nodes(found, stops.executions, values=True)
                graph = recorder.graph(None, lambda: nodes)
            elif graph is None and self.backend.records_nodes:
                graph = recorder.graph(run.key, lambda: record.nodes(found))
        elif graph is None:
            summaries.pop(run.shapes, None)  # forgotten by the recorder: trace the next one
        count, devices = summaries.get(run.shapes, (0, ()))
        return self.backend.step(call, duration, graph, count, devices)

    def _bind(self, call: Call, found: list[record.Execution]) -> None:
        reason = BOUND.format(call.name)
        self.backend.bind((item.source for item in found if item.source is not None), reason)


def _signature(graph: Any, feeds: Any, fetches: Any, targets: Any) -> tuple[Wanted, Shapes]:
    from tensorflow.python.client import pywrap_tf_session as api

    name = api.TF_OperationName
    fed = sorted((f"{name(key.oper)}:{key.index}", _shape(value)) for key, value in feeds.items())
    wanted = Wanted(
        graph.version,
        tuple(f"{name(item.oper)}:{item.index}" for item in fetches),
        tuple(name(item) for item in targets),
        tuple(item for item, _ in fed),
    )
    return wanted, tuple(shape for _, shape in fed)


def _shape(value: Any) -> tuple[Any, ...]:
    return getattr(value, "shape", ()), str(getattr(value, "dtype", type(value)))


def _remarks(selection: Selection) -> list[str]:
    """What a stop says beyond what ran."""
    said = []
    for (_, line), origins in selection.removed.items():
        names = ", ".join(name for _, name in origins[: boundary.NAMES_LIMIT])
        said.append(f"TensorFlow's optimizer left nothing of {names} (line {line})")
    if selection.without_values:
        said.append(f"without values, since {selection.without_values}")
    return said
