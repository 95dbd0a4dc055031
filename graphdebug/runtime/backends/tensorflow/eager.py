"""Eager loops: a step for each update of an optimizer, or for each gradient where there is none."""

from __future__ import annotations

import math
import sys
import threading
from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from graphdebug.protocol.model import Phase
from graphdebug.runtime import debugger
from graphdebug.runtime.backends import HookUnfit
from graphdebug.runtime.backends.tensorflow.calls import Call
from graphdebug.runtime.backends.tensorflow.eager_records import Event, flat
from graphdebug.runtime.backends.tensorflow.eager_trail import Trail
from graphdebug.runtime.backends.tensorflow.hooks import GuardedHook
from graphdebug.runtime.backends.tensorflow.patches import Arguments, Patches
from graphdebug.runtime.debugger import held

if TYPE_CHECKING:
    from graphdebug.runtime.backends.tensorflow import TensorFlow

OUTSIDE_LIMIT = 500
"""Operations that ran between graphs, and belong to no step."""

_KERAS = "keras.src.optimizers.base_optimizer"


class _Loop(threading.local):
    """What a thread did so far."""

    ended: int | None = None
    """When its last step was over."""
    pending: tuple[Call, int, Event] | None = None
    """A gradient that nobody used yet, the nanoseconds that its step took, and where it ended."""
    optimizes: bool = False
    """Whether it was seen to use an optimizer."""
    differentiates: bool = False
    """Whether it was seen to use none."""


class Eager:
    """Observes eager loops: where their steps end, and what a NaN reaches there."""

    def __init__(self, backend: TensorFlow) -> None:
        self.backend = backend
        self.trail = Trail(backend)
        self._loop = _Loop()
        self._keras = False
        self._patches: Patches | None = None
        self._recorded: Callable[[], bool] = lambda: True

    def install(self, patches: Patches) -> None:
        """Hook tapes, and the optimizers that don't wait for Keras."""
        from tensorflow.python.eager import backprop, record
        from tensorflow.python.framework import ops
        from tensorflow.python.training import optimizer

        self._patches = patches
        self._recorded = getattr(record, "could_possibly_record", self._recorded)
        gradient = ["self", "target", "sources", "output_gradients", "unconnected_gradients"]
        patches.wrap(backprop.GradientTape, "gradient", gradient, GradientHook(self))
        apply = ["self", "grads_and_vars"]
        patches.wrap(optimizer.Optimizer, "apply_gradients", apply, ApplyHook(self))
        patches.wrap(ops._EagerTensorBase, "_numpy", ["self"], NumberHook(self))

    def install_keras(self) -> None:
        """Hook Keras's optimizers, once the program has imported them."""
        if self._keras or self._patches is None or _KERAS not in sys.modules:
            return
        self._keras = True
        optimizer = sys.modules[_KERAS].BaseOptimizer
        try:
            self._patches.wrap(optimizer, "apply", ["self", "grads"], ApplyHook(self))
        except HookUnfit:
            pass  # its steps are told as those of the tape

    def called(self, call: Call, ns: int, outputs: Sequence[Any], whole: bool) -> None:
        """A compiled function ran as a step of its own: in time, what ran before it is let go of.

        ``whole``: what it returned is known to be finite.

        Unless a tape has it, or the thread was seen to make steps of eager operations.
        """
        if call.executed:
            self.trail.called(call, outputs, ns, keep=not whole)
        if call.batch and call.frame is not None:
            self.trail.between = id(call.frame), call.frame.f_code, call.frame.f_lasti
        loop, many = self._loop, self.trail.at.depth > OUTSIDE_LIMIT
        if many and loop.ended is None and loop.pending is None and not self._recorded():
            self.trail.reopen()

    def differentiated(self, call: Call) -> None:
        """A gradient is there: a step, unless an optimizer is going to use it."""
        loop = self._loop
        waiting, loop.pending = loop.pending, (call, self._elapsed(call), self.trail.at)
        if waiting is not None:
            loop.differentiates = True
            self._report(*waiting)
        if loop.differentiates and not loop.optimizes:
            self.flush()
        elif loop.optimizes:
            loop.pending = None

    def optimized(self, call: Call) -> None:
        """An optimizer updated its variables."""
        loop = self._loop
        loop.optimizes, loop.pending = True, None
        self._report(call, self._elapsed(call), None)
        loop.ended = held.clock()

    def flush(self) -> None:
        """Report the gradient that no optimizer used."""
        loop = self._loop
        waiting, loop.pending = loop.pending, None
        if waiting is not None:
            self._report(*waiting)
            loop.ended = held.clock()

    def resume(self) -> None:
        """The time of the next step begins now."""
        if self._loop.ended is not None:
            self._loop.ended = held.clock()

    def _elapsed(self, call: Call) -> int:
        ended = self._loop.ended
        return call.duration() if ended is None else held.clock() - ended

    def _report(self, call: Call, duration: int, last: Event | None) -> None:
        def step(graph: int | None, forward: int, backward: int) -> int:
            devices = self.trail.devices if graph is not None else ()
            return self.backend.step(call, duration, graph, forward, devices, backward)

        self.trail.close(step, last)


