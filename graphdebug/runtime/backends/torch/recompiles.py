"""Why dynamo compiled a function again: which argument was what, and is what now.

Dynamo says which of its guards failed; what a guard means in the user's words comes from what the
arguments were at the compilation before. Nothing of the user's logging is changed.
"""

from __future__ import annotations

import functools
import reprlib
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from types import CodeType, ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple

import torch

from graphdebug.protocol.model import Source
from graphdebug.runtime.backends import HookUnfit
from graphdebug.runtime.backends.torch import guard_words
from graphdebug.runtime.backends.torch.graphs import name_of, source_of_code
from graphdebug.runtime.backends.torch.patches import Patches, WhenImported, unmark
from graphdebug.runtime.frames import source_of, user_frame

if TYPE_CHECKING:
    from graphdebug.runtime.backends.torch.observer import TorchBackend

REASONS = ("get_and_maybe_log_recompilation_reasons", "get_and_maybe_log_recompilation_reason")
LIMITS = ("exceeds_recompile_limit", "exceeds_cache_size_limit")
COMPILATIONS_LIMIT = 64
"""Compilations of one function that are remembered."""

GIVEN_UP = (
    "{} was compiled {} times, which is dynamo's limit ({}): calls that fit none of these run eagerly "
    "from now on, as plain Python, where breakpoints stop at their lines"
)


class Shown(NamedTuple):
    """What is remembered of an argument."""

    text: str
    """For a person."""
    key: Any
    """Tells whether it is the same."""


@dataclass
class _Compiling:
    """A compilation under way."""

    reasons: list[str] = field(default_factory=list)
    limit: str = ""


class Recompiles:
    """Hooks dynamo's compilation of a frame, on the thread that compiles."""

    def __init__(self, backend: TorchBackend) -> None:
        self._backend = backend
        self._patches = Patches()
        self._local = threading.local()
        self._arguments: dict[CodeType, list[dict[str, Shown]]] = {}
        self._waiting = WhenImported("torch._dynamo.convert_frame", self._hook)

    def remove(self) -> None:
        """Take the hooks out."""
        self._waiting.cancel()
        self._patches.restore()

    def take(self) -> list[str]:
        """What was said since it was last asked, on this thread."""
        said: list[str] = getattr(self._local, "said", [])
        self._local.said = []
        return said

    def _hook(self, module: ModuleType) -> None:
        try:
            reasons = next((name for name in REASONS if name in vars(module)), REASONS[0])
            limit = next((name for name in LIMITS if name in vars(module)), LIMITS[0])
            self._patches.replace(module, reasons, (), self._noting_reasons)
            self._patches.replace(module, limit, (), self._noting_limit)
            names = ("code", "globals", "locals")
            self._patches.replace(module, "_compile", names, self._compilation)
        except HookUnfit as error:
            self._patches.restore()
            self._backend.unfit("recompilations aren't told", error)

    def _noting_reasons(self, original: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(original)
        def get_and_maybe_log_recompilation_reasons(*args: Any, **kwargs: Any) -> Any:
            result = original(*args, **kwargs)
            compiling = getattr(self._local, "compiling", None)
            if compiling is not None and result:
                compiling.reasons = [result] if isinstance(result, str) else list(result)
            return result

        return get_and_maybe_log_recompilation_reasons

    def _noting_limit(self, original: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(original)
        def exceeds_recompile_limit(*args: Any, **kwargs: Any) -> Any:
            result = original(*args, **kwargs)
            compiling = getattr(self._local, "compiling", None)
            if compiling is not None and isinstance(result, tuple) and result[0]:
                compiling.limit = str(result[1])
            return result

        return exceeds_recompile_limit

    def _compilation(self, original: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(original)
        def _compile(code: Any, globals: Any, locals: Any, *args: Any, **kwargs: Any) -> Any:
            outer = getattr(self._local, "compiling", None)
            compiling = self._local.compiling = _Compiling()
            try:
                return original(code, globals, locals, *args, **kwargs)
            except BaseException as error:
                unmark(error)
                raise
            finally:
                self._local.compiling = outer
                self._compiled(compiling, code, locals)

        return _compile

    def _compiled(self, compiling: _Compiling, code: Any, locals: Mapping[str, Any]) -> None:
        try:
            now = dict(_shown(locals, code))
            known = self._arguments.setdefault(code, [])
            if compiling.reasons and source_of_code(code):
                words = guard_words.told(compiling.reasons, known, now, locals)
                self._tell(compiling, code, words, len(known))
            known.append(now)
            del known[:-COMPILATIONS_LIMIT]
        except Exception as error:
            self._backend.fail("a recompilation", error)

    def _tell(self, compiling: _Compiling, code: CodeType, words: str, times: int) -> None:
        name = guard_words.plain(name_of(code))
        message = f"{name} was compiled again: {words}"
        if compiling.limit:
            message = f"{GIVEN_UP.format(name, times, compiling.limit)}; the last reason: {words}"
        frame = user_frame()
        source: Source | None = None if frame is None else source_of(frame)
        self._backend.runtime.recorder.alert("recompile", message, source=source)
        said = self._local.said = getattr(self._local, "said", [])
        said.append(message)


def _shown(locals: Mapping[str, Any], code: CodeType) -> Iterator[tuple[str, Shown]]:
    for name, value in locals.items():
        yield name, shown(value)


def shown(value: Any) -> Shown:
    """An argument, without a reference to it."""
    if isinstance(value, torch.Tensor):
        with torch._C.DisableTorchFunction():
            shape = tuple(size if type(size) is int else -1 for size in value.shape)
            dtype = str(value.dtype).removeprefix("torch.")
            device, follows = str(value.device), bool(value.requires_grad)
        grad = " that requires grad" if follows else ""
        text = f"a {dtype} tensor of shape {shape} on {device}{grad}"
        return Shown(text, ("tensor", shape, dtype, device, follows))
    if value is None or isinstance(value, (bool, int, float, str)):
        return Shown(f"the value {reprlib.repr(value)}", (type(value), value))
    if isinstance(value, (list, tuple, dict, set)):
        kind = type(value).__name__
        return Shown(f"a {kind} of length {len(value)}", (kind, len(value)))
    kind = type(value).__name__
    return Shown(f"a {kind}", kind)
