"""The torch backend: puts the hooks in, and takes them out."""

from __future__ import annotations

import functools
import sys
import threading
import weakref
from collections.abc import Callable, Sequence
from contextlib import suppress
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Any

import torch
from torch.utils.weak import TensorWeakRef

from graphdebug.runtime.backends import Backend, HookUnfit
from graphdebug.runtime.backends.torch import modes
from graphdebug.runtime.backends.torch.backward import observed_engine
from graphdebug.runtime.backends.torch.boundary import Boundary
from graphdebug.runtime.backends.torch.compiled import CompiledCalls
from graphdebug.runtime.backends.torch.dynamo_graphs import DynamoGraphs
from graphdebug.runtime.backends.torch.eager_functions import EagerFunctions
from graphdebug.runtime.backends.torch.forward import ForwardMode
from graphdebug.runtime.backends.torch.gradient_watch import noting_scales
from graphdebug.runtime.backends.torch.interrupts import begin_anew, is_interrupt, is_torn, notice
from graphdebug.runtime.backends.torch.native import Tiers
from graphdebug.runtime.backends.torch.optimizers import OptimizerSteps, observed_init
from graphdebug.runtime.backends.torch.past import NOTHING_YET, past_of
from graphdebug.runtime.backends.torch.patches import Patches
from graphdebug.runtime.backends.torch.presence import TRACERS, Presence
from graphdebug.runtime.backends.torch.recompiles import Recompiles
from graphdebug.runtime.backends.torch.trail import LEVELS, NODES, OFF, Trail
from graphdebug.runtime.backends.torch.warned import WarningPlaces
from graphdebug.runtime.backends.torch.watches import Watched, Watches, unwatchable, wrong
from graphdebug.runtime.debugger import held
from graphdebug.runtime.past import Past

if TYPE_CHECKING:
    from graphdebug.protocol.runtime import DataBreakpoint
    from graphdebug.runtime.data_breakpoints import Target
    from graphdebug.runtime.explanations import Explanation
    from graphdebug.runtime.runtime import Runtime

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
    """Observes PyTorch with what Python offers; ``tiers`` may make it quicker.

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
        self.asleep = False
        """Whether nothing is wanted of it, and nothing left to end: steps are counted, that is all."""
        self._local = threading.local()
        self._trails: list[weakref.ref[Trail]] = []
        self._patches, self._engine = Patches(), Patches()
        self._presence = Presence(self, self.here)
        self.tiers = Tiers(lambda: runtime.tell_state(self))
        self.boundary = Boundary(self)
        self.eager_functions = EagerFunctions(self)
        self.dynamo_graphs: DynamoGraphs
        self.recompiles: Recompiles
        self._dynamo: list[CompiledCalls | DynamoGraphs | Recompiles] = []
        self._warnings = WarningPlaces(ForwardMode.python.__code__, self.fail)

    @property
    def version(self) -> str:
        """torch's."""
        return str(torch.__version__)

    @property
    def tier(self) -> tuple[str, str]:
        """``native`` once what was built for this torch has taken over."""
        return self.tiers.tier, self.tiers.reason

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
            self._part(
                "backward passes", module, "_engine_run_backward", engine, ("t_outputs",),
                self._engine,
            )  # fmt: skip
        self._part("optimizers", torch.optim.Optimizer, "__init__", init, ("self", "params"))
        scaler = torch.amp.GradScaler
        scale = noting_scales(self)
        self._part("whether losses are scaled", scaler, "scale", scale, ("self", "outputs"))
        for module, name, parameter in TRACERS:
            self._part("what is traced", module, name, self._presence.unobserved, (parameter,))
        self._presence.put_in()
        self.dynamo_graphs, self.recompiles = DynamoGraphs(self), Recompiles(self)
        compiled = CompiledCalls(self, self._presence.visible)
        self._dynamo = [compiled, self.dynamo_graphs, self.recompiles]
        self._warnings.install()
        held.told.append(self._was_held)
        self.trail()
        self.tiers.install()
        self._installed = True

    def remove(self) -> None:
        """Take every hook out, from this thread at once, from others when they come by."""
        self.active = False
        self._patches.restore()
        self._engine.restore()
        self._warnings.remove()
        with suppress(ValueError):  # it was never put there
            held.told.remove(self._was_held)
        for hooks in self._dynamo:
            hooks.remove()
        self._presence.remove()
        self.tiers.remove()
        self.watch(())
        for trail in self._known():
            trail.level = trail.wanted = OFF
        self.asleep = False
        thread = getattr(self._local, "thread", None)
        if thread is not None:
            if modes.take_out(thread.trail.mode):
                thread.trail.on = False
            elif thread.trail.on:
                modes.leave_soon(thread.trail.mode)

    def configure(self) -> None:
        """Record as much as the configuration now says, and look at as much as breakpoints need."""
        for trail in self._known():
            trail.configure()
        self._wake()

    breakpoints_changed = configure

    def finish(self) -> None:
        """Report the step that is open in this thread."""
        if (thread := getattr(self._local, "thread", None)) is not None:
            thread.trail.finish()

    def cell(self, over: bool) -> None:
        if (here := self.here()) is None:
            return
        if modes.is_lost(here):
            begin_anew(here)
        if (trail := self.trail()) is not None:
            trail.cell(over)

    def _part(
        self,
        what: str,
        owner: Any,
        name: str,
        wrap: Callable[[Any], Any],
        parameters: Sequence[str],
        patches: Patches | None = None,
    ) -> None:
        try:
            (patches or self._patches).replace(owner, name, parameters, wrap)
        except HookUnfit as error:
            self.unfit(f"{what} isn't seen", error)

    def _was_held(self, nanoseconds: int) -> None:
        if (trail := self.here()) is not None:
            trail.was_held(nanoseconds)

    # -- what the hooks use

    def here(self) -> Trail | None:
        """The calling thread's, as it is."""
        thread = getattr(self._local, "thread", None)
        return thread.trail if thread is not None else None

    def trail(self) -> Trail | None:
        """The calling thread's; its mode goes on or off here if it has to."""
        thread = getattr(self._local, "thread", None)
        if thread is None:
            if not self.active:
                return None
            thread = self._local.thread = _Thread(Trail(self))
            thread.trail.mode = ForwardMode(thread.trail)
            thread.trail.updates = OptimizerSteps(thread.trail)
            self._trails.append(weakref.ref(thread.trail, self._trails.remove))
        trail: Trail = thread.trail
        if is_torn(trail):
            begin_anew(trail)
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

    def passed(self) -> None:
        """An optimizer made a step that isn't recorded."""
        self.unrecorded += 1
        if not self.asleep and self._rests():
            self.asleep = True
            self._engine.suspend()
            self._presence.suspend()
            # ``configure`` may have raised a level since, and have woken it before it slept.
            if not self._rests():
                self._wake()

    def _rests(self) -> bool:
        return self.active and all(trail.idle for trail in self._known())

    def _wake(self) -> None:
        self.asleep = False
        self._engine.resume()
        self._presence.resume()

    def _known(self) -> list[Trail]:
        found = (reference() for reference in tuple(self._trails))
        return [trail for trail in found if trail is not None]

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

    def fail(self, what: str, error: BaseException) -> None:
        """An error of ours: take the hooks out, and say so once. What isn't ours is raised again."""
        if is_interrupt(error) or not isinstance(error, Exception):
            notice(self.here(), error)
            raise error
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
        for trail in self._known():
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
