"""The native tier: what a step that was seen before costs, in C++ instead of Python.

``native.cpp`` is built on first use, in the background, and lies ready from then on
(``native_cache``). It takes the place of some functions, between two operations, at any time: all
that is known of the program stays where it is, in the trails. Where it isn't there, the Python tier
goes on, and the backend's state says why.
"""

from __future__ import annotations

import importlib.machinery
import importlib.util
import os
import threading
from collections.abc import Callable
from types import ModuleType
from typing import TYPE_CHECKING, Literal

from graphdebug.runtime.backends.torch import (
    backward,
    finite,
    gradient_watch,
    learning,
    modes,
    optimizers,
    records,
    trail,
    watch,
)
from graphdebug.runtime.backends.torch.forward import WRITERS, ForwardMode
from graphdebug.runtime.debugger import tracing
from graphdebug.runtime.untraced import untraced_thread

if TYPE_CHECKING:
    from graphdebug.runtime.backends.torch.native_cache import Cache

VARIABLE = "GRAPHDEBUG_TORCH_TIER"
"""The environment variable that chooses: ``auto``, ``python``, or ``native``, which is waited for."""

AUTO, PYTHON, NATIVE = "auto", "python", "native"
_MODULE = "graphdebug_native"

Tier = Literal["python", "native"]


class Tiers:
    """Which tier runs in this process, and why.

    ``begin`` and ``remove`` are called by the backend; what is loaded or built in between is
    on a thread of ours.
    """

    def __init__(self, changed: Callable[[], None]) -> None:
        """``changed`` is called, on our thread, when ``tier`` or ``reason`` did."""
        self._changed = changed
        self._removed = threading.Event()
        self._begun = False
        self.wanted = os.environ.get(VARIABLE, AUTO)
        self.tier: Tier = "python"
        self.reason = ""
        """Why it is the Python tier."""
        if self.wanted not in (AUTO, NATIVE):
            self._begun = True
            asked = "" if self.wanted == PYTHON else ", which is none of auto, python and native"
            self.reason = f"{VARIABLE} is {self.wanted}{asked}"

    def install(self) -> None:
        """torch was imported: nothing is done yet, unless the native tier is to be waited for."""
        if self.wanted == NATIVE:
            self._begun = True
            self._find()

    def begin(self) -> None:
        """A step is over: what begins now is worth it."""
        if not self._begun:
            self._begun = True
            untraced_thread(self._find_and_tell, "graphdebug native").start()

    def remove(self) -> None:
        """Back to the Python tier, for good."""
        self._removed.set()
        self._begun = True
        if self.tier == "native":
            use(None)
            self.tier = "python"

    def _find_and_tell(self) -> None:
        self._find()
        if not self._removed.is_set():
            self._changed()

    def _find(self) -> None:
        from graphdebug.runtime.backends.torch.native_cache import Cache, Unavailable

        try:
            module = self._module(Cache())
            if not self._removed.is_set():
                use(module)
                self.tier, self.reason = "native", ""
        except Unavailable as error:
            self.reason = f"without the native observer: {error}"
        except Exception as error:
            self.reason = f"the native observer failed: {type(error).__name__}: {error}"

    def _module(self, cache: Cache) -> ModuleType:
        from graphdebug.runtime.backends.torch.native_cache import Unavailable

        for _ in range(2):
            path = cache.library()
            if path is None:
                if (failure := cache.failure()) is not None:
                    raise Unavailable(failure)
                if self.wanted == AUTO:
                    self.reason = "the native observer is being built"
                    self._changed()
                cache.build()
                path = cache.library()
            if path is None:
                raise Unavailable(cache.failure() or "its build was broken off")
            try:
                return load(path)
            except ImportError as error:
                problem = error
                cache.discard(path)
        raise Unavailable(f"it can't be loaded: {problem}")


def load(path: str) -> ModuleType:
    """The library, loaded and tried. Raises ImportError or TypeError where it doesn't fit."""
    loader = importlib.machinery.ExtensionFileLoader(_MODULE, path)
    spec = importlib.util.spec_from_file_location(_MODULE, path, loader=loader)
    if spec is None:
        raise ImportError(path)
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    module.bind(trail.Trail, records.Op, watch.Watch, WRITERS)
    given = trail.Trail, watch.Watch, records.Pass, records.Update
    quiet = module.untraced
    functions = (
        *(quiet(backward._begin), quiet(backward._end)),
        *(quiet(optimizers._begin), quiet(optimizers._end)),
        *(gradient_watch.look_safely, optimizers.close_safely),
        *(modes._push, modes._pop, modes._length, modes._at, modes.take_out, optimizers._VARYING),
    )
    module.bind_steps(*given, functions)
    return module


def use(module: ModuleType | None) -> None:
    """Let this tier work from the next operation on; None is the Python tier."""
    finite.quickly = module
    backward.quickly = None if module is None else module.walk
    optimizers.quickly = None if module is None else module.settings
    learning.quickly = None if module is None else module.parameters
    function = ForwardMode.python if module is None else module.torch_function
    ForwardMode.__torch_function__ = function  # type: ignore[method-assign]
    tracing.end_others = _nothing if module is None else module.trace
    if module is None:
        backward.begin, backward.end = backward._begin, backward._end
        optimizers.begin, optimizers.end = optimizers._begin, optimizers._end
    else:
        backward.begin, backward.end = module.begin_pass, module.end_pass
        optimizers.begin, optimizers.end = module.begin_update, module.end_update


def _nothing() -> None:
    """All is traced."""
