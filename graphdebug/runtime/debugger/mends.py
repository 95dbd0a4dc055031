"""What pydevd does better in this process, or no longer: slow answers, hangs, errors of its own.

Imported by ``bootstrap`` when the program imports pydevd. Each function changes one thing, and
where pydevd isn't as expected, says so and changes nothing.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import socket
import sys
import threading
from types import CodeType, FunctionType
from typing import Any

from graphdebug.runtime.debugger import ASK, breakpoints, children, held, standing, unfit
from graphdebug.runtime.debugger.held import holding

_mended = False


def mend() -> None:
    """All of it, once pydevd has been imported and before it connects; may be called again."""
    global _mended
    if _mended:
        return
    _mended = True
    breakpoints.watch()
    for debugger in _debuggers():
        answer_without_delay(debugger)
        end_without_delay(debugger)
        ask_conditions_safely(debugger)
        tell_how_long_threads_are_held(debugger)
    answer_in_one_piece()
    children.choose()
    trace_without_threads()
    standing.tell()
    children.announce()


def _debuggers() -> list[Any]:
    """pydevd's class of debuggers; in a child process, where it runs as a script, there are two."""
    found = [getattr(sys.modules.get(name), "PyDB", None) for name in ("pydevd", "__main__")]
    return [debugger for debugger in found if debugger is not None]


def answer_without_delay(debugger: Any) -> None:
    """Switch Nagle's algorithm off on the socket that pydevd answers on.

    pydevd sends each message in two parts, so that the second waits for the peer's delayed
    acknowledgement: 44 ms a request, against 1 to 2 ms without. Called by ``bootstrap`` when pydevd
    has been imported, before it connects.
    """
    try:
        original = debugger.initialize_network
        if "sock" not in original.__code__.co_varnames[1:2]:
            raise TypeError("PyDB.initialize_network takes another first argument")
    except Exception as error:
        unfit("the slow answer to each request stays", error)
        return

    @functools.wraps(original)
    def initialize_network(self: Any, sock: Any, *args: Any, **kwargs: Any) -> Any:
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return original(self, sock, *args, **kwargs)

    debugger.initialize_network = initialize_network


def answer_in_one_piece() -> None:
    """Let pydevd send each message by one call: each lets another thread run first, and wakes the peer."""
    try:
        from _pydevd_bundle.pydevd_net_command import NetCommand

        original = NetCommand.send
        if original.__code__.co_varnames[:2] != ("self", "sock"):
            raise TypeError("NetCommand.send takes other arguments")
    except Exception as error:
        unfit("each answer takes a little longer", error)
        return

    @functools.wraps(original)
    def send(self: Any, sock: Any) -> None:
        if self._after_send:
            original(self, sock)
            return
        parts = _Parts()
        original(self, parts)
        sock.sendall(b"".join(parts))

    NetCommand.send = send


class _Parts(list[bytes]):
    """Stands for a socket, and keeps what is sent."""

    sendall = list.append


def end_without_delay(debugger: Any) -> None:
    """Let the end of a program not wait half a second for two threads that wait for each other.

    The thread of pydevd that disposes of the debugger waits for the others to end. One of them sees
    the connection closed, disposes as well, and so waits for the first, until both give up.
    """
    try:
        original = debugger.dispose_and_kill_all_pydevd_threads
        if original.__code__.co_varnames[:3] != ("self", "wait", "timeout"):
            raise TypeError("PyDB.dispose_and_kill_all_pydevd_threads takes other arguments")
    except Exception as error:
        unfit("the end of a program takes half a second longer", error)
        return

    @functools.wraps(original)
    def dispose(self: Any, wait: bool = True, timeout: float = 0.5) -> None:
        awaited = (
            getattr(self, "pydb_disposed", False)
            and threading.current_thread() in self.created_pydb_daemon_threads
        )
        original(self, wait and not awaited, timeout)

    debugger.dispose_and_kill_all_pydevd_threads = dispose


