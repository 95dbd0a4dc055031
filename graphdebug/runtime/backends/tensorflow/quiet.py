"""Which calls run no Python of the user's but what a graph calls while it runs, or while it is traced.

Of the rest, TensorFlow's own way to the graph and back, a debugger that passes over libraries needn't be
told: that may make it half as long again. Imported by the hooks.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from graphdebug.runtime.backends.tensorflow.calls import Call
from graphdebug.runtime.backends.tensorflow.hooks import GuardedHook
from graphdebug.runtime.backends.tensorflow.patches import Arguments
from graphdebug.runtime.debugger.tracing import resume
from graphdebug.runtime.untraced import pause_if_cheap, pause_in_library

_CONTAINERS = (list, tuple)
_NUMBERS = frozenset({bool, int, float, complex, str, bytes, type(None)})


class QuietHook(GuardedHook):
    """A hook around such a call. Its state is the call, or begins with it."""

    path = ""
    """TensorFlow's file that is called."""

    def quieten(self, call: Call) -> None:
        """Let no debugger see what the call does, unless somebody may stop there."""
        call.paused = pause_in_library(self.path)

    def after(self, state: Any, result: Any, failed: bool) -> Any:
        try:
            return super().after(state, result, failed)
        finally:
            call = state[0] if isinstance(state, tuple) else state
            if call is not None and call.paused:
                resume()


class LoudHook(GuardedHook):
    """A hook around what may run the user's Python within a quiet call: that is traced as ever."""

    def is_loud(self) -> bool:
        """Whether it may do so this time."""
        return True

    def before(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Arguments:
        answer = super().before(args, kwargs)
        call = self.backend.calls.current
        if call is not None and call.paused:
            loud = self.is_loud()
            if loud and not any(call.loud):
                resume()
            call.loud.append(loud)
        return answer

    def after(self, state: Any, result: Any, failed: bool) -> Any:
        try:
            return super().after(state, result, failed)
        finally:
            call = self.backend.calls.current
            if call is not None and call.paused and call.loud.pop() and not any(call.loud):
                call.paused = pause_if_cheap()


def is_run(session: Any, fetches: Any = None, feed_dict: Any = None, *_: Any, **__: Any) -> bool:
    """Whether a call of ``Session.run`` with these arguments, which are left as they are, is one."""
    return (
        _is_tensorflows(type(session))
        and _is_structure(fetches)
        and (
            feed_dict is None or (type(feed_dict) is dict and all(map(_is_fed, feed_dict.items())))
        )
    )


def is_call(arguments: Iterable[Any]) -> bool:
    """Whether a call of a tf.function with these arguments is one."""
    return all(map(_is_argument, arguments))


def _is_structure(fetches: Any) -> bool:
    """Whether it takes nothing of the user's to see what is in it, or to put results in its place."""
    kind = type(fetches)
    if kind is dict:
        return all(map(_is_structure, fetches.values()))
    if kind in _CONTAINERS:
        return all(map(_is_structure, fetches))
    return kind is str or _is_tensorflows(kind)


def _is_fed(item: tuple[Any, Any]) -> bool:
    key, value = item
    return (type(key) is str or _is_tensorflows(type(key))) and _is_array(value)


def _is_argument(value: Any) -> bool:
    kind = type(value)
    if kind is dict:
        return all(map(_is_argument, value.values()))
    if kind in _CONTAINERS:
        return all(map(_is_argument, value))
    return _is_tensorflows(kind) or _is_array(value)


def _is_array(value: Any) -> bool:
    kind = type(value)  # an array of objects asks them what they are
    return kind in _NUMBERS or (_is_numpys(kind) and value.dtype.kind != "O")


def _is_tensorflows(kind: type) -> bool:
    return bool(kind.__module__.startswith("tensorflow."))


def _is_numpys(kind: type) -> bool:
    return kind.__module__ == "numpy" and hasattr(kind, "dtype")
