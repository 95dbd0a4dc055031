"""The operations that eager TensorFlow executes, told to whoever asks; hooked only while somebody does.

Every operation that Python calls ends in one of three functions of ``pywrap_tfe``; TensorFlow's generated
code, and what a tape calls in backward, look them up there at each call. Of a compiled function the call
is one operation.
"""

from __future__ import annotations

import functools
import inspect
import re
import threading
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from graphdebug.runtime.backends import HookUnfit

if TYPE_CHECKING:
    from graphdebug.runtime.backends.tensorflow import TensorFlow

FAST, PLAIN, CANCELABLE = "TFE_Py_FastPathExecute", "TFE_Py_Execute", "TFE_Py_ExecuteCancelable"

_GRADIENT = [
    "op_name", "attr_tuple", "num_inputs", "inputs", "outputs", "out_grads",
    "skip_input_indices", "forward_pass_name_scope",
]  # fmt: skip

COMPILED = ("__inference_", "__forward_", "__backward_")
"""How the names of compiled functions begin."""


_COMPILED = re.compile(r"__(inference|forward|backward)_(.+?)(?:_\d+)+")


class Operation(NamedTuple):
    """One that is about to run, or has run."""

    kind: str
    """The operation, as TensorFlow calls it: ``MatMul``."""
    name: str
    """What the program calls it; empty where it doesn't."""
    inputs: tuple[Any, ...]
    """As they were given: tensors, variables, numbers; of a list each."""
    pairs: Sequence[Any]
    """Names and values of its attributes, in turn."""

    @property
    def attributes(self) -> dict[str, Any]:
        """By their names."""
        return dict(zip(self.pairs[::2], self.pairs[1::2], strict=False))


clock = time.perf_counter_ns

Before = Callable[[Operation], None]
After = Callable[[Operation, Any, int], None]
"""Takes what came out and the nanoseconds that it took as well."""


class _Here(threading.local):
    ours: bool = False
    """Whether what runs is ours."""
    failed: str = ""
    """The operation that TensorFlow's fast way refused, which comes again by the plain one."""


class Operations:
    """Calls all ``before`` and all ``after`` around each operation, on the thread that runs it.

    Errors of theirs end the observation.
    """

    def __init__(self, backend: TensorFlow) -> None:
        self._backend = backend
        self._originals: dict[str, Any] = {}
        self._ours: dict[str, Any] = {}
        self._here = _Here()
        self.before: tuple[Before, ...] = ()
        self.after: tuple[After, ...] = ()
        self.unfit = ""
        """Why no operation is seen; empty where they are."""

    def check(self) -> None:
        """Raise HookUnfit where this TensorFlow executes operations otherwise."""
        from tensorflow.python import pywrap_tfe
        from tensorflow.python.eager import backprop, execute
        from tensorflow.python.ops import gen_math_ops

        names = gen_math_ops.mat_mul.__wrapped__.__code__.co_names if hasattr(
            gen_math_ops.mat_mul, "__wrapped__"
        ) else gen_math_ops.mat_mul.__code__.co_names  # fmt: skip
        fits = (
            gen_math_ops.pywrap_tfe is pywrap_tfe
            and FAST in names
            and PLAIN in execute.quick_execute.__code__.co_names
            and list(inspect.signature(backprop._gradient_function).parameters) == _GRADIENT
            and callable(getattr(pywrap_tfe, "TFE_Py_RegisterGradientFunction", None))
            and CANCELABLE in execute.execute_with_cancellation.__code__.co_names
            and all(callable(getattr(pywrap_tfe, name, None)) for name in (FAST, PLAIN, CANCELABLE))
        )
        if not fits:
            raise HookUnfit("its operations don't go through pywrap_tfe's functions")

    def listen(self, before: Sequence[Before], after: Sequence[After]) -> None:
        """Tell these from now on; with neither, nothing is hooked. Any thread may call it."""
        self.before, self.after = tuple(before), tuple(after)
        if (before or after) and not self.unfit:
            self._install()
        else:
            self.remove()

    def remove(self) -> None:
        """Put the originals back, except where somebody else replaced ours since."""
        from tensorflow.python import pywrap_tfe

        if self._originals:
            pywrap_tfe.TFE_Py_RegisterGradientFunction(_gradient_function())
        for name, original in self._originals.items():
            if getattr(pywrap_tfe, name) is self._ours[name]:
                setattr(pywrap_tfe, name, original)
        self._originals.clear()

    def _install(self) -> None:
        from tensorflow.python import pywrap_tfe

        if self._originals:
            return
        pywrap_tfe.TFE_Py_RegisterGradientFunction(self._gradient(_gradient_function()))
        for name, wrapper in (
            (FAST, self._fast),
            (PLAIN, self._plain),
            (CANCELABLE, self._plain),
        ):
            original = self._originals[name] = getattr(pywrap_tfe, name)
            self._ours[name] = wrapper(original)
            setattr(pywrap_tfe, name, self._ours[name])

    @property
    def told(self) -> bool:
        """Whether what the calling thread runs now is told."""
        return bool(self._originals) and not self._here.ours

    def aside(self) -> Aside:
        """A block in which what runs isn't told."""
        return Aside(self._here)

    def _gradient(self, original: Any) -> Any:
        """Around what a tape calls for each operation that it differentiates."""

        @functools.wraps(original)
        def differentiate(
            kind: Any, attributes: Any, count: Any, inputs: Any, outputs: Any, *rest: Any
        ) -> Any:
            if not self.told or not self.after:
                return original(kind, attributes, count, inputs, outputs, *rest)
            graph = _building()
            if graph is not None:
                known = len(graph.get_operations())
                result = original(kind, attributes, count, inputs, outputs, *rest)
                self._traced(graph, known, kind, inputs, outputs)
                return result
            trail = self._backend.eager.trail
            around = trail.differentiated
            try:
                trail.differentiated = trail.differentiates(kind, inputs, outputs)
            except Exception as error:
                self._backend.give_up("a gradient", error)
            try:
                return original(kind, attributes, count, inputs, outputs, *rest)
            finally:
                trail.differentiated = around

        return differentiate

    def _traced(self, graph: Any, known: int, kind: str, inputs: Any, outputs: Any) -> None:
        """A tape built operations while a function was traced."""
        try:
            forward = _forward(graph, kind, inputs, outputs)
            if forward is not None:
                new = [operation.name for operation in graph.get_operations()[known:]]
                self._backend.graphs.derived(graph, new, forward.name)
        except Exception as error:
            self._backend.give_up("a gradient", error)

    def _fast(self, original: Any) -> Any:
        here = self._here

        @functools.wraps(original)
        def execute(context: Any, kind: str, name: Any, *args: Any) -> Any:
            if here.ours:
                return original(context, kind, name, *args)
            if self.before:
                self._tell_before(lambda: _given(kind, name, args))
            begin = clock()
            try:
                result = original(context, kind, name, *args)
            except BaseException as error:
                here.failed = kind
                error.__traceback__ = None  # our frame is no part of it, and it begins here
                raise
            if self.after:
                self._tell_after(lambda: _given(kind, name, args), result, clock() - begin)
            return result

        return execute

    def _plain(self, original: Any) -> Any:
        here = self._here

        @functools.wraps(original)
        def execute(
            handle: Any, device: Any, kind: Any, inputs: Any, attributes: Any, *rest: Any
        ) -> Any:
            if here.ours:
                return original(handle, device, kind, inputs, attributes, *rest)
            taken = self._is_taken(kind)
            again, here.failed = here.failed == kind, ""
            if self.before and not again:
                self._tell_before(lambda: _plainly(kind, inputs, attributes))
            begin = clock()
            try:
                result = original(handle, device, kind, inputs, attributes, *rest)
            except BaseException as error:
                error.__traceback__ = None
                raise
            if self.after and not taken:
                self._tell_after(
                    lambda: _plainly(kind, inputs, attributes), result, clock() - begin
                )
            return result

        return execute

    def _is_taken(self, kind: Any) -> bool:
        """Whether it is the call of a compiled function, of which its hooks tell the trail."""
        call = self._backend.calls.current
        if call is None or not (call.alone and call.running) or not isinstance(kind, str):
            return False
        if not kind.startswith(COMPILED[0]):
            return False
        call.executed = kind
        return True

    def _tell_before(self, operation: Callable[[], Operation]) -> None:
        here = self._here
        here.ours = True
        try:
            if self._backend.active:
                coming = operation()
                for before in self.before:
                    before(coming)
        except Exception as error:
            self._backend.give_up("an operation", error)
        finally:
            here.ours = False

    def _tell_after(self, operation: Callable[[], Operation], result: Any, ns: int) -> None:
        here = self._here
        here.ours = True
        try:
            if self._backend.active:
                told = operation()
                for after in self.after:
                    after(told, result, ns)
        except Exception as error:
            self._backend.give_up("an operation", error)
        finally:
            here.ours = False


