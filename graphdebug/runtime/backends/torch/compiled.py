"""Calls of compiled functions: stays out of the compiler's way, and knows which graphs ran in each.

A call begins where torch hands its thread's frames to dynamo and ends where the same frame takes them
back. In between, functions that dynamo leaves alone run as they are, and are observed as they are.
"""

from __future__ import annotations

import functools
import sys
import threading
from collections.abc import Callable
from types import CodeType, FrameType, ModuleType
from typing import TYPE_CHECKING, Any

from graphdebug.runtime.backends import HookUnfit
from graphdebug.runtime.backends.torch import modes
from graphdebug.runtime.backends.torch.patches import Patches, WhenImported, unmark
from graphdebug.runtime.backends.torch.pending import Aside
from graphdebug.runtime.backends.torch.records import COMPILED
from graphdebug.runtime.backends.torch.trail import NODES, VALUES, Trail, clock, sequence
from graphdebug.runtime.frames import user_frame

if TYPE_CHECKING:
    from graphdebug.runtime.backends.torch.observer import TorchBackend


_DYNAMO = "torch._dynamo.eval_frame"


class CompiledCalls:
    """Steps aside while dynamo looks at a thread's frames.

    It would trace through our mode, and through what we put into torch's Python code.
    """

    def __init__(self, backend: TorchBackend, visible: Visible) -> None:
        self._backend = backend
        self._visible = visible
        self._hooked = False
        self._patches, self._first = Patches(), Patches()
        known = _DYNAMO in sys.modules  # something may have been compiled already
        self._waiting = WhenImported(_DYNAMO, self._hook if known else self._wait)

    def remove(self) -> None:
        """Take the hooks out of dynamo."""
        self._waiting.cancel()
        self._first.restore()
        self._patches.restore()

    def _wait(self, module: ModuleType) -> None:
        """Until something is to be compiled nothing is hooked that each optimizer's step calls."""
        try:
            context = module.OptimizeContext
            made = functools.partial(self._made, module)
            self._first.replace(context, "__init__", ("self", "callback"), made)
        except (AttributeError, HookUnfit):
            self._hook(module)

    def _made(self, module: ModuleType, original: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(original)
        def init(self_: Any, *args: Any, **kwargs: Any) -> None:
            self._first.restore()
            self._hook(module)
            try:
                original(self_, *args, **kwargs)
            except BaseException as error:
                unmark(error)
                raise

        return init

    def _hook(self, module: ModuleType) -> None:
        if self._hooked or not self._backend.active:
            return
        self._hooked = True
        try:
            for name in ("set_eval_frame", "_maybe_set_eval_frame"):
                if name in vars(module) or name == "set_eval_frame":
                    self._patches.replace(module, name, (), self._observed)
        except HookUnfit as error:
            self._backend.unfit("calls of compiled functions aren't seen", error)

    def _observed(self, original: Callable[..., Any]) -> Callable[..., Any]:
        on, off, visible = self._on, self._off, self._visible

        @functools.wraps(original)
        def set_eval_frame(callback: Any) -> Any:
            if callback is None:
                prior = original(None)
                if prior is not None and visible.used:
                    off(sys._getframe(1))
                return prior
            # From here on dynamo looks at every function that is called.
            return original(on(sys._getframe(1), callback))

        return set_eval_frame

    def _on(self, frame: FrameType, callback: Any) -> Any:
        """Dynamo is switched on by ``frame``; returns what it is to call."""
        try:
            trail = self._backend.trail()
            if trail is None:
                return callback
            aside = trail.aside
            if aside is None:
                if frame.f_code.co_name == "__enter__":  # another frame will switch it off
                    return callback
                self._backend.runtime.stops.went_on()
                if trail.watches is not None:
                    trail.watches.before(frame)
                callback = self._backend.eager_functions.callback(frame, callback)
                if callback is None:
                    return None
                trail.aside = aside = Aside(frame, _name(frame), entry(frame), sequence(), clock())
                aside.handling = sys.exc_info()[1]
                self._backend.dynamo_graphs.follow(aside.ran)
            if not aside.out:
                self._step_out(trail, aside)
        except BaseException as error:
            self._backend.fail("a compiled call", error)
        return callback

    def _off(self, frame: FrameType) -> None:
        """Dynamo is switched off by ``frame``, for good or while a function runs as it is."""
        try:
            trail = self._backend.trail()
            if trail is None or trail.aside is None:
                return
            aside = trail.aside
            over = aside.frame is frame
            if aside.out and (over or not self._backend.dynamo_graphs.runs(frame)):
                self._step_back(trail, aside)
            if over:
                trail.aside = None
                self._over(trail, aside)
                if trail.watches is not None:
                    trail.watches.after(frame, f"{aside.name}, which is compiled", [])
        except BaseException as error:
            self._backend.fail("a compiled call", error)

    def _step_out(self, trail: Trail, aside: Aside) -> None:
        aside.out = True
        self._visible.hide()
        aside.taken_out = modes.take_out(trail.mode)

    def _step_back(self, trail: Trail, aside: Aside) -> None:
        aside.out = False
        self._visible.show()
        if aside.taken_out:
            modes.put_on(trail.mode)

    def _over(self, trail: Trail, aside: Aside) -> None:
        duration = clock() - aside.start
        self._backend.dynamo_graphs.follow(None)
        frame = aside.frame
        if aside.ran:  # else Python ran it all
            add_call(trail, aside.name, aside.seq, aside.start, frame)
        caller = user_frame(frame)
        aside.frame = None
        failed = sys.exc_info()[1] is not aside.handling
        aside.handling = None
        self._backend.eager_functions.ran(aside.entry, aside.ran)
        if failed:
            self._backend.recompiles.take()
        else:
            self._backend.boundary.over("torch.compile", aside.name, caller, aside.ran, duration)


class Visible:
    """What of ours stands in the way of compilers: out while any thread is within a compiled call."""

    def __init__(self, put_in: Callable[[], None], take_out: Callable[[], None]) -> None:
        self._put_in, self._take_out = put_in, take_out
        self.hidden = 0
        """How many threads are within a compiled call."""
        self.used = False
        """Whether there has been a compiled call."""
        self._lock = threading.Lock()

    def hide(self) -> None:
        """A thread begins a compiled call."""
        with self._lock:
            self.hidden += 1
            self.used = True
            if self.hidden == 1:
                self._take_out()

    def unless_hidden(self, call: Callable[[], object]) -> None:
        """Call it where no thread is within a compiled call; else ``put_in`` does that in time."""
        with self._lock:
            if self.hidden == 0:
                call()

    def show(self) -> None:
        """A thread has ended a compiled call."""
        with self._lock:
            self.hidden -= 1
            if self.hidden == 0:
                self._put_in()


def entry(frame: FrameType) -> CodeType | None:
    """The code of the function that dynamo's frame calls: a module's is its class's ``forward``."""
    function = frame.f_locals.get("fn")
    owner = getattr(function, "__self__", None)
    if owner is not None and hasattr(type(owner), "forward"):
        function = type(owner).forward
    code = getattr(function, "__code__", None)
    return code if isinstance(code, CodeType) else None


def _name(frame: FrameType) -> str:
    """What is compiled, told by dynamo's frame."""
    function = frame.f_locals.get("fn")
    owner = getattr(function, "__self__", None)
    if owner is not None and hasattr(type(owner), "forward"):
        return type(owner).__name__
    return str(getattr(function, "__name__", None) or type(function).__name__)


def add_call(trail: Trail, name: str, seq: int, start: int, frame: FrameType | None) -> None:
    """Add the one node that a call of a graph, which ``frame`` made, is in the step around it."""
    if trail.level < NODES or trail.in_backward:
        return
    trail.steps += 1  # the call is one
    seqs = seq, sequence()
    if trail.pending is not None or seq == trail.base:
        trail.look(frame, COMPILED, (), *seqs)
    added = trail.add(COMPILED, (), None, None, frame, seqs, clock() - start, name=name)
    if added and trail.level == VALUES:
        trail.values.append(((), ()))
