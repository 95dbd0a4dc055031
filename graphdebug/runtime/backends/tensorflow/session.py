"""``Session.run`` and every other way to run a graph of TensorFlow 1."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from graphdebug.runtime.backends.tensorflow import boundary, finite, numbers, record, static
from graphdebug.runtime.backends.tensorflow.budget import is_small
from graphdebug.runtime.backends.tensorflow.calls import Call
from graphdebug.runtime.backends.tensorflow.descriptions import Descriptions
from graphdebug.runtime.backends.tensorflow.guard import Guard
from graphdebug.runtime.backends.tensorflow.live_sessions import (
    CALLABLE,
    PARTIAL,
    REMOTE,
    LiveSessions,
)
from graphdebug.runtime.backends.tensorflow.named import Named
from graphdebug.runtime.backends.tensorflow.partitions import executable
from graphdebug.runtime.backends.tensorflow.reachable import Wanted
from graphdebug.runtime.backends.tensorflow.runs import Run, Twin
from graphdebug.runtime.backends.tensorflow.session_signatures import Called, Signatures
from graphdebug.runtime.backends.tensorflow.signatures import Shapes, Signature
from graphdebug.runtime.backends.tensorflow.walks import Walk, reasons, remarks
from graphdebug.runtime.backends.tensorflow.watches import NUMBERS, Dumps
from graphdebug.runtime.untraced import untraced

if TYPE_CHECKING:
    from graphdebug.runtime.backends.tensorflow import TensorFlow

_NO_HITS = boundary.Hits()


class Sessions:
    """Observes the runs of all sessions."""

    def __init__(self, backend: TensorFlow) -> None:
        from tensorflow.core.protobuf import config_pb2
        from tensorflow.python.client import pywrap_tf_session

        self.backend = backend
        self.runtime = backend.runtime
        self._protos = config_pb2
        self._api = pywrap_tf_session
        self.signatures = Signatures()
        self.dumps = Dumps()
        self.live = LiveSessions(backend, self.dumps)
        self.descriptions = Descriptions(backend)
        self._untold = Run(None, Signature(Wanted(0, (), (), ())), (), ())
        self.options: weakref.WeakKeyDictionary[Any, Any] = weakref.WeakKeyDictionary()
        self._twins: weakref.WeakKeyDictionary[Any, list[Twin]] = weakref.WeakKeyDictionary()

    def remove(self) -> None:
        """Leave nothing of what was written."""
        self.dumps.remove()

    def prepare(
        self, session: Any, options: Any, feeds: Any, fetches: Any, targets: Any, metadata: Any
    ) -> tuple[Run, tuple[Any, ...]]:
        """The run that begins, and the arguments to run with so that it is recorded."""
        if not (self.backend.records_nodes or self.backend.asked):
            return self._untold, (session, options, feeds, fetches, targets, metadata)
        called, shapes = self._called(session, feeds, fetches, targets)
        signature = called.signature
        run = self._plain(signature, shapes)
        if run is None:
            run = self._run(session, signature, shapes)
            self._take(run, feeds, called.feeds)
        if run.counts:
            name = self._api.TF_OperationName
            run.fed = {name(key.oper): finite.finite(value) for key, value in feeds.items()}
        if run.traced:
            options = self._asked(run, session, options)
            if metadata is None:
                metadata = run.metadata = self._api.TF_NewBuffer()
        return run, (session, options, feeds, fetches, targets, metadata)

    def _asked(self, run: Run, session: Any, options: Any) -> Any:
        """The options of the user's, with what a run needs."""
        asked = self._protos.RunOptions()
        if options is not None:
            asked.ParseFromString(self._api.TF_GetBuffer(options))
        if self.live.asked:
            self.live.plan(session, run, self.live.why_not(session, asked))
        self._ask(run, session, asked)
        call = self.backend.calls.current
        run.live = self.live.open(run, asked, "Session.run" if call is None else call.name)
        if run.live is not None:
            run.known = run.signature.executable(session, self.dumps)
        run.options = self._api.TF_NewBufferFromString(asked.SerializeToString())
        return run.options

    def prepare_callable(self, made: Any, feeds: Sequence[Any]) -> tuple[Run, Any, Any]:
        """The run that begins, and the callable and the metadata to run with; None for neither."""
        session = made._session
        options = self.options.get(made, self._protos.CallableOptions())
        wanted = Wanted(
            session.graph.version, tuple(options.fetch), tuple(options.target), tuple(options.feed)
        )
        signature = self.signatures.of(session).of(wanted)
        run = self._run(session, signature, tuple(map(_shape, feeds)))
        run.counts = False  # the twins are for values alone
        run.traced = bool(run.traced and (run.selection.asked or run.slots or run.sampled))
        if made not in self.options or run.signature.why_unwatchable(session, self.dumps):
            run.traced = False  # the twin has kernels of its own
        if self.live.asked and run.selection.asked:
            self.live.plan(session, run, CALLABLE)
        if not run.traced:
            return run, None, None
        twin = self._twin(made, run)
        run.watch, run.unasked, run.known = twin.watch, twin.unasked, twin.known
        run.twin = made, twin
        if twin.watch is not None:
            twin.watch.begin()
        return run, twin.made, self._protos.RunMetadata()

    def _twin(self, made: Any, run: Run) -> Twin:
        """A callable that does the same and records it, for one run at a time."""
        free = self._twins.setdefault(made, [])
        while free:
            twin = free.pop()
            if twin.slots == run.slots:
                return twin
        asked = type(self.options[made])()
        asked.CopyFrom(self.options[made])
        self._ask(run, made._session, asked.run_options)
        twin = made._session._make_callable_from_options(asked)
        return Twin(twin, run.slots, run.watch, run.unasked, run.known)

    def _take(self, run: Run, feeds: Any, called: Sequence[Any]) -> None:
        """Watch none of the outputs of a run that stops that are fed or fetched."""
        if run.selection.stops and run.slots and not self.live.asked:
            run.slots, fed, run.fetched = run.signature.outside(run.slots)
            for slot, position in fed.items():
                run.given[slot] = np.array(feeds[called[position]])

    def _called(
        self, session: Any, feeds: Any, fetches: Any, targets: Any
    ) -> tuple[Called, Shapes]:
        known, name = self.signatures.of(session), self._api.TF_OperationName
        called = known.called(session.graph.version, feeds, fetches, targets, name)
        shapes = []  # not by a generator, which a debugger would look into
        for key in called.feeds:
            shapes.append(_shape(feeds[key]))
        return called, tuple(shapes)

    def part(self, session: Any, handle: Any, feeds: Any, fetches: Any) -> Run:
        """The part of a partial run that begins. Its nodes are those that no part ran before."""
        called, shapes = self._called(session, feeds, fetches, ())
        signature = called.signature
        parts = self.signatures.of(session).parts(handle)
        if self.backend.asked:
            self.live.unseen(session.graph, signature.wanted, PARTIAL)
        key = ("part", signature.number, shapes, len(parts.ran))
        run = Run(session.graph, signature, shapes, key)
        ran = parts.take(session.graph, signature.wanted)
        if self.backend.records_nodes:
            lines = self.backend.graphs.lines(session.graph)
            device = static.only(session.list_devices())
            run.built = static.nodes(session.graph, lines, ran, device)
        return run

    def _plain(self, signature: Signature, shapes: Shapes) -> Run | None:
        """The run that stands for each of which nothing but its time is wanted; None where more is."""
        backend, sample = self.backend, signature.samples.last(shapes)
        if sample is None or sample.plain is None or backend.records_values or sample.is_due:
            return None
        if backend.asked and signature.unasked != backend.questions:
            return None
        return None if backend.graph_watch.wanted(signature) else sample.plain

    def _run(self, session: Any, signature: Signature, shapes: Shapes) -> Run:
        run = Run(session.graph, signature, shapes, ("session", signature.number, shapes))
        asked = self.backend.asked
        if session._target:
            if asked:
                self.live.unseen(session.graph, signature.wanted, REMOTE)
            return run
        if asked:
            lines = self.backend.graphs.lines(session.graph)
            run.selection = signature.selection(session, lines, self.runtime, self.dumps)
            limit = self.runtime.configuration.record_limit
            run.slots = signature.watched(session.graph, run.selection, shapes, limit)
            if not (self.live.asked and run.selection.by_name.nodes):
                self.live.tell_named(run, "")
        if self.backend.records_values:
            run.slots |= signature.small(session, self.dumps)
        run.sampled = self.backend.records_nodes and signature.samples.is_due(shapes)
        held = self.live.asked and run.selection.asked
        run.counts = not (run.slots or held) and self.backend.graph_watch.wanted(signature)
        run.traced = bool(run.sampled or run.selection.asked or run.slots or run.counts)
        sample = signature.samples.last(shapes)
        if sample is not None and not run.traced:
            sample.plain = run
        return run

    def _ask(self, run: Run, session: Any, options: Any) -> None:
        """Add to RunOptions what a run needs."""
        if not options.trace_level:
            # Not FULL_TRACE, which takes the one profiler that there is away from the user.
            options.trace_level = options.SOFTWARE_TRACE
            run.unasked.append("step_stats")
        if run.slots and not options.debug_options.debug_tensor_watch_opts:
            run.watch = run.signature.borrow(run.slots, self.dumps)
            run.watch.add_to(options)
            if run.signature.may_run_long(run.selection, run.shapes):
                limit = self.runtime.configuration.record_limit
                run.guard = Guard(run.watch, run.selection.slots, limit)
        elif run.counts and not options.debug_options.debug_tensor_watch_opts:
            self._count(run, session, options)
        config = session._config
        silent = config is not None and config.experimental.disable_output_partition_graphs
        if run.watch is not None or run.numbers is not None or silent:
            run.known = run.signature.executable(session, self.dumps)
        elif run.signature.told is not None:
            run.known = run.signature.told
        elif not options.output_partition_graphs:
            options.output_partition_graphs = True
            run.unasked.append("partition_graphs")

    def _count(self, run: Run, session: Any, options: Any) -> None:
        """Have NaN and Inf counted in a run with these RunOptions."""
        signature = run.signature
        if not signature.why_unwatchable(session, self.dumps):
            run.counted = numbers.slots(signature.executable(session, self.dumps), copied=False)
            run.numbers = signature.borrow(run.counted, self.dumps, NUMBERS)
            run.numbers.add_to(options)

    def collect(self, run: Run, metadata: Any, failed: bool) -> None:
        """Read what TensorFlow recorded into a buffer, and leave nothing behind."""
        api = self._api
        try:
            told = None if failed else api.TF_GetBuffer(metadata)
        finally:
            api.TF_DeleteBuffer(run.options)
            if run.metadata is not None:
                api.TF_DeleteBuffer(run.metadata)
        self.read(run, self._protos.RunMetadata.FromString(told or b""), failed)

    def read(self, run: Run, told: Any, failed: bool) -> None:
        """Read what TensorFlow recorded."""
        if run.guard is not None:
            run.guard.end()
        if failed:
            self._release(run)
            return
        lines, known = self.backend.graphs.lines(run.graph), run.known
        if not known:
            known = run.signature.told = executable(told.partition_graphs, run.graph)
        run.record = record.Record(
            told.step_stats,
            known,
            lambda origin: lines.source(run.graph, origin),
            run.values,
            in_turn=run.watch is not None or run.live is not None,
        )

    def _release(self, run: Run) -> None:
        if run.guard is not None:
            run.guard.end()
        watch, run.watch = run.watch, None
        counting, run.numbers = run.numbers, None
        if watch is not None:
            watch.clear(run.record is not None and is_small(len(run.record.order), run.asked))
        if counting is not None:
            counting.clear()
            run.signature.release(run.counted, counting, NUMBERS)
        if run.twin is not None:
            made, twin = run.twin
            self._twins.setdefault(made, []).append(twin)
        elif watch is not None:
            run.signature.release(run.slots, watch)

    def report(self, call: Call, run: Run, duration: int) -> None:
        """Report the step of a run that is over, and stop where a breakpoint asks for it."""
        self.backend.graph_watch.ran(call, run)
        if run.record is None:
            if not self.backend.again(run.told, call, duration):
                index = self._step(call, run, duration, _NO_HITS)
                run.told.note(self.backend.configured, call, index)
                self.backend.stop(call, index, _NO_HITS)
            return
        kept = False
        try:
            many = run.selection.stops or not run.selection.asked
            stops, index, walk = (untraced(self._look) if many else self._look)(call, run, duration)
            said = () if walk is None else self._said(run)
            kept = self.backend.stop(call, index, stops, *said, replay=walk)
            if run.live is not None and not stops.executions:
                self.live.finish(call, run.live, index)
        finally:
            if not kept:
                self._release(run)

    def _look(self, call: Call, run: Run, duration: int) -> tuple[boundary.Hits, int, Walk | None]:
        """What stops in a run that was recorded, its step, and the way through it."""
        before = boundary.Before.now(self.runtime)
        stops = self._hits(call, run)
        index = self._step(call, run, duration, stops)
        return stops, index, self._walk(call, run, stops, before) if stops.executions else None

    def _said(self, run: Run) -> list[str]:
        assert run.record is not None
        limit, selection = self.runtime.configuration.record_limit, run.selection
        return remarks(selection.removed, len(run.record.order), limit, selection.without_values)

    def _walk(self, call: Call, run: Run, stops: boundary.Hits, before: boundary.Before) -> Walk:
        recorded = run.record
        assert recorded is not None
        return Walk(
            self.runtime,
            run.graph,
            self.backend.graphs.lines(run.graph),
            recorded,
            lambda: run.found or recorded.executions(),
            len(recorded.order),
            stops.executions,
            boundary.Home.of(call.frame),
            reasons(run.selection, run.slots if run.watch is not None else frozenset()),
            before,
            lambda: self._release(run),
            lambda: self._by_name(run),
        )

    def _by_name(self, run: Run) -> Named:
        """What the breakpoints on nodes by name are on that are set now."""
        known = run.known or run.signature.executed
        lines = self.backend.graphs.lines(run.graph)
        return run.signature.by_name(run.graph, lines, known, self.runtime).nodes

    def _hits(self, call: Call, run: Run) -> boundary.Hits:
        if run.record is None or not run.selection.asked:
            return boundary.Hits()
        # Of most runs only the lines with breakpoints matter, and the rest is never looked at.
        asked = run.asked = run.record.executions(run.selection.nodes)
        if run.selection.looks:
            run.record.attach(asked)
        asked = [
            item
            for item in asked
            if item.source is None or (item.source.path, item.source.line) not in run.live_lines
        ]
        self.descriptions.bind(run, asked)
        held, on = run.live_nodes, run.selection.by_name.nodes
        others = {node: found for node, found in on.items() if node not in held} if held else on
        return boundary.hits(self.runtime, asked, run.selection.names, call.frame, by_name=others)

    def _step(self, call: Call, run: Run, duration: int, stops: boundary.Hits) -> int:
        graph = self.runtime.recorder.known(run.key) if self.backend.records_nodes else None
        samples = run.signature.samples
        if run.built is not None:
            samples.take(run.shapes, len(run.built), static.devices(run.built), 0)
            if graph is None:
                graph = self.runtime.recorder.graph(run.key, lambda: run.built or ())
        elif run.record is not None:
            graph = self.descriptions.of(run, run.record, stops, graph)
        elif graph is None:
            samples.drop(run.shapes)  # forgotten by the recorder: trace the next one
        last = samples.last(run.shapes)
        count, devices = (0, ()) if last is None else (last.nodes, last.devices)
        return self.backend.step(call, duration, graph, count, devices)


def _shape(value: Any) -> tuple[Any, ...]:
    return getattr(value, "shape", ()), getattr(value, "dtype", type(value))
