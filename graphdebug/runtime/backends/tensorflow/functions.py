"""Calls of tf.functions, and what Keras makes of them: one step for each outermost call."""

from __future__ import annotations

import itertools
import sys
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import FrameType
from typing import TYPE_CHECKING, Any

from graphdebug.protocol.model import Node
from graphdebug.runtime.backends import HookUnfit
from graphdebug.runtime.backends.tensorflow import boundary, record, retraces, static, taps
from graphdebug.runtime.backends.tensorflow.assignments import variables
from graphdebug.runtime.backends.tensorflow.calls import Call
from graphdebug.runtime.backends.tensorflow.copies import Copies, Recording, Unrecorded
from graphdebug.runtime.backends.tensorflow.hooks import GuardedHook
from graphdebug.runtime.backends.tensorflow.patches import Arguments, Patches
from graphdebug.runtime.backends.tensorflow.record import Execution
from graphdebug.runtime.backends.tensorflow.signatures import Line
from graphdebug.runtime.backends.tensorflow.sources import Origin

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

_TRAINER = "keras/src/backend/tensorflow/trainer.py"
_KERAS = (
    "fit", "evaluate", "predict", "train_on_batch", "test_on_batch", "predict_on_batch"
)  # fmt: skip
_DATASET = "Dataset_"


@dataclass
class Known:
    """A concrete function, described."""

    key: tuple[str, int]
    """Names its description."""
    nodes: list[Node]
    """What it was built of."""
    devices: tuple[str, ...]
    """Where they run."""


class Functions:
    """Observes the calls of all compiled functions."""

    def __init__(self, backend: TensorFlow) -> None:
        self.backend = backend
        self.runtime = backend.runtime
        self.retraces = retraces.Retraces()
        self.copies = Copies(backend)
        self._numbers = itertools.count()
        self._known: weakref.WeakKeyDictionary[Any, Known] = weakref.WeakKeyDictionary()

    def install(self, patches: Patches) -> None:
        """Hook calls and traces."""
        from tensorflow.python.eager import context
        from tensorflow.python.eager.polymorphic_function import (
            concrete_function,
            polymorphic_function,
            tracing_compilation,
        )

        function, concrete = polymorphic_function.Function, concrete_function.ConcreteFunction
        traced = ["function_type", "type_context", "func_graph", "tracing_options"]
        flat = ["self", "tensor_inputs", "captured_inputs"]
        patches.wrap(function, "__call__", ["self"], CallHook(self))
        patches.wrap(concrete, "_call_flat", flat, ConcreteHook(self))
        patches.wrap(tracing_compilation, "_create_concrete_function", traced, TraceHook(self))
        run = ["self", "name", "tensor_inputs", "num_outputs"]
        try:
            taps.check()
            patches.wrap(context.Context, "call_function", run, RunHook(self))
        except HookUnfit as error:
            message = f"Calls of tf.functions show no values, since {error}."
            self.runtime.recorder.alert("hook", message)

    def report(self, call: Call, concrete: Any, duration: int) -> None:
        """Report the step of a call that is over, and stop where a breakpoint asks for it."""
        wanted = bool(self.runtime.breakpoints.files)
        if not (wanted or self.backend.records_nodes):
            index = self.backend.step(call, duration, None, 0, ())
            self.backend.stop(call, index, boundary.Hits())
            return
        unrecorded = call.recording
        why = unrecorded.why if isinstance(unrecorded, Unrecorded) else ""
        known = self._describe(concrete, why)
        if isinstance(call.recording, Recording):
            self._recorded(call, call.recording, concrete, duration, known)
            return
        built = _executions(known.nodes)
        if isinstance(unrecorded, Unrecorded):
            self._bind_removed(unrecorded.removed)
            built = [item for item in built if _line(item) not in unrecorded.removed]
        stops = boundary.hits(self.runtime, built, {}, call.frame, once=True)
        graph = None
        if stops.executions or self.backend.records_nodes:
            graph = self.runtime.recorder.graph(known.key, lambda: known.nodes)
        index = self.backend.step(call, duration, graph, len(known.nodes), known.devices)
        self.backend.stop(call, index, stops, UNSEEN.format(why or UNKNOWN))

    def _recorded(
        self, call: Call, recording: Recording, concrete: Any, duration: int, known: Known
    ) -> None:
        """The same for a call whose values were recorded."""
        lines = self.backend.graphs.lines(concrete.graph)
        try:
            found = recording.executions(lines, concrete.graph)
            self._bind_removed(recording.asked.removed)
            names = {
                (path, line): variables(concrete.graph, path, line, origins)
                for (path, line), origins in recording.asked.lines.items()
            }
            stops = boundary.hits(self.runtime, found, names, call.frame)
            if stops.executions or self.backend.records_values:
                nodes = record.nodes(found, stops.executions, values=True)
                graph: int | None = self.runtime.recorder.graph(None, lambda: nodes)
            else:
                nodes, graph = known.nodes, None
                if self.backend.records_nodes:
                    graph = self.runtime.recorder.graph(known.key, lambda: nodes)
            index = self.backend.step(call, duration, graph, len(nodes), known.devices)
        finally:
            self.release(call)
        self.backend.stop(call, index, stops)

    def _bind_removed(self, removed: Mapping[Line, Sequence[Origin]]) -> None:
        for (path, line), origins in removed.items():
            names = ", ".join(name for _, name in origins[: boundary.NAMES_LIMIT])
            self.backend.bind_removed(path, line, REMOVED.format(names))

    def release(self, call: Call) -> None:
        """Nobody needs any more what a call recorded."""
        recording, call.recording = call.recording, None
        if isinstance(recording, Recording):
            recording.release()

    def _describe(self, concrete: Any, untold: str) -> Known:
        known = self._known.get(concrete)
        if known is None:
            from tensorflow.python.eager import context

            graph = concrete.graph
            device = static.only(context.context().list_logical_devices())
            lines = self.backend.graphs.lines(graph)
            nodes = static.nodes(graph, lines, graph.get_operations(), device)
            key = "function", next(self._numbers)
            known = self._known[concrete] = Known(key, nodes, static.devices(nodes))
            sources = (node.source for node in nodes if node.source is not None)
            why = UNTOLD.format(untold) if untold else ""
            self.backend.bind(sources, BOUND + why)
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


