"""Which line bound a name: read from the instructions between two places of a function."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest

from graphdebug.runtime.data_breakpoints import bound_at

Places = list[tuple[FrameType, int]]
places: Places = []


def here() -> int:
    """Note where the caller stands."""
    frame = inspect.currentframe()
    assert frame is not None and frame.f_back is not None
    places.append((frame.f_back, frame.f_back.f_lasti))
    return len(places)


def assigned() -> None:
    x = here()  # from and @
    _ = x
    here()


def plain_between() -> None:
    y = here()  # from
    x = y  # @
    _ = x
    here()


def unpacked() -> None:
    pair = here(), 1  # from
    x, z = pair  # @
    _ = x, z
    here()


def branches() -> None:
    x = 0
    if here() > 99:  # from; which of the two ran can't be told
        x = 1
    elif x is None:
        x = 2
    _ = x
    here()


def within_a_branch() -> None:
    if not places:
        x = here()  # from and @
    elif len(places) > 9:
        x = 2
    _ = x
    here()


def twice() -> None:
    x = here()  # from
    x = [x]  # @
    _ = x
    here()


def maybe_twice() -> None:
    x = here()  # from; which of the two was the last can't be told
    if len(places) > 99:
        x = 2
    _ = x
    here()


def of_a_loop() -> None:
    for x in range(2):  # @
        here()
        _ = x


def by_with() -> None:
    here()  # from
    with contextlib.nullcontext(3) as x:  # @
        here()
        _ = x


def closed_over() -> None:
    x = here()  # from and @

    def inner() -> int:
        return x

    here()
    inner()


def never() -> None:
    here()
    _ = "x"
    here()


def later() -> None:
    here()
    x = here()
    _ = x


CASES = [
    assigned, plain_between, unpacked, twice, maybe_twice, branches, within_a_branch, of_a_loop,
    by_with, closed_over, never, later,
]  # fmt: skip


@pytest.mark.parametrize("function", CASES)
def test_the_line_that_bound_it(function: Callable[[], Any]) -> None:
    places.clear()
    function()
    (frame, last), (_, now) = places
    lines, first = inspect.getsourcelines(function)
    wanted = next((at for at, text in enumerate(lines, first) if text.rstrip().endswith("@")), None)
    assert bound_at(frame.f_code, "x", last, now) == wanted
