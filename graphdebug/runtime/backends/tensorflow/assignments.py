"""Which variables a line of the user's assigns, and which node's output each of them is."""

from __future__ import annotations

import ast
import functools
import linecache
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from graphdebug.runtime.backends.tensorflow.sources import Origin, find

Names = Mapping[Origin, Mapping[int, str]]
"""Of operations, the variables that hold their outputs."""


class Assignment(NamedTuple):
    """The assignment that a line belongs to."""

    names: tuple[str, ...]
    """Its variables; more than one where it unpacks."""
    updates: bool
    """Whether it also reads one of them."""


@functools.lru_cache(maxsize=4096)
def assignment_at(path: str, line: int) -> Assignment | None:
    """The innermost assignment to plain names that spans a line."""
    found = None
    for node in _assignments(path):
        if node.lineno <= line <= (node.end_lineno or node.lineno):
            found = node
    if found is None or found.value is None:
        return None
    target = found.targets[0] if isinstance(found, ast.Assign) else found.target
    items = target.elts if isinstance(target, (ast.Tuple, ast.List)) else [target]
    names = tuple(item.id for item in items if isinstance(item, ast.Name))
    if len(names) != len(items):
        return None
    read = {node.id for node in ast.walk(found.value) if isinstance(node, ast.Name)}
    return Assignment(names, isinstance(found, ast.AugAssign) or bool(read & set(names)))


@functools.lru_cache(maxsize=64)
def _assignments(path: str) -> Sequence[ast.Assign | ast.AnnAssign | ast.AugAssign]:
    try:
        tree = ast.parse("".join(linecache.getlines(path)))
    except (SyntaxError, ValueError):
        return ()
    kinds = (ast.Assign, ast.AnnAssign, ast.AugAssign)
    return sorted(
        (node for node in ast.walk(tree) if isinstance(node, kinds)), key=lambda node: node.lineno
    )


def variables(
    graph: Any, path: str, line: int, origins: Sequence[Origin]
) -> dict[Origin, dict[int, str]]:
    """For each operation whose output a variable of the line holds: output to name.

    That is the last operation that the line built, and others of its type unless they only fed it:
    ``x = a + b + c`` adds twice and stores once, ``h = tf.matmul(h, w)`` in a Python loop stores
    each time.
    """
    assignment = assignment_at(path, line)
    built = [(origin, find(graph, origin)) for origin in origins]
    known = [(origin, operation) for origin, operation in built if operation is not None]
    if assignment is None or not known:
        return {}
    last = known[-1][1]
    fed = {item.op for _, operation in known for item in operation.inputs}
    found = {}
    for origin, operation in known:
        if operation.type == last.type and (assignment.updates or operation not in fed):
            if len(assignment.names) == 1 and operation.outputs:
                found[origin] = {0: assignment.names[0]}
            elif len(assignment.names) == len(operation.outputs):
                found[origin] = dict(enumerate(assignment.names))
    return found
