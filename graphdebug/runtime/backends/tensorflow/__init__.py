"""Observes TensorFlow: sessions, tf.function, Keras, eager loops."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from graphdebug.protocol.model import BindingKind, Source, StepKind
from graphdebug.runtime import debugger
from graphdebug.runtime.backends import Backend, HookUnfit, Past
from graphdebug.runtime.backends.tensorflow import entries, function_hooks
from graphdebug.runtime.backends.tensorflow.boundary import Hits
from graphdebug.runtime.backends.tensorflow.calls import Call, Calls
from graphdebug.runtime.backends.tensorflow.eager import Eager
from graphdebug.runtime.backends.tensorflow.eager_stops import EagerStops
from graphdebug.runtime.backends.tensorflow.eager_watch import NAN
from graphdebug.runtime.backends.tensorflow.functions import Functions
from graphdebug.runtime.backends.tensorflow.graph_watch import GraphWatch
from graphdebug.runtime.backends.tensorflow.operations import Operations
from graphdebug.runtime.backends.tensorflow.patches import Patches
from graphdebug.runtime.backends.tensorflow.repeats import Told
from graphdebug.runtime.backends.tensorflow.session import Sessions
from graphdebug.runtime.backends.tensorflow.sources import Graphs
from graphdebug.runtime.debugger import tracing
from graphdebug.runtime.replays import Replay
from graphdebug.runtime.signals import raised_by_handler
from graphdebug.runtime.stops import BOUNDARY, RETRACE

if TYPE_CHECKING:
    from types import FrameType, TracebackType

    from graphdebug.protocol.runtime import DataBreakpoint
    from graphdebug.runtime.backends.tensorflow.variable_watches import VariableWatches
    from graphdebug.runtime.data_breakpoints import Target
    from graphdebug.runtime.explanations import Explanation
    from graphdebug.runtime.runtime import Runtime


class TensorFlow(Backend):
    """TensorFlow 2, with its TensorFlow 1 sessions.

    Its hooks run on the program's threads, any number at once; see ``calls`` for what belongs to a
    thread.
    """

    name = "tensorflow"

    def __init__(self, runtime: Runtime) -> None:
        super().__init__(runtime)
        self.active = False
        self.calls = Calls()
        self.graphs = Graphs()
        self.patches = Patches(), Patches(), Patches()
        self.sessions = Sessions(self)
        self.functions = Functions(self)
        self.eager = Eager(self)
        self.graph_watch = GraphWatch(self)
        self.operations = Operations(self)
        self.eager_stops = EagerStops(self)
        self.watches: VariableWatches | None = None
        self.watches_nan = False
        """Whether NaN and Inf are looked for."""
        self.stops_at_nan = False
        """Whether the filter is set that stops at them."""
        self.takes_calls = False
        """Whether nobody has to hear of a call of a compiled function but who makes a step of it."""
        self.configured = 0
        """How often what is told of a step was changed."""
        self.nan_told: set[Any] = set()
        """What was told of NaN and Inf."""
        self._ran: dict[str, set[int]] = {}

    @property
    def version(self) -> str:
        import tensorflow as tf

        return str(tf.__version__)

    def install(self) -> None:
        unfit = []
        for what, install, patches in (
            ("sessions", functools.partial(entries.install, self.sessions), self.patches[0]),
            (
                "tf.functions",
                functools.partial(function_hooks.install, self.functions),
                self.patches[1],
            ),
            ("eager loops", self.eager.install, self.patches[2]),
        ):
            try:
                install(patches)
            except HookUnfit as error:
                patches.restore()
                unfit.append(f"{what} aren't observed, since {error}")
        if len(unfit) == len(self.patches):
            raise HookUnfit("; ".join(unfit))
        for message in unfit:
            self.runtime.recorder.alert("hook", f"In this TensorFlow {message}.")
        try:
            self.operations.check()
        except HookUnfit as error:
            self.operations.unfit = str(error)
            message = f"In this TensorFlow eager operations aren't seen, since {error}."
            self.runtime.recorder.alert("hook", message)
        self.active = True
        self._listen()

    def configure(self) -> None:
        self.configured += 1
        self._listen()

    def _listen(self) -> None:
        """Hook eager operations while somebody asks about them."""
        stops = self.active and self.runtime.node_breakpoints and debugger.attached()
        records = self.active and self.records_nodes
        self.watches_nan = records and self.runtime.configuration.nan_watch
        self.stops_at_nan = self.watches_nan and NAN in self.runtime.stops.filters
        befores = [self.eager_stops.before] if stops else []
        afters = [self.eager.trail.after] if records else []
        if self.active and self.watches is not None:
            befores.append(self.watches.before)
            afters.append(self.watches.after)
        self.operations.listen(befores, afters)
        self.takes_calls = afters == [self.eager.trail.after] and not (
            befores or self.records_values
        )

    def remove(self) -> None:
        self.active = self.watches_nan = False
        self.operations.remove()
        for patches in self.patches:
            patches.restore()
        self.sessions.remove()

    def finish(self) -> None:
        self.eager.flush()
        self.graph_watch.finish()
        self.remove()

    def cell(self, over: bool) -> None:
        self.eager.flush()
        self.eager.resume()

    def place(self) -> str:
        from tensorflow.python.eager import context

        return "eager" if context.executing_eagerly() else "building"

    def owns(self, value: object) -> bool:
        from graphdebug.runtime.backends.tensorflow import arrays, tensors

        return bool(tensors.owns(value)) or isinstance(value, arrays.Recorded)

    def unwatchable(self, value: object, named: bool) -> str:
        """Nothing is ever written but variables."""
        from graphdebug.runtime.backends.tensorflow import variable_watches

        return self.operations.unfit or variable_watches.unwatchable(value, named)

    def try_condition(self, target: Target, condition: str, frame: FrameType) -> str:
        """Ask it once."""
        from graphdebug.runtime.backends.tensorflow import variable_watches

        return variable_watches.wrong(target, condition, frame)

    def watch(self, wanted: Sequence[tuple[DataBreakpoint, Target]]) -> None:
        """Look at these variables from now on; what was seen of those that were set before stays."""
        if not wanted and self.watches is None:
            return
        from graphdebug.runtime.backends.tensorflow.variable_watches import VariableWatches, Watched

        known = (
            {} if self.watches is None else {one.breakpoint: one for one in self.watches.watched}
        )
        tell = self.runtime.data_breakpoints.tell
        watched = [
            known.get(item) or Watched(item, target, functools.partial(tell, item.id))
            for item, target in wanted
        ]
        self.watches = VariableWatches(self, watched) if watched else None
        self._listen()

    def past(self) -> Past | str:
        """That of eager code."""
        return self.eager.trail.past() or ""

    def explain(self, error: BaseException, traceback: TracebackType | None) -> Explanation | None:
        from graphdebug.runtime.backends.tensorflow import errors

        return errors.explain(error, traceback)

    def inspect(self, value: Any, mode: str, index: str | None) -> dict[str, Any]:
        from graphdebug.runtime.backends.tensorflow import arrays, tensors

        if isinstance(value, arrays.Recorded):
            return dict(arrays.inspect(value, mode, index))
        answer: dict[str, Any] = tensors.inspect(value, mode, index)
        return answer

    @property
    def records_nodes(self) -> bool:
        """Whether steps have nodes."""
        return self.runtime.configuration.capture in ("nodes", "values")

    @property
    def records_values(self) -> bool:
        """Whether nodes have their values in every run."""
        return self.runtime.configuration.capture == "values"

    @property
    def asked(self) -> bool:
        """Whether there are breakpoints, on lines or on nodes by name."""
        return bool(self.runtime.breakpoints.files or self.runtime.node_breakpoints)

    @property
    def questions(self) -> tuple[int, int]:
        """Changes with every breakpoint that is set or removed."""
        return self.runtime.breakpoints.version, self.runtime.node_breakpoints.version

    def begin(self, kind: StepKind, name: str) -> Call | None:
        """The user's call that begins here; None where nobody asks, or it is a part of another."""
        runtime = self.runtime
        if runtime.configuration.capture == "off" and not (self.asked or runtime.stops.filters):
            return None
        runtime.stops.went_on()
        return self.calls.begin(kind, name)

    def step(
        self,
        call: Call,
        duration: int,
        graph: int | None,
        nodes: int,
        devices: Sequence[str],
        backward: int = 0,
    ) -> int:
        """Report the step that a call made; returns its index."""
        return self.runtime.recorder.step(
            kind=call.kind,
            framework="tensorflow",
            name=call.name,
            source=call.source,
            duration_ns=duration,
            graph=graph,
            forward_nodes=nodes,
            backward_nodes=backward,
            devices=tuple(devices),
        )

    def again(self, told: Told, call: Call, duration: int) -> bool:
        """Report the step that a call made, and stop if a filter asks, where it is as the last one was."""
        index = told.again(self.runtime.recorder, self.configured, call, duration)
        if index >= 0 and self.runtime.stops.filters and call.frame is not None:
            self._stop_filtered(call, index)
        return index >= 0

    def stop(
        self, call: Call, step: int, hits: Hits, *remarks: str, replay: Replay | None = None
    ) -> bool:
        """Stop where the user called, if breakpoints ask for it.

        ``replay`` can be walked through there; whether it was kept, and is released when that is over.
        """
        if call.frame is None:
            return False
        if not hits.executions:
            return self._stop_filtered(call, step)
        verb = "made" if call.kind == "session" else "ran"
        text = hits.text(f"{call.name} {verb}", *remarks)
        return self.runtime.stops.boundary(
            call.frame, step, hits.lines, hits.executions, text, replay=replay, hit=hits.named
        )

    def _stop_filtered(self, call: Call, step: int) -> bool:
        """Stop at every graph boundary, if a filter asks for that."""
        if call.frame is not None and self.runtime.stops.filtered(BOUNDARY):
            text = f"{call.name} ran its graph"
            self.runtime.stops.boundary(call.frame, step, (), (), text, filter=BOUNDARY)
        return False

    def stop_retraced(self, call: Call) -> None:
        """Stop where the user called a function that was traced again, if a filter asks for that."""
        if call.retraced and call.frame is not None and self.runtime.stops.filtered(RETRACE):
            step, text = self.runtime.recorder.next_step - 1, call.retraced
            self.runtime.stops.boundary(
                call.frame, step, (), (), text, filter=RETRACE, title="Retrace"
            )

    def bind(
        self,
        sources: Iterable[Source],
        reason: str,
        kind: BindingKind = "boundary",
        *,
        ran: bool = True,
    ) -> None:
        """Tell what breakpoints on these lines do: stop at the boundary, unless ``kind`` says other.

        ``ran``: whether their nodes are known to have run.
        """
        files: dict[str, set[int]] = {}
        for source in sources:
            files.setdefault(source.path, set()).add(source.line)
        for path, lines in files.items():
            if ran:
                self._ran.setdefault(path, set()).update(lines)
            self.runtime.recorder.bind(path, sorted(lines), kind, reason)

    def bind_removed(self, path: str, line: int, reason: str) -> None:
        """Tell that nothing is left of a line, unless something was in another graph."""
        if line not in self._ran.get(path, ()):
            self.runtime.recorder.bind(path, [line], "never", reason)

    def give_up(self, what: str, error: Exception) -> None:
        """Stop observing after an error of ours. What isn't ours is raised again."""
        self.calls.end()
        tracing.end_pauses()
        if raised_by_handler(error):
            raise error
        self.runtime.give_up(self, what, error)


def backend(runtime: Runtime) -> TensorFlow:
    """The backend, for ``boot``."""
    return TensorFlow(runtime)
