"""Threads and calls of ours that no debugger traces.

Imported by anything in the runtime.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from graphdebug.runtime import debugger

P = ParamSpec("P")
R = TypeVar("R")


def untraced_thread(run: Callable[[], None], name: str) -> threading.Thread:
    """A daemon thread that debuggers neither trace nor suspend."""
    thread = threading.Thread(target=run, name=name, daemon=True)
    # pydevd looks for these two; they mean nothing to anyone else.
    thread.pydev_do_not_trace = True  # type: ignore[attr-defined]
    thread.is_pydev_daemon_thread = True  # type: ignore[attr-defined]
    return thread


def untraced(function: Callable[P, R]) -> Callable[P, R]:
    """For work of ours that makes thousands of calls, and in which nothing stops.

    A debugger that traces by ``sys.settrace`` looks at each call, and takes ten times as long as the
    call. To pause that takes as long as some hundred calls. (With ``sys.monitoring``, since Python
    3.12, it costs nothing.)
    """

    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        paused = debugger.pause_tracing()
        try:
            return function(*args, **kwargs)
        finally:
            if paused:
                debugger.resume_tracing()

    return call
