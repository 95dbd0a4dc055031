"""The one file that touches debugpy and pydevd inside the user's process.

Everything here answers quietly where debugpy isn't there, or isn't as this was written for:
``problems`` lists what doesn't fit, and that part stays off.
"""

from __future__ import annotations

import contextlib
import functools
import keyword
import socket
import sys
import threading
from collections.abc import Callable
from types import FrameType, FunctionType, ModuleType, TracebackType
from typing import Any

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
    """Whether a thread is stopped; the calling one then runs an evaluation of the user's."""
    return getattr(_thread_info(ident), "pydev_state", None) == _SUSPENDED


_SUSPENDED, _STEPS_IN = 2, (107, 144, 206)
"""pydevd's STATE_SUSPEND; its CMD_STEP_INTO, CMD_STEP_INTO_MY_CODE and CMD_STEP_INTO_COROUTINE."""


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


def pause_tracing() -> bool:
    """Let pydevd not see what the calling thread does until ``resume_tracing``; whether that is so now."""
    tracing = sys.modules.get("pydevd_tracing")
    holder = getattr(tracing, "TracingFunctionHolder", None)
    settrace = getattr(
        holder, "_original_tracing", None
    )  # pydevd has put its own in Python's place
    here = getattr(tracing, "_last_tracing_func_thread_local", None)
    if settrace is None or not callable(getattr(tracing, "reapply_settrace", None)):
        return False
    if sys.gettrace() is None or getattr(here, "tracing_func", None) is None:
        return False
    settrace(None)
    return True


def resume_tracing() -> None:
    """Let it see again."""
    sys.modules["pydevd_tracing"].reapply_settrace()


def users_files() -> Callable[[str], bool] | None:
    """Which files are the user's; None where library code may be stopped in, too, or nobody debugs."""
    try:
        pydb = sys.modules["pydevd"].get_global_debugger()
        rules = pydb._files_filtering._exclude_filters
        if not pydb.get_use_libraries_filter() or any(not rule.exclude for rule in rules):
            return None
        users: Callable[[str], bool] = pydb.in_project_roots_filename_uncached
        return users
    except Exception:
        return None


def stop_at(frame: FrameType) -> None:
    """Stop at the current line of ``frame``, one of the user's that is waiting for us to return.

    Returns when the user goes on. Where nothing but frames of ours are in between, the stop is in the
    frame itself. Else it is in a synthetic one above it, at the same line and with its locals: a
    debugger stops where a line begins or a call of ours returns, and library code between would run on.
    (``debugpy.breakpoint`` called from library code never stops under justMyCode.)
    """
    import debugpy

    from graphdebug.runtime import synthetic  # here, since each debuggee loads this module

    code = frame.f_code
    if _called_us(frame):
        asking = synthetic.asks(code.co_filename, code.co_name)
        FunctionType(asking, frame.f_globals)(debugpy.breakpoint)
        return
    shown = {} if code.co_name == "<module>" else dict(frame.f_locals)
    names = tuple(name for name in shown if name.isidentifier())
    showing = synthetic.shows(code.co_filename, frame.f_lineno, code.co_name, names)
    values = [shown[name] for name in names]
    FunctionType(showing, frame.f_globals)(debugpy.breakpoint, *values)


def show(path: str, line: int, function: str, shown: dict[str, Any], scope: dict[str, Any]) -> None:
    """Stop in a frame of its own, at a line of the user's, with locals ``shown``, globals ``scope``.

    Returns when the user goes on. The frame stands on those that called us.
    """
    import debugpy

    from graphdebug.runtime import synthetic  # here, since each debuggee loads this module

    names = tuple(name for name in shown if name.isidentifier() and not keyword.iskeyword(name))
    code = synthetic.shows(path, line, function, names)
    FunctionType(code, scope)(debugpy.breakpoint, *(shown[name] for name in names))


def _called_us(frame: FrameType) -> bool:
    """Whether the innermost frame that isn't graphdebug's is this one."""
    inner: FrameType | None = sys._getframe(1)
    while inner is not None and str(inner.f_globals.get("__name__")).startswith("graphdebug."):
        inner = inner.f_back
    return inner is frame


