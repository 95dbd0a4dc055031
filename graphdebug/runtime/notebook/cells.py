"""Where a notebook's cells begin and end, the runtime's backends hear of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from graphdebug.runtime.runtime import Runtime


def begin(runtime: Runtime) -> None:
    """A cell begins."""
    _tell(runtime, over=False)


def end(runtime: Runtime) -> None:
    """A cell is over, and the program waits for its user."""
    _tell(runtime, over=True)


@contextmanager
def tapped(runtime: Runtime, tap: Callable[[object], None]) -> Iterator[None]:
    """While it is entered, ``tap`` gets what is recorded, too, each graph before its first step."""
    end(runtime)
    runtime.recorder.forget()
    runtime.taps.append(tap)
    try:
        yield
    finally:
        end(runtime)
        runtime.taps.remove(tap)


def _tell(runtime: Runtime, over: bool) -> None:
    for backend in runtime.active():
        try:
            backend.cell(over)
        except Exception as error:
            runtime.give_up(backend, "a cell's end" if over else "a cell's begin", error)
