"""Threads of a job that is attached to are traced only while its client asks for something.

Up to Python 3.11 pydevd traces by ``sys.settrace``, which makes Python slower at each instruction,
whether anything can stop or not. So where there is no breakpoint, no step and no stop, tracing is taken
from all threads, and they get it back when the client asks, or one of them stops. Of the exception
filters, ``uncaught`` needs no tracing: Python itself calls a hook. With ``sys.monitoring``, since 3.12,
there is nothing to do. Imported by ``attachment``, which begins and ends it.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import inspect
import sys
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

from graphdebug.runtime.debugger import unfit

_ASK = (
    "on_setbreakpoints_request",
    "on_setfunctionbreakpoints_request",
    "on_setexceptionbreakpoints_request",
    "on_pause_request",
)
"""What a client can ask for while no thread stands. Once it is answered it has to be so."""

_SUSPENDED, _NO_STEP = 2, -1
"""pydevd's STATE_SUSPEND; its pydev_step_cmd where a thread makes no step."""

_NEEDED = (
    "breakpoints",
    "function_breakpoint_name_to_breakpoint",
    "break_on_caught_exceptions",
    "break_on_user_uncaught_exceptions",
    "break_on_uncaught_exceptions",
    "has_plugin_line_breaks",
    "has_plugin_exception_breaks",
    "frame_eval_func",
    "trace_dispatch",
    "set_tracing_for_untraced_contexts",
)


SLOWER = "a job that is attached to is slower also while nothing can stop"


class Rest:
    """Whether the threads rest. Any thread may call anything; one at a time goes on."""

    def __init__(self, pydb: Any) -> None:
        self._pydb = pydb
        self._resting = False
        self._keeping = 0
        self._changing = threading.RLock()
        self._before = self._ours = (sys.excepthook, threading.excepthook)

    def settle(self) -> None:
        """Rest where nothing is asked for, and trace where something is."""
        with self._changing:
            if self._asked():
                self._wake()
            elif not self._resting:
                self._resting = True
                self._stand_before_hooks()
                with uncollected():
                    stop_tracing()

    @contextlib.contextmanager
    def awake(self) -> Iterator[None]:
        """Meanwhile all threads are traced."""
        with self._changing:
            self._keeping += 1
            self._wake()
        try:
            yield
        finally:
            with self._changing:
                self._keeping -= 1
            self.settle()

    def _wake(self) -> None:
        """Trace all threads, as pydevd does when it is attached."""
        if not self._resting:
            return
        self._resting = False
        self._give_hooks_back()
        import pydevd_tracing

        with uncollected():
            threading.settrace(self._pydb.trace_dispatch)
            pydevd_tracing.set_trace_to_threads(self._pydb.trace_dispatch)
            self._pydb.set_tracing_for_untraced_contexts()

    def end(self) -> None:
        """The debugger goes, and its tracing with it."""
        with self._changing:
            self._resting = False
            self._give_hooks_back()

    def traces_new_threads(self) -> bool:
        """Whether a thread that begins now is traced."""
        return not self._resting

    def _asked(self) -> bool:
        pydb = self._pydb
        return (
            self._keeping > 0
            or any(pydb.breakpoints.values())
            or bool(pydb.function_breakpoint_name_to_breakpoint)
            or bool(pydb.break_on_caught_exceptions)
            or bool(pydb.break_on_user_uncaught_exceptions)
            or bool(pydb.has_plugin_line_breaks or pydb.has_plugin_exception_breaks)
            or any(map(_busy, threading.enumerate()))
        )

    def _give_hooks_back(self) -> None:
        """To whoever has not put another in their place since."""
        if sys.excepthook is self._ours[0]:
            sys.excepthook = self._before[0]
        if threading.excepthook is self._ours[1]:
            threading.excepthook = self._before[1]

    def _stand_before_hooks(self) -> None:
        """See errors that nobody catches first; by new hooks, since others may call those before."""
        self._before = sys.excepthook, threading.excepthook
        before, before_of_threads = self._before
        self._ours = self._standing_before(before), self._standing_before(before_of_threads)
        sys.excepthook, threading.excepthook = self._ours

    def _standing_before(self, before: Callable[..., Any]) -> Callable[..., Any]:
        def hook(*given: Any) -> None:
            if any(hook is ours for ours in self._ours):
                (raised,) = given if len(given) == 1 else (given,)
                self._stop_for(tuple(raised)[:3])
            before(*given)

        return hook

    def _stop_for(self, raised: tuple[Any, ...]) -> None:
        if not self._resting:
            return  # pydevd saw it
        with contextlib.suppress(Exception):
            import pydevd_tracing
            from _pydevd_bundle.pydevd_breakpoints import stop_on_unhandled_exception
            from pydevd import set_additional_thread_info

            with self.awake():
                pydevd_tracing.SetTrace(None)  # what pydevd does here is not to be stopped in
                thread = threading.current_thread()
                info = set_additional_thread_info(thread)
                stop_on_unhandled_exception(self._pydb, thread, info, raised)
                pydevd_tracing.SetTrace(self._pydb.trace_dispatch)


