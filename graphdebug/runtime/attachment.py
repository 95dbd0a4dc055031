"""debugpy brought into a process that runs, and taken out again.

With ``debugger`` the only file that touches debugpy and pydevd, and their private parts, inside the
user's process. debugpy is imported when the first client comes. What isn't as this was written for is
refused with the reason, and the program runs on as before.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import importlib.util
import os
import socket
import sys
from collections.abc import Callable, Iterator
from typing import Any

from graphdebug.runtime import debugger
from graphdebug.runtime.debugger import rest
from graphdebug.runtime.debugger.rest import stop_tracing, uncollected


class Unfit(Exception):
    """debugpy isn't as expected: it can't be attached. The message says what differs."""


def bring_in(link: socket.socket, ours: str, theirs: str, directory: str = "") -> None:
    """Let debugpy speak over a connected socket, which is its own from now on. Raises Unfit, OSError.

    ``ours`` is the token that it shows, ``theirs`` the one that it wants to be shown; it is imported from
    ``directory`` where the program's environment doesn't have it. No child process is debugged:
    pydevd would put the tokens on its command line.
    """
    with _quickly(), uncollected():
        if "debugpy.server.api" not in sys.modules:
            _import_quietly(directory)
        _bring_in(link, ours, theirs)


def _bring_in(link: socket.socket, ours: str, theirs: str) -> None:
    import debugpy
    import pydevd

    take_out()
    try:
        start, settrace = pydevd.start_client, pydevd.settrace
        if start.__code__.co_varnames[: start.__code__.co_argcount] != ("host", "port"):
            raise Unfit("pydevd.start_client takes other arguments")
        if "access_token" not in settrace.__code__.co_varnames:
            raise Unfit("pydevd.settrace takes no access_token")
        debugpy.configure(subProcess=False)
    except AttributeError as error:
        raise Unfit(str(error)) from None
    rest.hook()
    pydevd.start_client = lambda host, port: link
    pydevd.settrace = functools.partial(settrace, access_token=theirs)
    try:
        debugpy.connect(("127.0.0.1", 1), access_token=ours)  # the address is never used
    finally:
        pydevd.start_client, pydevd.settrace = start, settrace
    rest.begin(pydevd.get_global_debugger())


def take_out() -> None:
    """Let threads that are stopped go on, and trace nothing any more. May be called at any time."""
    pydevd = sys.modules.get("pydevd")
    found = None if pydevd is None else pydevd.get_global_debugger()
    if pydevd is None or found is None:
        return
    from _pydevd_bundle.pydevd_api import PyDevdAPI
    from _pydevd_bundle.pydevd_constants import set_global_debugger

    rest.end()
    with _reported("stopped threads may stay stopped"):
        PyDevdAPI().request_disconnect(found, resume_threads=True)
    with _reported("tracing goes on"), uncollected():
        stop_tracing()
    with _reported("debugpy's threads stay"):
        found.dispose_and_kill_all_pydevd_threads(wait=True)
        # A thread of pydevd's, which saw its connection end, may be at it already: it would be late.
        if pydevd.get_global_debugger() is found:
            set_global_debugger(None)


def forget() -> None:
    """This process is a fork, in which none of debugpy's threads run: a stop would last for ever."""
    pydevd = sys.modules.get("pydevd")
    if pydevd is None or pydevd.get_global_debugger() is None:
        return
    rest.end()
    with _reported("a fork stops at breakpoints, and nobody lets it go on"):
        from _pydevd_bundle.pydevd_constants import set_global_debugger

        stop_tracing()
        set_global_debugger(None)


@contextlib.contextmanager
def _reported(consequence: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        debugger.problems.append(f"debugpy isn't as expected ({error!r}): {consequence}")


def _import_quietly(directory: str) -> None:
    """pydevd makes itself ``sys.breakpointhook`` where it is imported, which shall stay the user's."""
    hook: Callable[..., Any] = sys.breakpointhook
    os.environ.setdefault("PYDEVD_DISABLE_FILE_VALIDATION", "1")
    missing = importlib.util.find_spec("debugpy") is None
    if missing:
        sys.path.append(directory)
    try:
        api = importlib.import_module("debugpy.server.api")
    finally:
        sys.breakpointhook = hook
        if missing:
            sys.path.remove(directory)
    # Else it describes, for a log that nobody asked for, all packages there are.
    with contextlib.suppress(AttributeError):
        api.ensure_logging.ensured = True


@contextlib.contextmanager
def _quickly() -> Iterator[None]:
    """Let the calling thread not wait 5 ms for the interpreter after each file that it reads."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(min(before, 0.0005))
    try:
        yield
    finally:
        sys.setswitchinterval(before)