def ask_conditions_safely(debugger: Any) -> None:
    """Let a condition whose value is neither true nor false count as one that raises.

    And let frames of ours, which stand on lines of the user's, not count as hits of breakpoints there.
    pydevd asks the value of ``x > 0`` whether it is true where nothing catches the error that a
    tensor of several elements answers with, and that ended the program. It also compiles the condition
    again each time that it asks, which takes longer than the rest.
    """
    try:
        original = debugger.handle_breakpoint_condition
        if original.__code__.co_varnames[1:4] != ("info", "pybreakpoint", "new_frame"):
            raise TypeError("PyDB.handle_breakpoint_condition takes other arguments")
    except Exception as error:
        unfit("a condition that gives a tensor of several elements ends the program", error)
        return

    @functools.wraps(original)
    def handle_breakpoint_condition(self: Any, info: Any, pybreakpoint: Any, new_frame: Any) -> Any:
        if ASK in new_frame.f_code.co_varnames:
            return False
        condition = pybreakpoint.condition
        code = None if pybreakpoint.hit_condition else _compiled(condition or "")
        if code is None:
            return original(self, info, pybreakpoint, new_frame)
        try:
            return bool(eval(code, new_frame.f_globals, new_frame.f_locals))
        except Exception as error:
            return original(self, info, _Raises(condition, error), new_frame)

    debugger.handle_breakpoint_condition = handle_breakpoint_condition


def tell_how_long_threads_are_held(debugger: Any) -> None:
    """Let ``held`` know of each stop."""
    try:
        original = debugger.do_wait_suspend
        if original.__code__.co_varnames[:3] != ("self", "thread", "frame"):
            raise TypeError("PyDB.do_wait_suspend takes other arguments")
    except Exception as error:
        unfit("the time of a step has that of the stops in it", error)
        return

    @functools.wraps(original)
    def do_wait_suspend(*args: Any, **kwargs: Any) -> Any:
        with holding():
            return original(*args, **kwargs)

    debugger.do_wait_suspend = do_wait_suspend
    held.told_of_all = True


@functools.lru_cache(maxsize=256)
def _compiled(condition: str) -> CodeType | None:
    """As ``eval`` compiles it; None where it can't be, which ``eval`` then says."""
    try:
        return compile(condition.lstrip(" \t"), "<string>", "eval", dont_inherit=True)
    except Exception:
        return None


class _Raises:
    """A breakpoint whose condition raises an error when pydevd asks."""

    def __init__(self, condition: str, error: Exception) -> None:
        self.condition = condition
        # Without our own frame and the condition's, for which ``_RAISE`` stands.
        below = error.__traceback__ and error.__traceback__.tb_next
        error.__traceback__ = below and below.tb_next
        self.handle_hit_condition = FunctionType(_RAISE, {"error": error})
        """pydevd asks this first."""


_RAISE = compile("def condition(frame): raise error", "<string>", "exec").co_consts[0]
_RAISE = _RAISE.replace(co_name="<module>")
"""The frame of a condition, as it stands in a traceback."""


def trace_without_threads() -> None:
    """Let pydevd trace the calling thread, as it does at each stop for each frame, in microseconds.

    Up to Python 3.9 a thread had to begin and end for that, and pydevd still starts one each time, and
    waits for it: a tenth of a millisecond or more. In 3.10 and 3.11 its library needs none; since 3.12
    nothing is traced this way.
    """
    if not (3, 10) <= sys.version_info[:2] <= (3, 11):
        return
    try:
        import pydevd_tracing

        original = pydevd_tracing.set_trace_to_threads
        if original.__code__.co_varnames[:3] != (
            "tracing_func",
            "thread_idents",
            "create_dummy_thread",
        ):
            raise TypeError("set_trace_to_threads takes other arguments")
        library, holder = (
            pydevd_tracing._load_python_helper_lib,
            pydevd_tracing.TracingFunctionHolder,
        )
    except Exception as error:
        unfit("each stop takes some milliseconds longer", error)
        return

    @functools.wraps(original)
    def set_trace_to_threads(
        tracing_func: Any, thread_idents: Any = None, create_dummy_thread: bool = True
    ) -> Any:
        here = threading.get_ident()
        if create_dummy_thread or thread_idents != [here]:
            return original(tracing_func, thread_idents, create_dummy_thread)
        if (attach := library()) is None:
            return -1  # then pydevd calls sys.settrace
        result = attach.AttachDebuggerTracing(
            ctypes.c_int(0),
            ctypes.py_object(holder._original_tracing or sys.settrace),
            ctypes.py_object(tracing_func),
            ctypes.c_uint(here),
            ctypes.py_object(None),
        )
        return result if result == 0 else original(tracing_func, thread_idents, create_dummy_thread)

    pydevd_tracing.set_trace_to_threads = set_trace_to_threads
