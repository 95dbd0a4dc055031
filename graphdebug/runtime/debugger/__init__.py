"""The one place that touches debugpy and pydevd inside the user's process.

This module stops in threads and tells how they stand; ``mends`` has what pydevd does better since,
``values`` shows ours in Variables.

Everything here answers quietly where debugpy isn't there, or isn't as this was written for:
``problems`` lists what doesn't fit, and that part stays off.
"""

from __future__ import annotations

import keyword
import sys
import threading
from collections.abc import Callable
from types import FrameType, FunctionType, TracebackType
from typing import Any, Literal

from graphdebug.runtime.debugger import held, tracing

ASK = "__graphdebug_stop__"
"""The parameter of the functions that stand for the user's lines, which they call to stop."""

problems: list[str] = []
"""What of debugpy didn't fit, and what therefore stays off."""


def attached() -> bool:
    """Whether a client debugs this process now."""
    debugpy = sys.modules.get("debugpy")
    if debugpy is None:
        return False
    try:
        return bool(debugpy.is_client_connected())
    except Exception:
        return False


def suspended(ident: int | None = None) -> bool:
    """Whether a thread is stopped; the calling one then runs an evaluation of the user's.

    pydevd says so, too, of a thread that it is going to stop since another one did; of the calling one,
    which runs, that isn't meant.
    """
    if ident is None and held.told_of_all:
        return held.stands()
    return getattr(_thread_info(ident), "pydev_state", None) == _SUSPENDED


_SUSPENDED, _STEPS_IN = 2, (107, 144, 206)
"""pydevd's STATE_SUSPEND; its CMD_STEP_INTO, CMD_STEP_INTO_MY_CODE and CMD_STEP_INTO_COROUTINE."""

_STEPS_OVER, _STEPS_OUT = (108, 159), (109, 160)
"""CMD_STEP_OVER and CMD_STEP_OVER_MY_CODE; CMD_STEP_RETURN and CMD_STEP_RETURN_MY_CODE."""


def raised() -> tuple[BaseException, TracebackType | None] | None:
    """The exception that the calling thread is stopped for, and its traceback from there inwards."""
    try:
        from _pydevd_bundle.pydevd_constants import get_current_thread_id
        from pydevd import get_global_debugger

        frames = get_global_debugger().suspended_frames_manager
        stopped = frames.get_frames_list(get_current_thread_id(threading.current_thread()))
        error, traceback = stopped.exc_desc, stopped.trace_obj
    except Exception:
        return None
    if not isinstance(error, BaseException):
        return None
    return error, traceback if isinstance(traceback, TracebackType) else error.__traceback__


def stepping_in() -> bool:
    """Whether the user steps into what the calling thread does now."""
    return getattr(_thread_info(), "pydev_step_cmd", -1) in _STEPS_IN


def step() -> Literal["", "step", "out"]:
    """The step that the user makes from where the calling thread stood; over with that."""
    command = getattr(_thread_info(), "pydev_step_cmd", -1)
    if command not in (*_STEPS_IN, *_STEPS_OVER, *_STEPS_OUT):
        return ""
    end_step()
    return "out" if command in _STEPS_OUT else "step"


def end_step() -> None:
    """The step of the user's that the calling thread makes is over."""
    info = _thread_info()
    if info is not None:
        info.pydev_step_cmd = info.pydev_original_step_cmd = -1
        info.pydev_step_stop = None


def _thread_info(ident: int | None = None) -> Any:
    thread = threading.current_thread()
    if ident is not None:
        thread = next((item for item in threading.enumerate() if item.ident == ident), thread)
    return getattr(thread, "additional_info", None)


in_notebook = False
"""Whether this is a notebook's kernel. Its debugger looks at libraries, too, if only to step there."""


def users_files() -> Callable[[str], bool] | None:
    """Which files are the user's; None where library code may be stopped in, too, or nobody debugs."""
    try:
        pydb = sys.modules["pydevd"].get_global_debugger()
        rules = pydb._files_filtering._exclude_filters
        users: Callable[[str], bool] = pydb.in_project_roots_filename_uncached
        if any(not rule.exclude for rule in rules):
            return None
        if not pydb.get_use_libraries_filter():
            stops = stepping_in() or not all(map(users, pydb.breakpoints))
            return None if stops or not in_notebook else users
        return users
    except Exception:
        return None


