"""Blocks and functions: what a person sees of a whole file."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest
from support.markers import PROGRAMS

from graphdebug.analysis import analyse

GRAPH = """
    import tensorflow as tf
    import torch

    @tf.function
    def whole(x):
        '''What it does.'''
        if (x and
                x):
            y = [
                x,
            ]
        # nothing

        return (y +
                1)

    @torch.compile
    def outer(x):
        def inner(y):
            return y
        return inner(x)

    def plain(x):
        return whole(x)
"""


def blocks(text: str) -> dict[str, tuple[int, list[tuple[int, int]]]]:
    found = analyse(textwrap.dedent(text)).blocks
    return {
        block.function: (block.head, [(span.first, span.last) for span in block.lines])
        for block in found
    }


def test_a_function_is_one_block_at_its_def() -> None:
    found = blocks(GRAPH)
    assert found["whole"] == (6, [(8, 16)])
    assert found["inner"] == (20, [(21, 21)])
    assert found["outer"] == (19, [(20, 20), (22, 22)])
    assert "plain" not in found


def test_lines_in_a_function_that_runs_as_python_are_shown_where_they_are() -> None:
    found = blocks(
        """
        import tensorflow as tf
        def f(x):
            with tf.Graph().as_default():
                y = tf.constant(1)
                n = 3
                z = tf.constant(2)
        """
    )
    assert found == {"f": (5, [(5, 5), (7, 7)])}


def test_a_lambda_in_a_statement_of_many_lines_is_a_block_of_its_own_lines() -> None:
    text = """
        import tensorflow as tf
        def f(ds):
            return ds.batch(2)
        ds = f(tf.data.Dataset.range(3)).map(
            lambda v: (
                v
                + 1
            ),
            3,
        )
        """
    assert blocks(text) == {"": (7, [(7, 9)])}


def test_functions_have_their_lines() -> None:
    found = analyse(textwrap.dedent(GRAPH)).functions
    assert [(f.name, f.line, f.lines.first, f.lines.last) for f in found] == [
        ("whole", 6, 5, 16),
        ("outer", 19, 18, 22),
        ("inner", 20, 20, 21),
        ("plain", 24, 24, 25),
    ]


@pytest.mark.parametrize("path", sorted(PROGRAMS.glob("*.py")), ids=lambda path: path.name)
def test_blocks_hold_the_lines_that_bindings_name(path: Path) -> None:
    """Each line of a block answers as the block does, and no such line is left out."""
    text = path.read_text(encoding="utf-8")
    analysis = analyse(text, str(path))
    firsts = {
        (binding.line, binding.reason)
        for binding in analysis.bindings
        if not text.split("\n")[binding.line - 1].lstrip().startswith(('"', "'", 'r"'))
    }
    covered = set()
    for block in analysis.blocks:
        for line, reason in firsts:
            if reason == block.reason and any(s.first <= line <= s.last for s in block.lines):
                covered.add((line, reason))
        for span in block.lines:
            assert analysis.binding(span.first).kind == block.kind
            assert analysis.binding(span.first).can_stop_inside == block.can_stop_inside
    assert covered == firsts
