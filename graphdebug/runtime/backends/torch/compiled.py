"""Stays out of the way of compilers, and makes one node of each call of a compiled function."""

from __future__ import annotations

import functools
import sys
import threading
from collections.abc import Callable
from types import FrameType, ModuleType
from typing import TYPE_CHECKING, Any

from graphdebug.runtime.backends.torch import modes
from graphdebug.runtime.backends.torch.patches import Patches, WhenImported
from graphdebug.runtime.backends.torch.records import COMPILED
from graphdebug.runtime.backends.torch.trail import NODES, VALUES, Aside, Trail, clock, sequence

if TYPE_CHECKING:
    from graphdebug.runtime.backends.torch.observer import TorchBackend


class CompiledCalls:
    """Steps aside while dynamo looks at a thread's frames.

    It would trace through our mode, and through what we put into torch's Python code.
    """

    def __init__(self, backend: TorchBackend, visible: Visible) -> None:
        self._backend = backend
        self._visible = visible
        self._patches = Patches()
        self._waiting = WhenImported("torch._dynamo.eval_frame", self._hook)

    def remove(self) -> None:
        """Take the hook out of dynamo."""
        self._waiting.cancel()
        self._patches.restore()

    def _hook(self, module: ModuleType) -> None:
        try:
            for name in ("set_eval_frame", "_maybe_set_eval_frame"):
                self._patches.replace(module, name, (), self._observed)
        except Exception as error:
            self._backend.fail("the import of torch._dynamo", error)

    def _observed(self, original: Callable[..., Any]) -> Callable[..., Any]:
        begin, end, visible = self._begin, self._end, self._visible

        @functools.wraps(original)
        def set_eval_frame(callback: Any) -> Any:
            if callback is None:
                prior = original(None)
                if prior is not None and visible.hidden:
                    end()
                return prior
            begin(sys._getframe(1))
            return original(callback)  # from here on dynamo looks at every function that is called

        return set_eval_frame

    def _begin(self, frame: FrameType) -> None:
        try:
            trail = self._backend.trail()
            if trail is None or trail.aside is not None:
                return
            self._visible.hide()
            taken_out = modes.take_out(trail.mode)
            trail.aside = Aside(_name(frame), taken_out, sequence(), clock())
        except Exception as error:
            self._backend.fail("a compiled call", error)

    def _end(self) -> None:
        try:
            trail = self._backend.trail()
            if trail is None or trail.aside is None:
                return
            aside, trail.aside = trail.aside, None
            self._visible.show()
            if aside.taken_out:
                modes.put_on(trail.mode)
            if trail.level >= NODES and not trail.in_backward:
                _add(trail, aside)
        except Exception as error:
            self._backend.fail("a compiled call", error)


class Visible:
    """What of ours stands in the way of compilers: out while any thread is within a compiled call."""

    def __init__(self, put_in: Callable[[], None], take_out: Callable[[], None]) -> None:
        self._put_in, self._take_out = put_in, take_out
        self.hidden = 0
        """How many threads are within a compiled call."""
        self._lock = threading.Lock()

    def hide(self) -> None:
        """A thread begins a compiled call."""
        with self._lock:
            self.hidden += 1
            if self.hidden == 1:
                self._take_out()

    def show(self) -> None:
        """A thread has ended a compiled call."""
        with self._lock:
            self.hidden -= 1
            if self.hidden == 0:
                self._put_in()


def _add(trail: Trail, aside: Aside) -> None:
    frame, seqs = sys._getframe(3), (aside.seq, sequence())
    if trail.pending is not None or aside.seq == trail.base:
        trail.look(frame, COMPILED, (), *seqs)
    ns = clock() - aside.start
    added = trail.add(COMPILED, (), None, None, frame, seqs, ns, name=aside.name)
    if added and trail.level == VALUES:
        trail.values.append(((), ()))


def _name(frame: FrameType) -> str:
    """What is compiled, told by dynamo's frame."""
    function = frame.f_locals.get("fn")
    return str(getattr(function, "__name__", None) or type(function).__name__)
