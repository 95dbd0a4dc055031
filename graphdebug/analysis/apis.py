"""What is known of the frameworks: which of their functions make graphs out of users' functions.

Each row was checked by running debugpy over a small program (tensorflow 2.21, Keras 3.15, torch
2.13). Pure data: imports nothing of this package, and never a framework.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from functools import lru_cache


@dataclass(frozen=True)
class Construct:
    """Something that is handed functions and decides how their code runs."""

    name: str
    """As users spell it."""
    positions: tuple[int, ...]
    """Which positional arguments are the functions."""
    keywords: tuple[str, ...]
    """Their names as keyword arguments."""
    opens: bool = False
    """Whether it makes a graph of its own; else it goes by the place that it is called at."""
    generated: bool = False
    """Whether it runs other code in the function's place, so that Python never stops in it."""
    escapes: bool = False
    """Whether functions that library code calls from there run as they were written."""
    wraps: bool = False
    """Whether it gives back something to call in the function's place, as a decorator does."""
    threaded: bool = False
    """Whether it runs the function as plain Python, but in a thread of the framework's own."""
    runs: str = ""
    """When the graph runs; ``{subject}`` stands for the function's name."""

    def given(self, call: ast.Call) -> list[ast.expr]:
        """The arguments of ``call`` that are its functions."""
        found = [call.args[i] for i in self.positions if i < len(call.args)]
        return found + [k.value for k in call.keywords if k.arg in self.keywords]


_CALL = "at each call of {subject}"
_ITERATED = "the graph runs while the dataset is iterated"


def _branch(name: str, positions: tuple[int, ...], *keywords: str) -> Construct:
    return Construct(name, positions, keywords)


def _dataset(method: str, positions: tuple[int, ...], *keywords: str) -> Construct:
    name = f"tf.data.Dataset.{method}"
    return Construct(
        name, positions, keywords, opens=True, generated=True, escapes=True, runs=_ITERATED
    )


def _dynamo(name: str, positions: tuple[int, ...], *keywords: str, wraps: bool) -> Construct:
    return Construct(
        name, positions, keywords, opens=True, generated=True, wraps=wraps, runs=_CALL
    )


def _traced(name: str, position: int, keyword: str, wraps: bool = True) -> Construct:
    return Construct(name, (position,), (keyword,), opens=True, wraps=wraps, runs=_CALL)
