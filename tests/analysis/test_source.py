"""Text as editors have it: half-typed, with any line ends, long, edited again and again."""

from __future__ import annotations

import ast
import sys
from textwrap import dedent
from unittest.mock import patch

import pytest
from marked_programs import check, described

from graphdebug.analysis import analyse

STEP = """
import tensorflow as tf
@tf.function
def step(x):
    return x + 1
"""

BROKEN = {
    "half a call": "x = foo(\n",
    "half a function": "def half(\n",
    "a header alone": "def half():\n\n",
    "an if alone": "if True:\n\n",
    "a stray word": "for while\n",
    "a magic": "%matplotlib inline\n!pip install tensorflow\n",
    "bad indentation": "x = 1\n    y = 2\n",
    "a bracket too many": "x = 1)\n",
    "an open string": "x = 'abc\n",
    "half a class": "class A(\n    pass\n",
    "a merge": "<<<<<<< HEAD\nx = 1\n=======\nx = 2\n>>>>>>> other\n",
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_broken_elsewhere_changes_nothing(name: str) -> None:
    before = BROKEN[name] + STEP
    line = before.count("\n")
    assert described(analyse(before).binding(line)) == "hidden tf.function"
    after = STEP + BROKEN[name]
    assert described(analyse(after).binding(5)) == "hidden tf.function"


def test_an_open_multi_line_string_takes_the_rest_of_the_file_only() -> None:
    analysis = analyse(STEP + 'x = """\ndef f():\n    pass\n')
    assert described(analysis.binding(5)) == "hidden tf.function"


def test_a_broken_line_in_the_function_itself() -> None:
    analysis = analyse(STEP + "    y = = 2\n    return y\n")
    assert described(analysis.binding(5)) == "hidden tf.function"
    assert described(analysis.binding(7)) == "hidden tf.function"


def test_a_blank_part_of_a_broken_file_is_said_to_be_unknown() -> None:
    binding = analyse("import torch\n\n\nx = foo(\n").binding(3)
    assert binding.kind == "line"
    assert "does not parse" in binding.reason


@pytest.mark.parametrize(
    "text",
    [
        "\0",
        "\ud800",
        "x = '\ud800'",
        "\r",
        "\x0c",
        "(" * 5000,
        "\t\t\t",
        '"""',
        "'''" * 3,
        "\\",
        "@",
        "@\n@",
    ],
)
def test_no_text_is_too_odd(text: str) -> None:
    for whole in (text, STEP + text, text + STEP):
        analysis = analyse(whole)
        assert isinstance(analysis.bindings, tuple)
        assert analysis.binding(1).reason


@pytest.mark.parametrize("end", ["\r\n", "\r", "\n"])
@pytest.mark.parametrize("indent", ["    ", "\t", " "])
@pytest.mark.parametrize("start", ["", "\ufeff", "# -*- coding: latin-1 -*-\n", "\x0c\n"])
def test_line_ends_indentation_and_encodings(end: str, indent: str, start: str) -> None:
    text = start + STEP.replace("x + 1", "'é€' + x")
    line = text.count("\n")
    text = text.replace("    ", indent).replace("\n", end)
    assert described(analyse(text).binding(line)) == "hidden tf.function"


def test_code_in_strings_is_no_code() -> None:
    check(
        '''
        import tensorflow as tf
        text = """
@tf.function
def inside(x):
    return x
class Inside:
    pass
        """
        other = \'\'\'
def again(x):
    """
    \'\'\'
        @tf.function
        def step(x):
            """Doc

@tf.function
def no(x):
            """
            return x  # @hidden tf.function
    '''.replace("        ", "")
    )


def test_else_and_decorators_at_the_left_edge() -> None:
    check(
        dedent("""
        import sys, tensorflow as tf
        if sys.argv:
            def f(x):
                return x  # @hidden tf.function
        else:
            f = None
        @tf.function(
            jit_compile=True,
        )
        @sys.intern
        # comment
        async def g(x):
            return f(x)  # @hidden tf.function
        """)
    )


def test_equal_functions_in_one_file_keep_their_own_lines() -> None:
    analysis = check("""
        import torch
        def f(x):
            return x  # @hidden torch.compile
        a = torch.compile(f)
        class A:
            def f(self, x):
                return x  # @line
        def f(x):
            return x  # @hidden torch.compile
    """)
    assert [binding.line for binding in analysis.bindings] == [3, 9]


def _program(functions: int) -> str:
    body = "@tf.function\ndef step{0}(x):\n    y = helper{0}(x)\n    return y\n"
    body += "def helper{0}(x):\n    return x + {0}\nout{0} = step{0}(1)\n"
    return "import tensorflow as tf\n" + "".join(body.format(n) for n in range(functions))


def test_after_an_edit_only_the_edited_part_is_parsed() -> None:
    text = _program(300)
    before = analyse(text)
    edited = text.replace("return x + 7\n", "\n    return x * 7\n")
    with patch("ast.parse", wraps=ast.parse) as parse:
        after = analyse(edited)
    assert parse.call_count == 1
    assert len(before.bindings) == len(after.bindings) == 900
    assert after.bindings[-1].line == before.bindings[-1].line + 1


def test_the_work_grows_with_the_text_and_no_faster() -> None:
    """Counts calls, which no busy machine disturbs.

    Measured: 10,000 lines take 15 to 50 ms after an edit, 120 where every second function is a
    graph's, and 200 to 400 ms the first time, most of it in Python's own parser and memory.
    """
    small, large = (_work(_program(functions)) for functions in (50, 400))
    assert large < small * 8 * 1.5


def _work(text: str) -> int:
    """The number of Python calls that an analysis of ``text`` takes."""
    calls = 0

    def count(frame: object, event: str, argument: object) -> None:
        nonlocal calls
        calls += 1

    analyse(text)
    sys.setprofile(count)
    try:
        _ = analyse(text).bindings
    finally:
        sys.setprofile(None)
    return calls
