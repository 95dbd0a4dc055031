"""Eager loops: a step for each update of an optimizer, or for each gradient where there is none."""

from __future__ import annotations

import sys
import threading
import time
from abc import abstractmethod
from typing import TYPE_CHECKING, Any

from graphdebug.protocol.model import Phase
from graphdebug.runtime.backends import HookUnfit
from graphdebug.runtime.backends.tensorflow.calls import Call
from graphdebug.runtime.backends.tensorflow.hooks import GuardedHook
from graphdebug.runtime.backends.tensorflow.patches import Arguments, Patches

if TYPE_CHECKING:
    from graphdebug.runtime.backends.tensorflow import TensorFlow

_KERAS = "keras.src.optimizers.base_optimizer"


class _Loop(threading.local):
    """What a thread did so far."""

    ended: int | None = None
    """When its last step was over."""
    pending: tuple[Call, int] | None = None
    """A gradient that nobody used yet, and the nanoseconds that its step took."""
    optimizes: bool = False
    """Whether it was seen to use an optimizer."""
    differentiates: bool = False
    """Whether it was seen to use none."""


class Eager:
    """Observes eager loops. Their operations are not recorded."""

    def __init__(self, backend: TensorFlow) -> None:
        self.backend = backend
        self._loop = _Loop()
        self._keras = False
        self._patches: Patches | None = None

    def install(self, patches: Patches) -> None:
        """Hook tapes, and the optimizers that don't wait for Keras."""
        from tensorflow.python.eager import backprop
        from tensorflow.python.training import optimizer

        self._patches = patches
        gradient = ["self", "target", "sources", "output_gradients", "unconnected_gradients"]
        patches.wrap(backprop.GradientTape, "gradient", gradient, GradientHook(self))
        apply = ["self", "grads_and_vars"]
        patches.wrap(optimizer.Optimizer, "apply_gradients", apply, ApplyHook(self))

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

    def differentiated(self, call: Call) -> None:
        """A gradient is there: a step, unless an optimizer is going to use it."""
        loop = self._loop
        waiting, loop.pending = loop.pending, (call, self._elapsed(call))
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
        self._report(call, self._elapsed(call))
        loop.ended = time.perf_counter_ns()

    def flush(self) -> None:
        """Report the gradient that no optimizer used."""
        loop = self._loop
        waiting, loop.pending = loop.pending, None
        if waiting is not None:
            self._report(*waiting)
            loop.ended = time.perf_counter_ns()

    def resume(self) -> None:
        """The time of the next step begins now."""
        if self._loop.ended is not None:
            self._loop.ended = time.perf_counter_ns()

    def _elapsed(self, call: Call) -> int:
        ended = self._loop.ended
        return call.duration() if ended is None else time.perf_counter_ns() - ended

    def _report(self, call: Call, duration: int) -> None:
        self.backend.step(call, duration, None, 0, ())


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

    def done(self, call: Call) -> None:
        self.eager.differentiated(call)


class ApplyHook(EagerHook):
    """Around an optimizer's update."""

    phase = "optimizer"

    def __init__(self, eager: Eager) -> None:
        super().__init__(eager, "apply_gradients")

    def name(self, owner: Any) -> str:
        return f"{type(owner).__name__}.{self.what}"

    def done(self, call: Call) -> None:
        self.eager.optimized(call)