class FunctionHook(GuardedHook):
    """A hook of compiled functions."""

    def __init__(self, functions: Functions, what: str) -> None:
        super().__init__(functions.backend, what)
        self.functions = functions

    def enter(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Arguments:
        return None, args, kwargs

    def leave(self, state: Call, result: Any, failed: bool) -> None:
        duration = state.duration()
        self.backend.calls.end()
        try:
            if state.ran is not None and not failed:
                self.functions.report(state, state.ran, duration)
            self.backend.stop_retraced(state)
        finally:
            self.functions.release(state)


class CallHook(FunctionHook):
    """Around a call of a tf.function."""

    def __init__(self, functions: Functions) -> None:
        super().__init__(functions, "the call of a tf.function")

    def enter(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Arguments:
        function = args[0]
        if function._run_functions_eagerly or not _eager():
            return None, args, kwargs
        call = self.backend.begin("function", "")
        if call is not None:
            name = getattr(function.python_function, "__qualname__", function._name)
            call.name = _keras_name() or name.rpartition("<locals>.")[2]
            call.function = function
        return call, args, kwargs


class ConcreteHook(FunctionHook):
    """Around the execution of a concrete function, called by a tf.function or by the user.

    A call that makes variables executes other functions before its own, so the last one counts;
    those that a trace executes, and those within an execution, don't.
    """

    def __init__(self, functions: Functions) -> None:
        super().__init__(functions, "the call of a concrete function")

    def enter(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Arguments:
        concrete = args[0]
        call, own = self.backend.calls.current, False
        if not _eager() or concrete.graph.name.startswith(_DATASET):
            return None, args, kwargs
        if call is None:
            call, own = self.backend.begin("function", concrete.graph.name), True
        if call is None or call.kind != "function" or call.tracing or call.running:
            return None, args, kwargs
        self.functions.release(call)
        call.ran, call.running = concrete, True
        return (call, own), args, kwargs

    def leave(self, state: Any, result: Any, failed: bool) -> None:
        call, own = state
        call.running = False
        if own:
            super().leave(call, result, failed)


class RunHook(FunctionHook):
    """Around TensorFlow's execution of a function by its name, where a copy may take its place."""

    def __init__(self, functions: Functions) -> None:
        super().__init__(functions, "the run of a compiled function")

    def enter(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Arguments:
        call = self.backend.calls.current
        if kwargs or call is None or not call.running or call.kind != "function":
            return None, args, kwargs
        context, name, inputs, count = args
        found = self.functions.copies.prepare(context, call.ran, name, inputs)
        call.recording = found
        if not isinstance(found, Recording):
            return None, args, kwargs
        options = context.function_call_options
        context.function_call_options = taps.unoptimised(options)
        return (
            (context, options, found.copy.name, name),
            (context, found.copy.name.encode(), inputs, count),
            kwargs,
        )

    def leave(self, state: Any, result: Any, failed: bool) -> None:
        context, options, copy, name = state
        context.function_call_options = options
        if failed:
            taps.restore_name(sys.exc_info()[1], copy, name.decode())


class TraceHook(FunctionHook):
    """Around a trace: for the outermost function of a call, a second one is worth an alert."""

    def __init__(self, functions: Functions) -> None:
        super().__init__(functions, "the trace of a tf.function")

    def enter(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Arguments:
        call = self.backend.calls.current
        if call is None or call.function is None or call.tracing:
            return None, args, kwargs
        call.tracing = True
        return (call, args[0]), args, kwargs

    def leave(self, state: Any, result: Any, failed: bool) -> None:
        call, function_type = state
        call.tracing = False
        reason = None if failed else self.functions.retraces.reason(call.function, function_type)
        if reason:
            message = f"{call.name} was traced again: {reason}"
            self.backend.runtime.recorder.alert("retrace", message, source=call.source)
            call.retraced = message


def _eager() -> bool:
    from tensorflow.python.eager import context

    return bool(context.executing_eagerly())


def _keras_name() -> str | None:
    """What the user called, where Keras called the function for them."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        code = frame.f_code
        if code.co_name in _KERAS and code.co_filename.replace("\\", "/").endswith(_TRAINER):
            return f"Model.{code.co_name}"
        frame = frame.f_back
    return None
