"""The hooks on TensorFlow's compiled functions: a step for each outermost call, alerts for retraces."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import FrameType
from typing import TYPE_CHECKING, Any

from graphdebug.runtime.backends import HookUnfit
from graphdebug.runtime.backends.tensorflow import contexts, finite, quiet
from graphdebug.runtime.backends.tensorflow.calls import Call
from graphdebug.runtime.backends.tensorflow.copies import Unrecorded
from graphdebug.runtime.backends.tensorflow.hooks import GuardedHook
from graphdebug.runtime.backends.tensorflow.live_functions import Held
from graphdebug.runtime.backends.tensorflow.patches import Arguments, Patches
from graphdebug.runtime.backends.tensorflow.quiet import LoudHook, QuietHook

if TYPE_CHECKING:
    from graphdebug.runtime.backends.tensorflow.functions import Functions

_TRAINER = "keras/src/backend/tensorflow/trainer.py"
_KERAS = (
    "fit", "evaluate", "predict", "train_on_batch", "test_on_batch", "predict_on_batch"
)  # fmt: skip
_DATASET = "Dataset_"


def install(functions: Functions, patches: Patches) -> None:
    """Hook calls and traces."""
    from tensorflow.python.data.ops import optional_ops
    from tensorflow.python.eager import context
    from tensorflow.python.eager.polymorphic_function import (
        concrete_function,
        polymorphic_function,
        tracing_compilation,
    )

    function, concrete = polymorphic_function.Function, concrete_function.ConcreteFunction
    traced = ["function_type", "type_context", "func_graph", "tracing_options"]
    flat = ["self", "tensor_inputs", "captured_inputs"]
    called = CallHook(functions, polymorphic_function.__file__)
    patches.wrap(function, "__call__", ["self"], called)
    patches.wrap(concrete, "_call_flat", flat, ConcreteHook(functions))
    patches.wrap(tracing_compilation, "_create_concrete_function", traced, TraceHook(functions))
    patches.wrap(optional_ops._OptionalImpl, "get_value", ["self"], UnpackHook(functions))
    run = ["self", "name", "tensor_inputs", "num_outputs"]
    try:
        contexts.check()
        patches.wrap(context.Context, "call_function", run, RunHook(functions))
        functions.tells = True
    except HookUnfit as error:
        message = f"Calls of tf.functions show no values, since {error}."
        functions.runtime.recorder.alert("hook", message)


class FunctionHook(GuardedHook):
    """A hook of compiled functions."""

    def __init__(self, functions: Functions, what: str) -> None:
        super().__init__(functions.backend, what)
        from tensorflow.python.eager import context

        self.functions = functions
        self.eager = context.executing_eagerly

    def enter(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Arguments:
        return None, args, kwargs

    def leave(self, state: Call, result: Any, failed: bool) -> None:
        duration = state.duration()
        self.backend.calls.end()
        if state.ran is not None and not failed:
            outputs = flattened(state.result)
            whole = self.backend.graph_watch.called(state, state.ran, outputs)
            self.backend.eager.called(state, duration, outputs, whole)
            self.functions.report(state, state.ran, duration)
            state.given, state.result = (), None
        else:
            self.functions.release(state)
        if state.retraced:
            self.backend.stop_retraced(state)


class CallHook(QuietHook, FunctionHook):
    """Around a call of a tf.function."""

    def __init__(self, functions: Functions, path: str) -> None:
        super().__init__(functions, "the call of a tf.function")
        self.path = path

    def enter(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Arguments:
        function = args[0]
        if function._run_functions_eagerly or not self.eager():
            return None, args, kwargs
        call = self.backend.begin("function", "")
        if call is not None:
            name = getattr(function.python_function, "__qualname__", function._name)
            keras = _keras_name(call.frame)
            call.name, call.batch = keras or name.rpartition("<locals>.")[2], keras is not None
            call.function = function
            traced = self.functions.tells and sys.gettrace() is not None
            if traced and quiet.is_call(args[1:]) and quiet.is_call(kwargs.values()):
                self.quieten(call)
        return call, args, kwargs


class ConcreteHook(LoudHook, FunctionHook):
    """Around the execution of a concrete function, called by a tf.function or by the user.

    A call that makes variables executes other functions before its own, so the last one counts;
    those that a trace executes, and those within an execution, don't.
    """

    def __init__(self, functions: Functions) -> None:
        super().__init__(functions, "the call of a concrete function")
        from tensorflow.python.eager import record

        self._recorded = getattr(record, "could_possibly_record", lambda: True)

    def is_loud(self) -> bool:
        """A tape may have it build a gradient, by functions of the user's perhaps."""
        return bool(self._recorded())

    def enter(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Arguments:
        concrete = args[0]
        call, own = self.backend.calls.current, False
        if not self.eager() or concrete.graph.name.startswith(_DATASET):
            return None, args, kwargs
        if call is None:
            call, own = self.backend.begin("function", concrete.graph.name), True
        if call is None or call.kind != "function" or call.tracing or call.running:
            return None, args, kwargs
        self.functions.release(call)
        call.ran, call.running, call.given = concrete, True, args[1]
        call.alone = self.backend.takes_calls and not self._recorded()
        call.callee = self.functions.callees.of(concrete)
        call.plain = self.functions.plain(concrete, call.callee)
        call.silent = not call.callee.calls_python(concrete.graph)
        return (call, own), args, kwargs

    def leave(self, state: Any, result: Any, failed: bool) -> None:
        call, own = state
        call.running, call.result = False, result
        if own:
            super().leave(call, result, failed)


class RunHook(LoudHook, FunctionHook):
    """Around TensorFlow's execution of a function by its name, where a copy may take its place."""

    def __init__(self, functions: Functions) -> None:
        super().__init__(functions, "the run of a compiled function")

    def _passes(self) -> bool:
        """Whether there is nothing to do around a run, and no Python in it."""
        call = self.backend.calls.current
        return call is not None and call.running and call.plain and call.silent

    def before(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Arguments:
        return (None, args, kwargs) if self._passes() else super().before(args, kwargs)

    def after(self, state: Any, result: Any, failed: bool) -> Any:
        passes = state is None and self._passes()
        return result if passes else super().after(state, result, failed)

    def enter(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Arguments:
        call = self.backend.calls.current
        if kwargs or call is None or not call.running or call.plain or call.kind != "function":
            return None, args, kwargs
        context, name, inputs, count = args
        questions = self.backend.questions
        asked = self.functions.copies.plan(context, call.ran, name, inputs)
        if asked is None:
            call.callee.unasked = questions
        held = None
        if asked is not None:
            held = self.functions.live.open(call, context, call.ran, *asked)
            call.recording = held or self.functions.copies.record(context, *asked)
        running: Any = call.recording
        if running is None or isinstance(running, Unrecorded):
            watch = self.backend.graph_watch
            running = call.counted = watch.begin(context, call.ran, name, inputs)
            if running is None:
                return None, args, kwargs
        copy = running.copy.name
        options = context.function_call_options
        context.function_call_options = contexts.unoptimised(options)
        state = _Run(context, options, copy, name.decode(), held)
        return state, (context, copy.encode(), inputs, count), kwargs

    def instead(self, state: Any, original: Callable[..., Any]) -> Callable[..., Any]:
        held = None if state is None else state.held
        return (
            original if held is None else functools.partial(self.functions.live.run, held, original)
        )

    def leave(self, state: Any, result: Any, failed: bool) -> None:
        state.context.function_call_options = state.options
        if failed:
            contexts.restore_name(sys.exc_info()[1], state.copy, state.name)


@dataclass
class _Run:
    """A copy that runs in a function's place."""

    context: Any
    options: Any
    """The user's."""
    copy: str
    name: str
    held: Held | None


class UnpackHook(FunctionHook):
    """Around the unpacking of what a batch of Keras's returned."""

    def __init__(self, functions: Functions) -> None:
        super().__init__(functions, "the result of a batch")

    def enter(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Arguments:
        return (args[0] if self.backend.watches_nan and self.eager() else None), args, kwargs

    def leave(self, state: Any, result: Any, failed: bool) -> None:
        if not failed:
            with self.backend.operations.aside():
                self.backend.graph_watch.unpacked(state, result)


class TraceHook(LoudHook, FunctionHook):
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


def flattened(result: Any) -> Sequence[Any]:
    """The tensors among what a function returned, and what else it holds."""
    if finite.is_tensor(result):
        return (result,)
    from tensorflow.python.util import nest

    outputs: list[Any] = nest.flatten(result)
    return outputs


def _keras_name(user: FrameType | None) -> str | None:
    """What the user called, in this frame, where Keras called the function for them."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame is not user:
        code = frame.f_code
        if code.co_name in _KERAS and code.co_filename.replace("\\", "/").endswith(_TRAINER):
            return f"Model.{code.co_name}"
        frame = frame.f_back
    return None