def passes_over(path: str) -> bool:
    """Whether nobody may stop in a file, since it is a library's."""
    try:
        pydb = sys.modules["pydevd"].get_global_debugger()
        version = pydb, pydb.mtime, pydb.get_use_libraries_filter()
    except Exception:
        return False
    known = _passed_over.get(path)
    if known is None or known[0] != version or not version[2]:
        users = users_files()
        known = _passed_over[path] = version, users is not None and not users(path)
    return known[1]


_passed_over: dict[str, tuple[tuple[Any, ...], bool]] = {}
"""Files, what pydevd was when it was asked about each, and the answer."""


def stop_at(frame: FrameType) -> None:
    """Stop at the current line of ``frame``, one of the user's that is waiting for us to return.

    Returns when the user goes on. Where nothing but frames of ours are in between, the stop is in the
    frame itself. Else it is in a synthetic one above it, at the same line and with its locals: a
    debugger stops where a line begins or a call of ours returns, and library code between would run on.
    (``debugpy.breakpoint`` called from library code never stops under justMyCode.)
    """
    from graphdebug.runtime import synthetic  # here, since each debuggee loads this module

    tracing.end_pauses()
    code = frame.f_code
    if _called_us(frame) and not in_notebook:
        asking = synthetic.asks(code.co_filename, code.co_name)
        FunctionType(asking, frame.f_globals)(_breakpoint())
        return
    shown = dict(frame.f_locals)
    if code.co_name == "<module>":  # its names are global; in a notebook people look for them here
        shown = {key: shown[key] for key in shown if in_notebook and _users_name(key)}
    names = tuple(name for name in shown if name.isidentifier())
    showing = synthetic.shows(code.co_filename, frame.f_lineno, code.co_name, names)
    values = [shown[name] for name in names]
    FunctionType(showing, frame.f_globals)(_breakpoint(), *values)
    if in_notebook:
        _step_on_in(frame)


_OF_IPYTHON = ("In", "Out", "exit", "quit", "get_ipython", "open")


def _users_name(name: str) -> bool:
    """Whether a notebook's global isn't IPython's own."""
    return not name.startswith("_") and name not in _OF_IPYTHON


def _step_on_in(frame: FrameType) -> None:
    """A step of the user's, made from above ``frame``, is one in it, not one into library code."""
    info, command = _thread_info(), step()
    if command:
        out = _STEPS_OUT[0] if command == "out" else _STEPS_OVER[0]
        info.pydev_step_cmd = info.pydev_original_step_cmd = out
        info.pydev_step_stop = frame


def show(path: str, line: int, function: str, shown: dict[str, Any], scope: dict[str, Any]) -> None:
    """Stop in a frame of its own, at a line of the user's, with locals ``shown``, globals ``scope``.

    Returns when the user goes on. The frame stands on those that called us.
    """
    from graphdebug.runtime import synthetic  # here, since each debuggee loads this module

    tracing.end_pauses()
    names = tuple(name for name in shown if name.isidentifier() and not keyword.iskeyword(name))
    code = synthetic.shows(path, line, function, names)
    FunctionType(code, scope)(_breakpoint(), *(shown[name] for name in names))


def _breakpoint() -> Callable[[], None]:
    """What stops in the frame that calls it.

    ``debugpy.breakpoint`` passes over debugpy's own frames, of which pydevd doesn't know in child
    processes, where it runs as a script: it would wait there for one of them to end, which it doesn't
    trace.
    """
    import debugpy

    try:
        import pydevd

        runs_as_script = pydevd.PyDB.__module__ == "__main__"
    except Exception:
        runs_as_script = False
    return _settrace if runs_as_script else debugpy.breakpoint


def _settrace() -> None:
    """``debugpy.breakpoint`` for the frame that calls."""
    import pydevd

    pydevd.settrace(
        suspend=True,
        trace_only_current_thread=True,
        patch_multiprocessing=False,
        notify_stdin=False,
        stop_at_frame=sys._getframe(1),
    )


def _called_us(frame: FrameType) -> bool:
    """Whether the innermost frame that isn't graphdebug's is this one."""
    inner: FrameType | None = sys._getframe(1)
    while inner is not None and str(inner.f_globals.get("__name__")).startswith("graphdebug."):
        inner = inner.f_back
    return inner is frame


def unfit(consequence: str, error: Exception) -> None:
    """Say what stays off because debugpy isn't as this was written for."""
    problems.append(f"debugpy isn't as expected ({error!r}): {consequence}")