def answer_without_delay() -> None:
    """Switch Nagle's algorithm off on the socket that pydevd answers on.

    pydevd sends each message in two parts, so that the second waits for the peer's delayed
    acknowledgement: 44 ms a request, against 1 to 2 ms without. Called by ``bootstrap`` when pydevd
    has been imported, before it connects.
    """
    import pydevd

    try:
        original = pydevd.PyDB.initialize_network
        if "sock" not in original.__code__.co_varnames[1:2]:
            raise TypeError("PyDB.initialize_network takes another first argument")
    except Exception as error:
        _unfit("the slow answer to each request stays", error)
        return

    @functools.wraps(original)
    def initialize_network(self: Any, sock: Any, *args: Any, **kwargs: Any) -> Any:
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return original(self, sock, *args, **kwargs)

    pydevd.PyDB.initialize_network = initialize_network


def end_without_delay() -> None:
    """Let the end of a program not wait half a second for two threads that wait for each other.

    The thread of pydevd that disposes of the debugger waits for the others to end. One of them sees
    the connection closed, disposes as well, and so waits for the first, until both give up. Called by
    ``bootstrap`` when pydevd has been imported.
    """
    import pydevd

    try:
        original = pydevd.PyDB.dispose_and_kill_all_pydevd_threads
        if original.__code__.co_varnames[:3] != ("self", "wait", "timeout"):
            raise TypeError("PyDB.dispose_and_kill_all_pydevd_threads takes other arguments")
    except Exception as error:
        _unfit("the end of a program takes half a second longer", error)
        return

    @functools.wraps(original)
    def dispose(self: Any, wait: bool = True, timeout: float = 0.5) -> None:
        awaited = (
            getattr(self, "pydb_disposed", False)
            and threading.current_thread() in self.created_pydb_daemon_threads
        )
        original(self, wait and not awaited, timeout)

    pydevd.PyDB.dispose_and_kill_all_pydevd_threads = dispose


def ask_conditions_safely() -> None:
    """Let a condition whose value is neither true nor false count as one that raises.

    And let frames of ours, which stand on lines of the user's, not count as hits of breakpoints there.
    pydevd asks the value of ``x > 0`` whether it is true where nothing catches the error that a
    tensor of several elements answers with, and that ended the program. Called by ``bootstrap`` when
    pydevd has been imported.
    """
    import pydevd

    try:
        original = pydevd.PyDB.handle_breakpoint_condition
        if original.__code__.co_varnames[1:4] != ("info", "pybreakpoint", "new_frame"):
            raise TypeError("PyDB.handle_breakpoint_condition takes other arguments")
    except Exception as error:
        _unfit("a condition that gives a tensor of several elements ends the program", error)
        return

    @functools.wraps(original)
    def handle_breakpoint_condition(self: Any, info: Any, pybreakpoint: Any, new_frame: Any) -> Any:
        if ASK in new_frame.f_code.co_varnames:
            return False
        value = original(self, info, pybreakpoint, new_frame)
        try:
            return bool(value)
        except Exception as error:
            return original(self, info, _Raises(pybreakpoint.condition, error), new_frame)

    pydevd.PyDB.handle_breakpoint_condition = handle_breakpoint_condition


class _Raises:
    """A breakpoint whose condition raises an error when pydevd asks."""

    def __init__(self, condition: str, error: Exception) -> None:
        self.condition = condition
        self._error = error

    def handle_hit_condition(self, frame: FrameType) -> bool:
        """pydevd asks this first."""
        raise self._error.with_traceback(None)


def leave_compilers_alone() -> None:
    """Let the processes that torch's inductor starts run without a debugger.

    pydevd makes each Python child wait for a client, and inductor waits for its own: the first call
    of a compiled function would hang. They run none of the user's code. Called by ``bootstrap`` when
    pydevd has been imported.
    """
    try:
        from _pydev_bundle import pydev_monkey

        original = pydev_monkey._get_apply_arg_patching
        if original.__code__.co_argcount:
            raise TypeError("_get_apply_arg_patching takes arguments")
    except Exception as error:
        _unfit("processes that torch's inductor starts wait for a debugger", error)
        return

    @functools.wraps(original)
    def _get_apply_arg_patching() -> Any:
        frame: FrameType | None = sys._getframe(1)
        while frame is not None:
            if str(frame.f_globals.get("__name__")).startswith("torch._inductor."):
                return False
            frame = frame.f_back
        return original()

    pydev_monkey._get_apply_arg_patching = _get_apply_arg_patching