def function_named(kind: str) -> str:
    """What a compiled function is called whose call is an operation; empty for any other operation."""
    found = _COMPILED.fullmatch(kind)
    if found is None:
        return ""
    function = f"the compiled function {found[2]}"
    return f"the gradient of {function}" if found[1] == "backward" else function


def _building() -> Any:
    """The graph that is being built; None where operations run at once."""
    from tensorflow.python.eager import context
    from tensorflow.python.framework import ops

    return None if context.executing_eagerly() else ops.get_default_graph()


def _forward(graph: Any, kind: str, inputs: Any, outputs: Any) -> Any:
    """The operation of this type with these tensors, where there is but one."""
    for tensor in outputs or ():
        if getattr(tensor, "graph", None) is graph and tensor.op.type == kind:
            return tensor.op
    found = None
    for tensor in inputs or ():
        if getattr(tensor, "graph", None) is graph:
            consumers = {item for item in tensor.consumers() if item.type == kind}
            found = consumers if found is None else found & consumers
    return found.pop() if found is not None and len(found) == 1 else None


def _gradient_function() -> Any:
    from tensorflow.python.eager import backprop

    return backprop._gradient_function


class Aside:
    """Lets what runs in the block go untold."""

    def __init__(self, here: _Here) -> None:
        self._here = here

    def __enter__(self) -> None:
        self._before, self._here.ours = self._here.ours, True

    def __exit__(self, *error: object) -> None:
        self._here.ours = self._before


def _given(kind: str, name: Any, args: Sequence[Any]) -> Operation:
    count = _inputs(kind)
    called = (name or "").rstrip("/")
    return Operation(kind, called, tuple(args[:count]), args[count:])


def _plainly(kind: Any, inputs: Sequence[Any], attributes: Any) -> Operation:
    kind = kind.decode() if isinstance(kind, bytes) else str(kind)
    return Operation(kind, "", tuple(inputs), attributes or ())


@functools.cache
def _inputs(kind: str) -> int:
    """How many inputs an operation takes."""
    from tensorflow.python.framework import op_def_registry

    known = op_def_registry.get(kind)
    return 0 if known is None else len(known.input_arg)
