"""Iterations are told by positions alone, on every Python."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable
from typing import Any

import pytest

from graphdebug.runtime.backends.torch.positions import Place, comes_round, loop_around, place


def rounds(source: str, **names: Any) -> int:
    """How often the operations of a program come round; ``op`` is one."""
    places: list[Place] = []

    def op(*args: Any) -> Any:
        places.append(place(sys._getframe(1), "op"))
        return args[0] if args else None

    exec(compile(source, "/home/user/program.py", "exec"), {"op": op, **names})
    pairs = itertools.pairwise(places)
    return sum(comes_round(before, now) for before, now in pairs)


WHILE = "n = 0\nwhile op(n) < 5:\n    n = op(n + 1)\n    op()\nop()\n"
ONE_LINE = "n = 0\nwhile op(n) < 5 and op(n) < 7: n = op(n) + 1; op()\n"


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (WHILE, 5),
        ("def main():\n    " + WHILE.replace("\n", "\n    ") + "\nmain()\n", 5),
        (ONE_LINE, 5 if sys.version_info >= (3, 11) else 4),
        ("for _ in range(4):\n    op()\n", 3),
        ("for _ in range(4):\n    (op(\n        op())\n    )\n", 3),
        ("[op() for _ in range(4)]\n", 3),
        ("def f():\n    op()\n    op()\nfor _ in range(4):\n    f()\n", 3),
        ("def f():\n    op()\nf()\nf()\nf()\n", 0),
        ("def f(n):\n    op()\n    if n: f(n - 1)\nf(5)\n", 0),
        ("for _ in range(3):\n    for _ in range(2):\n        op()\n", 5),
        ("op()\nop(op(), op(\n  op()))\n[op(), op()]\n", 0),
        ("try:\n    op()\nfinally:\n    op()\nwith c:\n    op()\nop()\n", 0),
        ("class A:\n    def __init__(s):\n        for _ in range(3): op()\nA()\nop()", 2),
    ],
)
def test_a_program_comes_round_once_for_each_iteration(source: str, expected: int) -> None:
    import contextlib

    assert rounds(source, c=contextlib.nullcontext()) == expected


def test_constructors_and_functions_that_go_through_several_do_not_count() -> None:
    places: list[Place] = []

    class Added:
        def __radd__(self, other: Any) -> Any:
            return self.__add__(other)

        def __add__(self, other: Any) -> Any:
            places.append(place(sys._getframe(2), "add"))
            return self

    class Made:
        def __init__(self, call: Callable[[], Any]) -> None:
            call()

    names = {"items": [Added(), Added()], "Made": Made}
    source = "for _ in range(2):\n    sum(items)\nMade(lambda: items[0] + 1)\n"
    exec(compile(source, "/home/user/program.py", "exec"), names)
    assert [found.counts for found in places][-1] is False
    assert [found.direct for found in places[:4]] == [False] * 4


def test_the_loop_around_knows_its_end() -> None:
    places: list[Place] = []

    def op() -> bool:
        places.append(place(sys._getframe(1), "op"))
        return len(places) < 5

    source = "while op():\n    try:\n        op()\n    except OSError:\n        pass\nop()\n"
    exec(compile(source, "/home/user/program.py", "exec"), {"op": op})
    test, body, again, *_, last, after = places
    loop = loop_around(body)
    assert loop is not None
    assert loop.holds(body) and not loop.holds(after)
    assert not loop.tests(body)
    assert loop.tests(again) and loop.tests(last) and loop.tests(test)
    assert loop_around(after) is None
