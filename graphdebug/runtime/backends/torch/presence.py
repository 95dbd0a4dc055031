"""What of ours stands where compilers and tracers look: in while none does, out while one is at work."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
import torch.overrides
from torch.optim.optimizer import (
    register_optimizer_step_post_hook,
    register_optimizer_step_pre_hook,
)

from graphdebug.runtime.backends import HookUnfit
from graphdebug.runtime.backends.torch import modes
from graphdebug.runtime.backends.torch.compiled import Visible
from graphdebug.runtime.backends.torch.interrupts import notice, noticed
from graphdebug.runtime.backends.torch.optimizers import step_hooks
from graphdebug.runtime.backends.torch.patches import Patches, unmark
from graphdebug.runtime.backends.torch.scripted import ScriptCalls
from graphdebug.runtime.backends.torch.trail import NODES

if TYPE_CHECKING:
    from graphdebug.runtime.backends.torch.observer import TorchBackend
    from graphdebug.runtime.backends.torch.trail import Trail

TRACERS = (
    (torch.jit._trace, "_trace_impl", "func"),
    (torch.jit._trace, "trace_module", "mod"),
    (torch.jit, "trace_module", "mod"),
    (torch.jit._trace, "_get_trace_graph", "f"),
)
"""They note the innermost Python line of each operation, which would be ours."""


class Presence:
    """The hooks of optimizer steps, ``zero_grad``, scripts and ``has_torch_function``."""

    def __init__(self, backend: TorchBackend, trail: Callable[[], Trail | None]) -> None:
        """``trail`` gives the calling thread's."""
        self._backend, self._trail = backend, trail
        self._handles: list[Any] = []
        self._patches, self._patched = Patches(), False
        self.visible = Visible(self.put_in, self._take_out)
        self._scripts = ScriptCalls(backend)
        self._step_hooks = step_hooks(backend)
        self._original = torch.overrides.has_torch_function
        self._has_torch_function = self._unaware(self._original)

    def remove(self) -> None:
        """Take it out for good."""
        self._take_out()
        self._patches.restore()
        self._scripts.remove()

    def suspend(self) -> None:
        """Take out for a while what is nothing but in the way while nothing is wanted."""
        self._patches.suspend()

    def resume(self) -> None:
        """Put it in again, unless a compiler looks."""
        self.visible.unless_hidden(self._patches.resume)

    def put_in(self) -> None:
        """Put it in."""
        if not self._backend.active:
            return
        before, after = self._step_hooks
        self._handles.append(register_optimizer_step_pre_hook(before))
        self._handles.append(register_optimizer_step_post_hook(after))
        if not self._patched:
            self._patched = True
            for owner in (torch.optim.Optimizer, torch.nn.Module):
                self._patches.replace(owner, "zero_grad", ("self", "set_to_none"), self._quiet)
        elif not self._backend.asleep:
            self._patches.resume()
        torch.overrides.has_torch_function = self._has_torch_function
        torch.jit._builtins._register_builtin(self._has_torch_function, "aten::has_torch_function")
        try:
            self._scripts.put_in()
        except HookUnfit as error:
            self._scripts.remove()
            self._backend.unfit("calls of scripts and exported programs aren't seen", error)

    def _take_out(self) -> None:
        self._scripts.take_out()
        while self._handles:
            self._handles.pop().remove()
        self._patches.suspend()
        torch.overrides.has_torch_function = self._original

    def _unaware(self, original: Callable[[Any], bool]) -> Callable[[Any], bool]:
        """``has_torch_function`` as it answers without our mode.

        Modules that ask it by this name take another way where a mode is on, such as a transformer's
        layers in evaluation, and come to other results in the last bit.
        """

        def has_torch_function(relevant_args: Any) -> bool:
            try:
                if self._backend.asleep:
                    return original(relevant_args)
                with self._without_mode():
                    return original(relevant_args)
            except BaseException as error:
                unmark(error)
                raise

        return has_torch_function

    def unobserved(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """The function, run without the mode."""

        @functools.wraps(original)
        def unobserved(*args: Any, **kwargs: Any) -> Any:
            self.visible.hide()
            with self._without_mode():
                try:
                    return original(*args, **kwargs)
                except BaseException as error:
                    unmark(error)
                    raise
                finally:
                    self.visible.show()

        return unobserved

    def _quiet(self, original: Callable[..., None]) -> Callable[..., None]:
        """``zero_grad`` without the mode, which would see it look at every gradient."""

        backend = self._backend

        @functools.wraps(original)
        def zero_grad(self_: Any, set_to_none: bool = True) -> None:
            trail, quiet = None if backend.asleep else self._trail(), False
            if trail is not None and trail.level >= NODES:
                trail.learning.zeroed = True
                quiet = set_to_none and modes.take_off(trail.mode)
            try:
                return original(self_, set_to_none)
            except BaseException as error:
                if quiet:
                    notice(trail, error)
                unmark(error)
                raise
            finally:
                if quiet and trail is not None:
                    modes.put_on(trail.mode)

        return zero_grad

    @contextmanager
    def _without_mode(self) -> Iterator[None]:
        trail, taken_off = self._trail(), False
        with noticed(trail):
            taken_off = trail is not None and modes.take_off(trail.mode)
            try:
                yield
            finally:
                if taken_off and trail is not None:
                    modes.put_on(trail.mode)