def present(string_provider: type, resolver: type) -> None:
    """Show values in Variables through these, now or as soon as pydevd is there.

    See ``presentation`` for what they have. May be called again.
    """
    if _FRAMES in sys.modules:
        _present(string_provider, resolver)
    else:
        _when_imported(_FRAMES, lambda: _present(string_provider, resolver))


_FRAMES = "_pydevd_bundle.pydevd_suspended_frames"
"""The part of pydevd that answers ``variables``; all that ``present`` needs is there before it."""


def _present(string_provider: type, resolver: type) -> None:
    try:
        from _pydevd_bundle.pydevd_extension_api import StrPresentationProvider, TypeResolveProvider
        from _pydevd_bundle.pydevd_extension_utils import extensions_of_type
        from _pydevd_bundle.pydevd_xml import _TYPE_RESOLVE_HANDLER

        strings = _registered(extensions_of_type(StrPresentationProvider), string_provider)
        _registered(extensions_of_type(TypeResolveProvider), resolver)
        _TYPE_RESOLVE_HANDLER._type_to_resolver_cache.clear()
        _TYPE_RESOLVE_HANDLER._type_to_str_provider_cache.clear()
    except Exception as error:
        _unfit("tensors are shown as debugpy shows them", error)
        return
    try:
        _present_inside(strings)
    except Exception as error:
        _unfit("tensors inside lists, dicts and objects are shown as debugpy shows them", error)


def _registered(providers: list[Any], provider: type) -> Any:
    """The one instance of ours among pydevd's providers, asked before the others."""
    for known in providers:
        if isinstance(known, provider):
            return known
    providers.insert(0, provider())
    return providers[0]


def _present_inside(strings: Any) -> None:
    """Where pydevd prints a container, print what is ours in it by its line."""
    from _pydevd_bundle.pydevd_resolver import DictResolver
    from _pydevd_bundle.pydevd_safe_repr import SafeRepr

    if hasattr(SafeRepr, "graphdebug"):
        return
    whole, other, key_to_str = SafeRepr.__call__, SafeRepr._repr_other, DictResolver.key_to_str
    for function, expected in (
        (whole, ["self", "obj"]),
        (other, ["self", "obj", "level"]),
        (key_to_str, ["self", "key", "fmt"]),
    ):
        code = function.__code__
        if list(code.co_varnames[: code.co_argcount]) != expected:
            raise TypeError(f"{function.__qualname__} takes other arguments")

    def ours(value: Any) -> bool:
        return bool(strings.can_provide(type(value), type(value).__name__))

    def repr_whole(self: Any, obj: Any) -> Any:
        if obj is None or type(obj) in (bool, int, float, str, bytes):
            return whole(self, obj)
        with strings.headers():
            return whole(self, obj)

    def repr_other(self: Any, obj: Any, level: int) -> Any:
        return [strings.get_str(obj)] if ours(obj) else other(self, obj, level)

    def repr_key(self: Any, key: Any, fmt: Any = None) -> Any:
        if ours(key):
            return strings.get_str(key)
        with strings.headers():
            return key_to_str(self, key, fmt)

    SafeRepr.__call__, SafeRepr._repr_other = repr_whole, repr_other
    DictResolver.key_to_str = repr_key
    SafeRepr.graphdebug = True


def _when_imported(name: str, action: Callable[[], None]) -> None:
    """Call ``action`` once the program has imported ``name``."""
    import importlib.util

    class Finder:
        """Finds what the other finders find, for that one module, and is gone then."""

        @staticmethod
        def find_spec(wanted: str, path: Any = None, target: Any = None) -> Any:
            """The module's own spec, whose loader calls ``action`` at its end."""
            if wanted != name:
                return None
            sys.meta_path.remove(Finder)
            spec = importlib.util.find_spec(name)
            if spec is not None and spec.loader is not None:
                execute = spec.loader.exec_module

                def exec_module(module: ModuleType) -> None:
                    execute(module)
                    action()

                spec.loader.exec_module = exec_module  # type: ignore[method-assign]
            return spec

    sys.meta_path.insert(0, Finder)


def _unfit(consequence: str, error: Exception) -> None:
    problems.append(f"debugpy isn't as expected ({error!r}): {consequence}")
