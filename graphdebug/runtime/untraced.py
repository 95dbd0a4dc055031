"""Threads and calls of ours that no debugger traces.

Imported by anything in the runtime.
"""

from __future__ import annotations

import functools
import sys
import threading
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from graphdebug.runtime import debugger
from graphdebug.runtime.debugger import tracing

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

    To pause the tracing may take as long as some hundred calls: see ``pause_if_cheap`` for less.
    """

    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        paused = tracing.pause()
        try:
            return function(*args, **kwargs)
        finally:
            if paused:
                tracing.resume()

    return call


def pause_if_cheap() -> bool:
    """For work of ours that makes tens of calls: ``tracing.pause`` where that costs less than it saves.

    ``tracing.resume`` ends it, where this answers that it began. What stops meanwhile is traced from
    there on.
    """
    return tracing.CHEAP and not tracing.paused() and tracing.pause()


def pause_in_library(path: str) -> bool:
    """The same for what a library does in this file of its own, unless somebody may stop there."""
    traced = tracing.CHEAP and sys.gettrace() is not None
    return traced and debugger.passes_over(path) and tracing.pause()
