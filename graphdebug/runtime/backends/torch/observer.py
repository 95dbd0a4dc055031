"""The torch backend: puts the hooks in, and takes them out."""

from __future__ import annotations

import functools
import sys
import threading
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Any

import torch
import torch.overrides
from torch.optim.optimizer import (
    register_optimizer_step_post_hook,
    register_optimizer_step_pre_hook,
)
from torch.utils.weak import TensorWeakRef

from graphdebug.runtime.backends import Backend, HookUnfit
from graphdebug.runtime.backends.torch import modes
from graphdebug.runtime.backends.torch.backward import observed_engine
from graphdebug.runtime.backends.torch.boundary import Boundary
from graphdebug.runtime.backends.torch.compiled import CompiledCalls, Visible
from graphdebug.runtime.backends.torch.dynamo_graphs import DynamoGraphs
from graphdebug.runtime.backends.torch.eager_functions import EagerFunctions
from graphdebug.runtime.backends.torch.forward import ForwardMode
from graphdebug.runtime.backends.torch.gradient_watch import noting_scales
from graphdebug.runtime.backends.torch.optimizers import OptimizerSteps, observed_init, step_hooks
from graphdebug.runtime.backends.torch.past import NOTHING_YET, past_of
from graphdebug.runtime.backends.torch.patches import Patches, unmark
from graphdebug.runtime.backends.torch.recompiles import Recompiles
from graphdebug.runtime.backends.torch.scripted import ScriptCalls
from graphdebug.runtime.backends.torch.trail import LEVELS, NODES, OFF, Trail
from graphdebug.runtime.backends.torch.warned import WarningPlaces
from graphdebug.runtime.backends.torch.watches import Watched, Watches, unwatchable, wrong
from graphdebug.runtime.past import Past

if TYPE_CHECKING:
    from graphdebug.protocol.runtime import DataBreakpoint
    from graphdebug.runtime.boot import Runtime
    from graphdebug.runtime.data_breakpoints import Target
    from graphdebug.runtime.explanations import Explanation

_NEEDED = (
    "_autograd._get_sequence_nr",
    "_get_tracing_state",
    "_get_function_stack_at",
    "_len_torch_function_stack",
    "_pop_torch_function_stack",
    "_push_on_torch_function_stack",
    "_jit_get_schemas_for_operator",
    "DisableTorchFunction",
)
"""The private parts of ``torch._C`` that everything here stands on."""

UNWATCHED = 'data breakpoints need "capture" to be "nodes" or "values"'

_TRACERS = (
    (torch.jit._trace, "_trace_impl", "func"),
    (torch.jit._trace, "trace_module", "mod"),
    (torch.jit, "trace_module", "mod"),
    (torch.jit._trace, "_get_trace_graph", "f"),
)
"""They note the innermost Python line of each operation, which would be ours."""


_TRACERS_FILES = (
    "torch/jit/_trace.py",
    "torch/export/_trace.py",
    "torch/fx/_symbolic_trace.py",
    "torch/fx/experimental/proxy_tensor.py",
)
"""While they are on the stack, lines run to be recorded."""


class _Thread:
    """Ends with its thread, and takes the mode off the thread's stack then.

    Left there, torch would wait for the GIL to let go of it, which an ending thread never gets.
    """

    def __init__(self, trail: Trail) -> None:
        self.trail = trail

    def __del__(self) -> None:
        modes.take_out(self.trail.mode)


