"""Which line a breakpoint lands on, and the lines where nothing ever stops."""

from __future__ import annotations

import json
import subprocess
import sys
from bisect import bisect_left
from pathlib import Path
from textwrap import dedent

import pytest
from marked_programs import check, lines

from graphdebug.analysis import analyse

LAYOUT = dedent('''\
    # comment before any code

    """Docstring.

    of more lines"""
    from __future__ import annotations
    import sys

    # comment

    x: int
    y: int = 3
    "string"
    3
    def f(
        a,
        b=2,
    ):
        """Doc
        string"""
        global g
        pass
        if a:
            # comment
            return 1

            print("dead")
        else:
            z = 2
        # comment

        while False:
            print("never")
        return (
            # comment
            z
            +
            1
        )


    class A:
        """Doc"""

        @staticmethod
        def m(
            a=1,
        ):
            ...
        # after

    try:
        f(0)
    except ValueError:
        pass
    finally:
        u = 1
    print(
        f(1),

        lambda: 3,
        [i
         for i in range(3)],
    )
    text = """
    a
    """
    for i in range(2):
        continue
    else:
        print("end")
    raise SystemExit(0)
    print("dead end")
''')

_TABLE = """
import json, sys
from debugpy._vendored import force_pydevd
from _pydevd_bundle.pydevd_api import _get_code_lines
print(json.dumps(sorted(set(_get_code_lines(sys.argv[1])))))
"""


def test_breakpoints_land_where_debugpy_puts_them(tmp_path: Path) -> None:
    path = tmp_path / "layout.py"
    path.write_text(LAYOUT, encoding="utf-8")
    command = [sys.executable, "-c", _TABLE, str(path)]
    table = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    table = [line for line in table if line > 0]
    analysis = analyse(LAYOUT, str(path))
    for line in range(table[0], LAYOUT.count("\n") + 3):
        landing = line if line in table else table[bisect_left(table, line) - 1]
        binding = analysis.binding(line)
        assert binding.line == analysis.binding(landing).line
        moved = f"line {line} holds no code that can run, so this is on line {landing}: "
        assert binding.reason.startswith(moved) == (line not in table)


def test_before_all_code_nothing_stops() -> None:
    analysis = analyse(LAYOUT)
    assert analysis.binding(1).kind == "never"
    assert analysis.binding(1).line == 1


@pytest.mark.parametrize("source", ["", "\n\n", "# only a comment\n", "\ufeff\n"])
@pytest.mark.parametrize("line", [-1, 0, 1, 2, 999])
def test_files_without_code(source: str, line: int) -> None:
    assert analyse(source).binding(line).kind == "never"


def test_numbers_outside_of_the_file() -> None:
    analysis = analyse("x = 1\ny = 2\n")
    assert [analysis.binding(n).kind for n in (-7, 0, 1, 2, 3, 10**9)] == [
        "never", "never", "line", "line", "line", "line",
    ]  # fmt: skip
    assert analysis.binding(10**9).line == 2


def test_type_checking_only() -> None:
    check("""
        import typing
        from typing import TYPE_CHECKING
        if TYPE_CHECKING:  # @line
            import os  # @never
            from a import (  # @never
                b,
            )
            def f():  # @never
                return 1  # @never
        else:
            b = None  # @line
        if typing.TYPE_CHECKING:
            import re  # @never
    """)


def test_dead_code_is_moved_to_where_debugpy_stops() -> None:
    program = dedent("""
        def f(x):
            return x  # @alive
            print("dead")  # @dead
    """)
    marked = lines(program)
    binding = analyse(program).binding(marked["dead"])
    assert (binding.kind, binding.line) == ("line", marked["alive"])
    assert f"line {marked['dead']} holds no code that can run" in binding.reason


def test_a_definition_is_not_its_body() -> None:
    analysis = check("""
        import tensorflow as tf
        @tf.function  # @line
        def step(  # @line
            x,
            y=tf.constant(1),  # @line
        ):
            return x  # @hidden tf.function
        class Model:  # @line
            rate = 0.1  # @line
    """)
    assert analysis.binding(3).reason == "stops when step is defined, not when it is called"
    assert analysis.binding(7).function == "step"


def test_statements_over_several_lines() -> None:
    program = dedent("""
        import torch
        @torch.compile
        def step(x):
            y = helper(  # @first
                x,  # @inner
                1,
            )  # @last
            return y
        def helper(*a):
            return a
    """)
    analysis = analyse(program)
    marked = lines(program)
    assert {analysis.binding(marked[name]).line for name in marked} == {marked["first"]}
    assert {analysis.binding(marked[name]).kind for name in marked} == {"boundary"}


def test_functions_are_named_as_python_names_them() -> None:
    analysis = analyse(
        "x = 1\nclass A:\n    y = 1\n    def m(self):\n        return (lambda:\n 1)\n"
    )
    names = [analysis.binding(line).function for line in range(1, 7)]
    assert names == ["<module>", "<module>", "A", "A", "m", "<lambda>"]


def test_bindings_are_all_statements_that_are_no_plain_lines() -> None:
    program = dedent("""
        import tensorflow as tf
        from typing import TYPE_CHECKING
        if TYPE_CHECKING:
            import os  # @a
        def helper(x):
            y = (x +  # @b
                 1)
            return y  # @c
        @tf.function
        def step(x):
            if x:  # @d
                return helper(x)  # @e
        ds = tf.data.Dataset.range(3)
        ds = ds.map(lambda v: v)  # @f
        ds = ds.map(
            lambda v: (
                v +  # @h
                1
            )
        )
        step(1)
        with tf.Graph().as_default():
            n = 1
            z = tf.constant(1)  # @g
    """)
    analysis = analyse(program)
    assert [binding.line for binding in analysis.bindings] == sorted(lines(program).values())
    for binding in analysis.bindings:
        assert binding == analysis.binding(binding.line)
