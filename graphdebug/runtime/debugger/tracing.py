"""Work of ours that pydevd doesn't look at, where it traces by ``sys.settrace``, up to Python 3.11.

There each call, traced, takes ten times as long. With ``sys.monitoring``, since 3.12, it costs nothing,
and there is nothing to pause. Imported by ``debugger``, ``untraced``, and by whoever pauses.
"""

from __future__ import annotations

import ctypes
import sys
import threading
from collections.abc import Callable
from typing import Any

_State = Callable[[], int]
_Change = Callable[[int], None]


def _interpreters() -> tuple[_State, _Change, _Change] | None:
    """The interpreter's own way to pause the tracing of a thread; None where it has none.

    https://docs.python.org/3.11/c-api/init.html#c.PyThreadState_EnterTracing
    """
    if sys.version_info[:2] != (3, 11):
        return None
    try:
        # A handle of its own: with ``ctypes.pythonapi`` the program would share the signatures.
        library = ctypes.PyDLL(None)
        state = library.PyThreadState_Get
        enter, leave = library.PyThreadState_EnterTracing, library.PyThreadState_LeaveTracing
    except (AttributeError, OSError):
        return None
    state.restype, state.argtypes = ctypes.c_void_p, ()
    enter.restype = leave.restype = None
    enter.argtypes = leave.argtypes = (ctypes.c_void_p,)
    return state, enter, leave


_own = _interpreters()

CHEAP = _own is not None
"""Whether to pause takes about as long as a traced call or two; else some hundred."""


class _Pauses(threading.local):
    depth = 0
    """How often the thread paused, where the interpreter keeps count."""


_pauses = _Pauses()


def pause() -> bool:
    """Let pydevd not see what the calling thread does until ``resume``; whether that is so now."""
    if sys.gettrace() is None:
        return False
    if _own is None:
        return _pause_pydevd()
    state, enter, _ = _own
    enter(state())
    _pauses.depth += 1
    return True


def paused() -> bool:
    """Whether that is so already in the calling thread, where the interpreter keeps count."""
    return _pauses.depth > 0


def resume() -> None:
    """Let it see again, once for each ``pause``."""
    if _own is None:
        sys.modules["pydevd_tracing"].reapply_settrace()
    elif _pauses.depth:
        _pauses.depth -= 1
        state, _, leave = _own
        leave(state())


def _nothing() -> None:
    """Nothing is paused but by ``pause``."""


end_others: Callable[[], None] = _nothing
"""Ends the pauses that a backend made by itself in the calling thread; the backend sets it."""


def end_pauses() -> None:
    """The calling thread is about to stop: pydevd sees it from now on, whoever paused."""
    end_others()
    while _pauses.depth:
        resume()


def _pause_pydevd() -> bool:
    tracing = sys.modules.get("pydevd_tracing")
    holder: Any = getattr(tracing, "TracingFunctionHolder", None)
    # pydevd has put its own in Python's place
    settrace = getattr(holder, "_original_tracing", None)
    here = getattr(tracing, "_last_tracing_func_thread_local", None)
    if settrace is None or not callable(getattr(tracing, "reapply_settrace", None)):
        return False
    if getattr(here, "tracing_func", None) is None:
        return False
    settrace(None)
    return True
