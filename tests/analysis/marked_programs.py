"""Small programs whose lines say, in a comment at their end, what a breakpoint there does.

``# @line``, ``# @never``; ``# @boundary tf.cond`` where Python stops while the graph is built,
``# @hidden tf.function`` where it runs other code instead, ``# @both tf.cond`` where the line runs
as plain Python too; ``# @handled tf.py_function`` for a line of a construct that is no graph.
"""

from __future__ import annotations

import re
from textwrap import dedent

from graphdebug.analysis import Analysis, Binding, analyse

_MARK = re.compile(r"#\s*@(\w+)\s*(.*?)\s*$")
_PLAIN_TOO = ("where it runs as plain Python as well", "the rest of this line stops")


def check(program: str) -> Analysis:
    """Asserts what the marks of ``program`` say; gives the analysis back."""
    text = dedent(program).lstrip("\n")
    analysis = analyse(text)
    expected = {}
    for number, line in enumerate(text.splitlines(), start=1):
        found = _MARK.search(line)
        if found:
            expected[number] = f"{found[1]} {found[2]}".strip()
    assert expected, "no line is marked"
    actual = {number: described(analysis.binding(number)) for number in expected}
    assert actual == expected
    return analysis


def described(binding: Binding) -> str:
    """``binding`` in the words of the marks."""
    kind: str = binding.kind
    if kind == "boundary" and any(words in binding.reason for words in _PLAIN_TOO):
        kind = "both"
    elif kind == "boundary" and not binding.builds:
        kind = "hidden"
    elif kind == "line" and binding.construct:
        kind = "handled"
    return f"{kind} {binding.construct}".strip()


def lines(program: str) -> dict[str, int]:
    """The lines of ``program`` by the word of their marks."""
    found = {}
    for number, line in enumerate(program.splitlines(), start=1):
        mark = _MARK.search(line)
        if mark:
            found[mark[1]] = number
    return found