class EagerHook(GuardedHook):
    """Around a call that may end a step of an eager loop."""

    phase: Phase
    """What the operations of the call belong to."""

    def __init__(self, eager: Eager, what: str) -> None:
        super().__init__(eager.backend, what)
        self.eager = eager

    def enter(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Arguments:
        from tensorflow.python.eager import context

        if not context.executing_eagerly():
            return None, args, kwargs
        self.eager.install_keras()
        call = self.backend.begin("eager", self.name(args[0]))
        if call is not None:
            call.phase = self.phase
        return call, args, kwargs

    def name(self, owner: Any) -> str:
        """What the step is called."""
        return self.what

    def leave(self, state: Call, result: Any, failed: bool) -> None:
        self.backend.calls.end()
        if not failed:
            self.done(state)
        state.frame = None

    @abstractmethod
    def done(self, call: Call) -> None:
        """It is over."""


class GradientHook(EagerHook):
    """Around ``GradientTape.gradient``."""

    phase = "backward"

    def __init__(self, eager: Eager) -> None:
        super().__init__(eager, "GradientTape.gradient")

    def enter(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Arguments:
        call, args, kwargs = super().enter(args, kwargs)
        if call is None:
            return None, args, kwargs
        sources: Sequence[Any] = ()
        if self.backend.watches_nan:
            given = dict(zip(("self", "target", "sources"), args, strict=False)) | kwargs
            sources = list(flat([given["sources"]]))
            with self.backend.operations.aside():
                self.eager.trail.watch.asked(list(flat([given["target"]])), call.frame)
        return (call, sources), args, kwargs

    def leave(self, state: Any, result: Any, failed: bool) -> None:
        call, sources = state
        if not failed and sources:
            with self.backend.operations.aside():
                watch = self.eager.trail.watch
                watch.differentiated(sources, list(flat([result])), call.frame)
        super().leave(call, result, failed)

    def done(self, call: Call) -> None:
        self.eager.differentiated(call)


class ApplyHook(EagerHook):
    """Around an optimizer's update."""

    phase = "optimizer"

    def __init__(self, eager: Eager) -> None:
        super().__init__(eager, "apply_gradients")

    def name(self, owner: Any) -> str:
        return f"{type(owner).__name__}.{self.what}"

    def enter(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Arguments:
        call, args, kwargs = super().enter(args, kwargs)
        return (None if call is None else (call, args, kwargs)), args, kwargs

    def leave(self, state: Any, result: Any, failed: bool) -> None:
        call, args, kwargs = state
        if not failed and self.backend.watches_nan:
            with self.backend.operations.aside():
                variables = _updated(*args, **kwargs)
                self.eager.trail.watch.updated(call.name, variables, call.frame)
        super().leave(call, result, failed)

    def done(self, call: Call) -> None:
        self.eager.optimized(call)


def _updated(optimizer: Any, gradients: Any, variables: Any = None, *rest: Any, **more: Any) -> Any:
    """The variables that an optimizer's update wrote."""
    known = variables or more.get("trainable_variables")
    known = known or getattr(optimizer, "_trainable_variables", None)
    pairs = gradients if known is None else ()
    return list(known or ()) or [item[1] for item in pairs if isinstance(item, tuple)]


class NumberHook(GuardedHook):
    """Around the reading of a tensor's numbers."""

    def __init__(self, eager: Eager) -> None:
        super().__init__(eager.backend, "a number that is read")
        self._eager = eager

    def before(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Arguments:
        return args[0], args, kwargs

    def enter(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Arguments:
        return args[0], args, kwargs

    def after(self, state: Any, result: Any, failed: bool) -> Any:
        if failed or not isinstance(result, np.floating) or math.isfinite(result):
            return result
        return super().after(state, result, failed)

    def leave(self, state: Any, result: Any, failed: bool) -> None:
        if not (self.backend.active and self.backend.watches_nan):
            return
        if self.backend.operations.told and not debugger.suspended():
            with self.backend.operations.aside():
                self._eager.trail.watch.read(state)