def _busy(thread: threading.Thread) -> bool:
    """Whether a thread stands, or makes a step."""
    info = getattr(thread, "additional_info", None)
    if info is None:
        return False
    return bool(info.pydev_state == _SUSPENDED or info.pydev_step_cmd != _NO_STEP)


_rest: Rest | None = None
_hooked = False


def begin(pydb: Any) -> None:
    """Let the threads of this process rest when they can, from now on."""
    global _rest
    missing = [name for name in _NEEDED if not hasattr(pydb, name)]
    if missing:
        unfit(SLOWER, AttributeError(f"PyDB has no {', '.join(missing)}"))
    elif _hooked and pydb.frame_eval_func is None:  # else pydevd has a way of its own to be fast
        _rest = Rest(pydb)
        _rest.settle()


def end() -> None:
    """The debugger goes."""
    global _rest
    ended, _rest = _rest, None
    if ended is not None:
        ended.end()


def hook() -> None:
    """Hear of what clients ask, and of threads that stop; called before pydevd connects."""
    global _hooked
    if _hooked or sys.version_info >= (3, 12):
        return
    try:
        import pydevd
        from _pydev_bundle import pydev_monkey
        from _pydevd_bundle.pydevd_breakpoints import stop_on_unhandled_exception
        from _pydevd_bundle.pydevd_process_net_command_json import PyDevJsonCommandProcessor

        asks = {name: getattr(PyDevJsonCommandProcessor, name) for name in _ASK}
        suspend = pydevd.PyDB.do_wait_suspend
        trace_new = pydev_monkey._on_set_trace_for_new_thread
        for function, names in (
            *((request, ("self", "py_db", "request")) for request in asks.values()),
            (inspect.unwrap(suspend), ("self", "thread", "frame", "event", "arg")),
            (stop_on_unhandled_exception, ("py_db", "thread", "additional_info", "arg")),
            (trace_new, ("global_debugger",)),
        ):
            if function.__code__.co_varnames[: len(names)] != names:
                raise TypeError(f"{function.__qualname__} takes other arguments")
    except Exception as error:
        unfit(SLOWER, error)
        return

    @functools.wraps(trace_new)
    def trace_new_thread(global_debugger: Any) -> None:
        if _rest is None or _rest.traces_new_threads():
            trace_new(global_debugger)

    for name, request in asks.items():
        setattr(PyDevJsonCommandProcessor, name, _awake(request))
    pydevd.PyDB.do_wait_suspend = _awake(suspend)
    pydev_monkey._on_set_trace_for_new_thread = trace_new_thread
    _hooked = True


def _awake(function: Callable[..., Any]) -> Callable[..., Any]:
    """Threads don't rest while it runs; when it is over, they do if nothing is asked for."""

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        with contextlib.nullcontext() if _rest is None else _rest.awake():
            return function(*args, **kwargs)

    return call


def stop_tracing() -> None:
    """Take pydevd's tracing from all threads, those to come too."""
    from _pydevd_bundle.pydevd_constants import PYDEVD_USE_SYS_MONITORING

    if PYDEVD_USE_SYS_MONITORING:
        from _pydevd_sys_monitoring import pydevd_sys_monitoring

        pydevd_sys_monitoring.stop_monitoring(all_threads=True)
        return
    import pydevd_tracing

    threading.settrace(None)
    if sys.version_info < (3, 12):
        pydevd_tracing.set_trace_to_threads(_stop_here)
    for frame in sys._current_frames().values():
        outer: FrameType | None = frame
        while outer is not None:
            outer.f_trace = None
            outer = outer.f_back
    pydevd_tracing.SetTrace(None)


def _stop_here(frame: FrameType, event: str, argument: Any) -> None:
    """A trace function that ends tracing in the thread that it is called on."""
    import pydevd_tracing

    pydevd_tracing.SetTrace(None)


@contextlib.contextmanager
def uncollected() -> Iterator[None]:
    """Keep the garbage collector away while all threads are looked at.

    ``sys._current_frames`` holds a lock of the interpreter's (before Python 3.12) that what is collected
    may want, too: a thread's last data do, and nothing would go on.
    """
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()
