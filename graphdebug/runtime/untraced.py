"""Threads that no debugger traces or suspends, and work that is done there while its caller waits.

Imported by anything in the runtime.
"""

from __future__ import annotations

import functools
import sys
import threading
from collections.abc import Callable
from typing import ParamSpec, TypeVar

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
    """For work of ours that makes many calls: each costs microseconds in a thread that is traced.

    (Where pydevd uses ``sys.monitoring``, since Python 3.12, it costs nothing.)
    """

    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        if sys.gettrace() is None:
            return function(*args, **kwargs)
        done: list[tuple[R | None, BaseException | None]] = []

        def run() -> None:
            try:
                done.append((function(*args, **kwargs), None))
            except BaseException as error:
                done.append((None, error))

        thread = untraced_thread(run, f"graphdebug {function.__name__}")
        thread.start()
        thread.join()
        result, error = done[0]
        if error is not None:
            raise error
        return result  # type: ignore[return-value]

    return call
