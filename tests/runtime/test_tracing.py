"""What of ours is traced by whoever traces this thread, and what isn't."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

import pytest

from graphdebug.runtime.debugger import tracing
from graphdebug.runtime.untraced import pause_if_cheap, untraced

pytestmark = pytest.mark.skipif(
    not tracing.CHEAP, reason="without pydevd, only Python 3.11 can pause the tracing of a thread"
)


@pytest.fixture
def traced() -> Iterator[list[str]]:
    """The names of the functions of this file that were traced."""
    names: list[str] = []

    def trace(frame: FrameType, event: str, argument: Any) -> None:
        if frame.f_code.co_filename == __file__ and not frame.f_code.co_name.startswith("test_"):
            names.append(frame.f_code.co_name)

    before = sys.gettrace()
    sys.settrace(trace)
    yield names
    sys.settrace(before)


def first() -> None:
    pass


def second(then: Callable[[], None] = first) -> None:
    then()


def test_what_runs_untraced_isnt_seen_and_what_follows_is(traced: list[str]) -> None:
    untraced(second)()
    first()
    assert traced == ["first"]


def test_it_is_seen_again_after_an_error(traced: list[str]) -> None:
    with pytest.raises(ZeroDivisionError):
        untraced(lambda: 1 // 0)()
    first()
    assert traced[-1] == "first" and "<lambda>" not in traced


def test_a_pause_within_a_pause(traced: list[str]) -> None:
    untraced(lambda: (untraced(first)(), second()))()
    assert traced == []
    first()
    assert traced == ["first"]


def test_what_stops_ends_every_pause(traced: list[str]) -> None:
    def stops() -> None:
        tracing.end_pauses()
        first()
        untraced(second)()

    untraced(untraced(stops))()
    second()
    assert traced == ["first", "second", "first"]


def test_nothing_is_paused_where_nobody_traces() -> None:
    before = sys.gettrace()
    sys.settrace(None)
    try:
        assert not pause_if_cheap()
    finally:
        sys.settrace(before)
