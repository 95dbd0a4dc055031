"""What the source says of an instruction and of a variable: never one way where there are several."""

from __future__ import annotations

import ast
import sys
from types import FrameType
from typing import Any

import pytest

from graphdebug.runtime.functions import function_of
from graphdebug.runtime.reading import Function, Reaching


class Here(Exception):
    """Raised by ``value`` with the frame that called it."""


def value(*of: object) -> Any:
    raise Here(sys._getframe(1))


def straight(x: Any) -> None:
    y = x
    y = [y]
    value(y)


def branches(x: Any) -> None:
    y = x
    if x:
        y = [x]
    elif x is None:
        y = [x, x]
        return
    value(y)


def both(x: Any) -> None:
    if x:
        y = [x]
    elif x is None:
        y = []
    else:
        y = (x,)
    value(y)


def loops(x: Any) -> None:
    y = x
    for z, y in [(x, x)]:
        value(y)
        y = z


def carried(x: Any) -> None:
    y = x
    while True:
        value(y)
        y = [y]


def tried(x: Any) -> None:
    y = x
    try:
        y = [x][x]
    except IndexError:
        y = []
    value(y)


def given(y: Any) -> None:
    value(y)


def augmented(y: Any) -> None:
    y += 1
    value(y)


def assigned_in_an_expression(x: Any) -> None:
    y = x
    if (y := [y]) is not None:
        value(y)


def tried_and_else(x: Any) -> None:
    y = x
    try:
        y = [x]
    except IndexError:
        pass
    else:
        value(y)


def tried_and_finally(x: Any) -> None:
    y = x
    try:
        y = [x]
    finally:
        value(y)


def looped_and_else(x: Any) -> None:
    y = x
    for _ in [x]:
        y = [x]
    else:
        value(y)


def asked_again(y: Any) -> None:
    while value(y):
        y = [y]


def comprehended(x: Any) -> None:
    y = x
    [value(y) for y in [y]]


def comprehended_twice(x: Any) -> None:
    y = x
    [0 for y in [y] for _ in value(y)]


def nested(x: Any) -> None:
    y = x

    def change() -> None:
        nonlocal y
        y = [x]

    change()
    value(y)


def caught_as(y: Any) -> None:
    try:
        raise IndexError
    except IndexError as y:
        value(y)


def reaching(function: Any, argument: Any) -> tuple[Reaching, int]:
    """How ``y`` got its value at the call of ``value``; and the function's first line."""
    source, call = located(function, argument)
    return source.reaching("y", call), function.__code__.co_firstlineno


def located(function: Any, argument: Any) -> tuple[Function, ast.AST]:
    with pytest.raises(Here) as caught:
        function(argument)
    frame: FrameType = caught.value.args[0]
    source = function_of(frame.f_code)
    assert source is not None
    at = caught.value.__traceback__
    while at is not None and at.tb_frame is not frame:
        at = at.tb_next
    assert at is not None
    call = source.at(frame.f_code, at.tb_lasti, "value")
    assert isinstance(call, ast.Call) and source.text(call) == "value(y)"
    return source, call


@pytest.mark.parametrize(
    ("function", "argument", "lines", "before"),
    [
        (straight, 1, [2], False),
        (branches, 1, [3, 1], False),
        (both, 1, [6, 4, 2], False),
        (loops, 1, [2], False),
        (carried, 1, [4, 1], False),
        (tried, 0, [5, 3, 1], False),
        (given, 1, [], True),
        (augmented, 1, [1], False),
        (assigned_in_an_expression, 1, [], False),
        (tried_and_else, 1, [3], False),
        (tried_and_finally, 1, [3, 1], False),
        (looped_and_else, 1, [3, 1], False),
        (asked_again, 1, [2], True),
        (comprehended, 1, [2], False),
        (comprehended_twice, 1, [2], False),
        (nested, 1, [], False),
        (caught_as, 1, [], False),
    ],
    ids=lambda item: getattr(item, "__name__", ""),
)
def test_what_may_have_given_a_variable_its_value(
    function: Any, argument: Any, lines: list[int], before: bool
) -> None:
    found, first = reaching(function, argument)
    assert [item.line - first for item in found.definitions] == lines
    assert found.before is before
    assert found.certain is (len(lines) + before == 1)


def test_a_part_of_what_is_unpacked_and_the_text() -> None:
    found, _ = reaching(loops, 1)
    (definition,) = found.definitions
    assert definition.part == 1
    assert definition.text in ("for (z, y) in [(x, x)]", "for z, y in [(x, x)]")
