"""Runs of sessions that stop at their nodes while they run: which may, and what is said of the others."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from graphdebug.protocol.model import BindingKind, Source
from graphdebug.runtime import debugger
from graphdebug.runtime.backends.tensorflow.calls import Call
from graphdebug.runtime.backends.tensorflow.gates import Gates, NoGate
from graphdebug.runtime.backends.tensorflow.live import Live, Spots
from graphdebug.runtime.backends.tensorflow.named import tell
from graphdebug.runtime.backends.tensorflow.reachable import Wanted, reachable
from graphdebug.runtime.backends.tensorflow.signatures import (
    Line,
    Signature,
)
from graphdebug.runtime.backends.tensorflow.spots import spots
from graphdebug.runtime.backends.tensorflow.watches import Dumps
from graphdebug.runtime.frames import source_of

if TYPE_CHECKING:
    from graphdebug.runtime.backends.tensorflow import TensorFlow
    from graphdebug.runtime.backends.tensorflow.runs import Run

NODE = "stops inside the running graph, at each execution of the nodes that this line builds"
BOUNDARY = (
    "the nodes that this line builds can't be held while they run, since {}; so it stops where "
    "Session.run is called"
)
NOTHING = (
    "stops only where Python itself runs this line, as while the graph is built; nothing stops when "
    "the graph runs, since {}"
)

OPAQUE = "TensorFlow runs them as a part of a function, which is one node of this graph"
WITHOUT_OUTPUT = "they have no output that TensorFlow's debugger can hold"
TIMED = "the run has a time limit, which a stop would exceed"
WATCHED = "the program watches this run with TensorFlow's debugger itself"
CALLABLE = "this is a callable made of CallableOptions"
PARTIAL = "a partial run tells nothing of its nodes"
REMOTE = "another process runs the nodes of this session"


class LiveSessions:
    """Makes runs live, where the client asked for ``"staticGraphs": "node"``.

    Its methods are called on the program's threads, any number at once.
    """

    def __init__(self, backend: TensorFlow, dumps: Dumps) -> None:
        self.backend = backend
        self.runtime = backend.runtime
        self.gates = Gates()
        self._dumps = dumps
        self._spots: weakref.WeakKeyDictionary[Signature, Spots] = weakref.WeakKeyDictionary()
        self._no_gate = ""

    @property
    def asked(self) -> bool:
        """Whether breakpoints in graphs are to stop inside of them."""
        return self.runtime.configuration.static_graphs == "node"

    def plan(self, session: Any, run: Run, why: str = "") -> None:
        """Decide which of a run's lines stop inside of it, and tell what all of them do.

        ``why``: what forbids it.
        """
        why = why or run.signature.why_unwatchable(session, self._dumps) or self._no_gate
        new = run.signature not in self._spots
        if new:
            lines = self.backend.graphs.lines(run.graph)
            known = run.signature.executable(session, self._dumps)
            self._spots[run.signature] = spots(run.graph, lines, known)
        found = self._spots[run.signature]
        at = {(spot.source.path, spot.source.line) for spot in found.nodes.values()}
        self._tell(at if new else at & run.selection.lines.keys(), "node", NODE, why)
        rest = run.selection.lines.keys() - at - run.selection.removed.keys()
        origins = run.signature.executable(session, self._dumps).origins
        inner = {line for line in rest if not origins.keys() & set(run.selection.lines[line])}
        self._tell(inner, "line", NOTHING.format(OPAQUE), "")
        self._tell(rest - inner, "boundary", "", why or WITHOUT_OUTPUT)
        named = run.selection.by_name.nodes.keys()
        if not why and debugger.attached():
            run.live_lines = frozenset(at & run.selection.lines.keys())
            run.live_nodes = frozenset(named & found.nodes.keys())
            if run.live_lines >= run.selection.lines.keys() and run.live_nodes >= named:
                run.slots = frozenset()
        self.tell_named(run, why or WITHOUT_OUTPUT)

    def tell_named(self, run: Run, why: str) -> None:
        """Tell what breakpoints on nodes by name do in a run; ``why`` some don't stop inside of it."""
        selection = run.selection
        if not selection.told and self.runtime.node_breakpoints:
            selection.told = True
            what = self.backend.calls.described
            tell(self.runtime, selection.by_name, run.live_nodes, what, why)

    def why_not(self, session: Any, options: Any) -> str:
        """What in the user's RunOptions, or in the session's configuration, forbids it."""
        config = session._config
        if options is not None and options.debug_options.debug_tensor_watch_opts:
            return WATCHED
        limit = 0 if options is None else options.timeout_in_ms
        if limit or (config is not None and config.operation_timeout_in_ms):
            return TIMED
        return ""

    def unseen(self, graph: Any, wanted: Wanted, why: str) -> None:
        """Tell that nothing is seen of a run of this graph that is asked for so."""
        lines = self.backend.graphs.lines(graph)
        lines.update(graph)
        files = self.runtime.breakpoints.files
        at = {(path, line) for path, file in files.items() for line in file}
        origins = {place: lines.built_at(graph, *place) for place in at}
        if not any(origins.values()):
            return
        ran = reachable(graph, wanted)
        built = [
            place
            for place in at
            if any(
                function in ran.functions if function else name in ran.operations
                for function, name in origins[place]
            )
        ]
        self._tell(built, "line", NOTHING.format(why), "")

    def open(self, run: Run, options: Any, what: str) -> Live | None:
        """Make a run with these RunOptions live, if it has lines that are to stop."""
        if not (run.live_lines or run.live_nodes):
            return None
        found = self._spots[run.signature]
        try:
            gate = self.gates.borrow()
            live = Live(self.runtime, gate, found, what, self.runtime.recorder.next_step)
            gate.open(live, found.slots)
        except NoGate as error:
            self._no_gate = str(error)
            self._tell(run.live_lines, "node", NODE, self._no_gate)
            run.live_lines, run.live_nodes = frozenset(), frozenset()
            run.selection.told = False
            self.tell_named(run, self._no_gate)
            return None
        gate.add_to(options, found.slots)
        return live

    def run(self, live: Live, original: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """In the original's place: call it while the thread stops at its nodes."""
        try:
            return live.run(lambda: original(*args, **kwargs))
        finally:
            if live.gate is not None:
                live.gate.close()
                self.gates.give_back(live.gate)
            if live.problem is not None:
                self.backend.give_up("a stop inside of a graph", live.problem)

    def run_beside(
        self, original: Callable[..., Any], session: Any, options: Any, *rest: Any
    ) -> Any:
        """In the original's place, for a run that the user asks for at a stop.

        It uses the calling thread alone: of those that TensorFlow shares among its runs, the graph
        that is held may hold all.
        """
        from tensorflow.core.protobuf import config_pb2
        from tensorflow.python.client import pywrap_tf_session as api

        asked = config_pb2.RunOptions()
        if options is not None:
            asked.ParseFromString(api.TF_GetBuffer(options))
        asked.inter_op_thread_pool = -1
        buffer = api.TF_NewBufferFromString(asked.SerializeToString())
        try:
            return original(session, buffer, *rest)
        finally:
            api.TF_DeleteBuffer(buffer)

    def finish(self, call: Call, live: Live, step: int) -> None:
        """The run is over: a step out of it ends where it was called."""
        frame = call.frame
        if live.move and frame is not None:
            self.runtime.node_stops.stop(
                "step",
                source_of(frame),
                step,
                f"{call.name} is over (step {step})",
                lambda: debugger.stop_at(frame),
                inside=False,
                title="Graph is over",
            )

    def _tell(self, lines: Iterable[Line], kind: BindingKind, reason: str, why: str) -> None:
        if why:
            kind, reason = "boundary", BOUNDARY.format(why)
        self.backend.bind([Source(path, line) for path, line in lines], reason, kind)