class TorchBackend(Backend):
    """Observes PyTorch with what Python offers; nothing is compiled.

    Each thread has a trail of its own, from its first backward pass or optimizer step on; the one
    that imported torch has it from the import. ``configure`` and ``remove`` may be called from any.
    """

    name = "torch"

    def __init__(self, runtime: Runtime) -> None:
        super().__init__(runtime)
        self.optimizers: weakref.WeakSet[Any] = weakref.WeakSet()
        self.backward_passes = 0
        self.watches: Watches | None = None
        self.scaled = False
        self.active = self._installed = False
        self._local = threading.local()
        self._trails: weakref.WeakSet[Trail] = weakref.WeakSet()
        self._patches = Patches()
        self._handles: list[Any] = []
        self._visible_patches = Patches()
        self._visible = Visible(self._put_in, self._take_out)
        self.boundary = Boundary(self)
        self.eager_functions = EagerFunctions(self)
        self.dynamo_graphs: DynamoGraphs
        self.recompiles: Recompiles
        self._scripts = ScriptCalls(self)
        self._dynamo: list[CompiledCalls | DynamoGraphs | Recompiles] = []
        self._step_hooks = step_hooks(self)
        self._warnings = WarningPlaces(ForwardMode.__torch_function__.__code__, self.fail)
        self._original = torch.overrides.has_torch_function
        self._has_torch_function = self._unaware(self._original)

    @property
    def version(self) -> str:
        """torch's."""
        return str(torch.__version__)

    @property
    def level(self) -> int:
        """How much is recorded."""
        return LEVELS[self.runtime.configuration.capture] if self.active else OFF

    # -- hooks

    def install(self) -> None:
        """Hook the engine, the optimizers, the compiler, and this thread's operations."""
        for name in _NEEDED:
            owner: Any = torch._C
            for part in name.split("."):
                owner = getattr(owner, part, None)
            if owner is None:
                raise HookUnfit(f"torch has no _C.{name}")
        self.active = True
        engines: dict[Any, Callable[..., Any]] = {}

        def engine(original: Any) -> Any:
            return engines.setdefault(original, observed_engine(original, self))

        def init(original: Any) -> Any:
            return observed_init(original, self)

        for module in (torch.autograd.graph, torch.autograd):
            self._part("backward passes", module, "_engine_run_backward", engine, ("t_outputs",))
        self._part("optimizers", torch.optim.Optimizer, "__init__", init, ("self", "params"))
        scaler = torch.amp.GradScaler
        scale = noting_scales(self)
        self._part("whether losses are scaled", scaler, "scale", scale, ("self", "outputs"))
        for module, name, parameter in _TRACERS:
            self._part("what is traced", module, name, self._unobserved, (parameter,))
        self._put_in()
        self.dynamo_graphs, self.recompiles = DynamoGraphs(self), Recompiles(self)
        compiled = CompiledCalls(self, self._visible)
        self._dynamo = [compiled, self.dynamo_graphs, self.recompiles]
        self._warnings.install()
        self.trail()
        self._installed = True

    def remove(self) -> None:
        """Take every hook out, from this thread at once, from others when they come by."""
        self.active = False
        self._patches.restore()
        self._warnings.remove()
        for hooks in self._dynamo:
            hooks.remove()
        self._take_out()
        self._visible_patches.restore()
        self._scripts.remove()
        self.watch(())
        for trail in list(self._trails):
            trail.level = trail.wanted = OFF
        thread = getattr(self._local, "thread", None)
        if thread is not None:
            if modes.take_out(thread.trail.mode):
                thread.trail.on = False
            elif thread.trail.on:
                modes.leave_soon(thread.trail.mode)

    def configure(self) -> None:
        """Record as much as the configuration now says, and look at as much as breakpoints need."""
        for trail in list(self._trails):
            trail.configure()

    breakpoints_changed = configure

    def finish(self) -> None:
        """Report the step that is open in this thread."""
        if (thread := getattr(self._local, "thread", None)) is not None:
            thread.trail.finish()

    def cell(self, over: bool) -> None:
        if (thread := getattr(self._local, "thread", None)) is not None:
            thread.trail.cell(over)

    def _part(
        self,
        what: str,
        owner: Any,
        name: str,
        wrap: Callable[[Any], Any],
        parameters: Sequence[str],
    ) -> None:
        try:
            self._patches.replace(owner, name, parameters, wrap)
        except HookUnfit as error:
            self.unfit(f"{what} isn't seen", error)

    def _put_in(self) -> None:
        if not self.active:
            return
        before, after = self._step_hooks
        self._handles.append(register_optimizer_step_pre_hook(before))
        self._handles.append(register_optimizer_step_post_hook(after))
        resumed = self._visible_patches.resume()
        for owner in () if resumed else (torch.optim.Optimizer, torch.nn.Module):
            self._visible_patches.replace(owner, "zero_grad", ("self", "set_to_none"), self._quiet)
        torch.overrides.has_torch_function = self._has_torch_function
        torch.jit._builtins._register_builtin(self._has_torch_function, "aten::has_torch_function")
        try:
            self._scripts.put_in()
        except HookUnfit as error:
            self._scripts.remove()
            self.unfit("calls of scripts and exported programs aren't seen", error)

    def _take_out(self) -> None:
        self._scripts.take_out()
        while self._handles:
            self._handles.pop().remove()
        self._visible_patches.suspend()
        torch.overrides.has_torch_function = self._original

    def _unaware(self, original: Callable[[Any], bool]) -> Callable[[Any], bool]:
        """``has_torch_function`` as it answers without our mode.

        Modules that ask it by this name take another way where a mode is on, such as a transformer's
        layers in evaluation, and come to other results in the last bit.
        """

        def has_torch_function(relevant_args: Any) -> bool:
            with self._without_mode():
                return original(relevant_args)

        return has_torch_function

    def _unobserved(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """The function, run without the mode."""

        @functools.wraps(original)
        def unobserved(*args: Any, **kwargs: Any) -> Any:
            self._visible.hide()
            with self._without_mode():
                try:
                    return original(*args, **kwargs)
                except BaseException as error:
                    unmark(error)
                    raise
                finally:
                    self._visible.show()

        return unobserved

    def _quiet(self, original: Callable[..., None]) -> Callable[..., None]:
        """``zero_grad`` without the mode, which would see it look at every gradient."""

        @functools.wraps(original)
        def zero_grad(self_: Any, set_to_none: bool = True) -> None:
            thread = getattr(self._local, "thread", None)
            if thread is not None:
                thread.trail.learning.zeroed = True
            if not set_to_none:
                return original(self_, set_to_none)
            with self._without_mode():
                return original(self_, set_to_none)

        return zero_grad

    @contextmanager
    def _without_mode(self) -> Iterator[None]:
        thread = getattr(self._local, "thread", None)
        mode = thread.trail.mode if thread is not None else None
        taken_off = mode is not None and modes.take_off(mode)
        try:
            yield
        finally:
            if taken_off:
                modes.put_on(mode)

    # -- what the hooks use

    def trail(self) -> Trail | None:
        """The calling thread's; its mode goes on or off here if it has to."""
        thread = getattr(self._local, "thread", None)
        if thread is None:
            if not self.active:
                return None
            thread = self._local.thread = _Thread(Trail(self))
            thread.trail.mode = ForwardMode(thread.trail)
            thread.trail.updates = OptimizerSteps(thread.trail)
            self._trails.add(thread.trail)
        trail: Trail = thread.trail
        if trail.standing:
            return None
        if trail.level == OFF and trail.wanted != OFF:
            trail.wake()
        if trail.level < NODES:
            if trail.on and modes.take_out(trail.mode):
                trail.on = False
        elif not trail.on and trail.aside is None:
            modes.put_under(trail.mode)
            trail.on = True
        return trail

    def trains(self) -> bool:
        """Whether the program has an optimizer, or has run a backward pass."""
        return bool(self.optimizers) or self.backward_passes > 0

    def unfit(self, consequence: str, error: Exception) -> None:
        """A part of torch isn't as it was written for: what stays off, said once."""
        text = f"{consequence}: {error}"
        if text not in self.reason:
            self.reason = "; ".join(filter(None, (self.reason, text)))
            if self._installed:
                self.runtime.tell_state(self)

    def fail(self, what: str, error: Exception) -> None:
        """An error of ours: take the hooks out, and say so once."""
        self.runtime.give_up(self, what, error)

    # -- what the debugger asks

    def owns(self, value: object) -> bool:
        """Whether it is a tensor."""
        return isinstance(value, torch.Tensor)

    def place(self) -> str:
        """``tracing`` where a tracer or an exporter runs the program to see what it does."""
        frame: FrameType | None = sys._getframe(1)
        while frame is not None:
            if frame.f_code.co_filename.replace("\\", "/").endswith(_TRACERS_FILES):
                return "tracing"
            frame = frame.f_back
        return "eager"

    def unwatchable(self, value: object, named: bool) -> str:
        """Why a tensor can't have a data breakpoint."""
        return UNWATCHED if self.level < NODES else unwatchable(value)

    def weakly(self, value: Any) -> Callable[[], Any]:
        """torch keeps a tensor's object longer than Python would."""
        reference: Callable[[], Any] = TensorWeakRef(value)
        return reference

    def try_condition(self, target: Target, condition: str, frame: FrameType) -> str:
        """Ask it once."""
        return wrong(target, condition, frame)

    def watch(self, wanted: Sequence[tuple[DataBreakpoint, Target]]) -> None:
        """Look at these tensors from now on; what was seen of those that were set before stays."""
        watched_now = () if self.watches is None else self.watches.watched
        known = {one.breakpoint: one for one in watched_now}
        tell = self.runtime.data_breakpoints.tell
        watched = [
            known.get(item) or Watched(item, target, functools.partial(tell, item.id))
            for item, target in wanted
        ]
        self.watches = Watches(self, watched) if watched else None
        for trail in list(self._trails):
            trail.watches = self.watches

    def past(self) -> Past | str:
        """The steps that the calling thread made last, and the one that it is in."""
        thread = getattr(self._local, "thread", None)
        if self.level < NODES:
            return 'nothing is recorded to step back through: "capture" is "off" or "steps"'
        found = None if thread is None else past_of(thread.trail)
        return found if found is not None and found.steps else NOTHING_YET

    def explain(self, error: BaseException, traceback: TracebackType | None) -> Explanation | None:
        """What is to be said of an error that an operation raised."""
        from graphdebug.runtime.backends.torch import errors

        thread = getattr(self._local, "thread", None)
        return errors.explain(error, traceback, None if thread is None else thread.trail)

    def inspect(self, value: Any, mode: str, index: str | None) -> dict[str, Any]:
        """Look into a live tensor."""
        from graphdebug.runtime.backends.torch import tensors

        return tensors.inspect(value, mode, index)
