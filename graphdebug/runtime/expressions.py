"""What an expression is: the operands of an operation, the arguments of a call, its name.

Used by ``reading``, ``origins`` and by the backends' ``errors``.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator


def operands(node: ast.AST | None) -> Iterator[tuple[str, ast.expr]]:
    """The operands of an operation, each with its keyword, in order."""
    if isinstance(node, ast.Call):
        if isinstance(node.func, ast.Attribute):
            yield "", node.func.value
        for item in node.args:
            yield "", item.value if isinstance(item, ast.Starred) else item
        for keyword in node.keywords:
            yield keyword.arg or "", keyword.value
    elif isinstance(node, ast.BinOp):
        yield "", node.left
        yield "", node.right
    elif isinstance(node, ast.AugAssign):
        yield "", node.target
        yield "", node.value
    elif isinstance(node, ast.Subscript):
        yield "", node.value
        parts = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        for part in parts:
            yield "", part
    elif isinstance(node, ast.Attribute):
        yield "", node.value
    elif isinstance(node, ast.Assign):
        yield from operands(node.targets[0])
        yield "", node.value
    elif isinstance(node, ast.Compare):
        yield "", node.left
        for item in node.comparators:
            yield "", item
    elif isinstance(node, ast.UnaryOp):
        yield "", node.operand


def argument(
    call: ast.AST | None, parameters: tuple[str, ...], name: str, bound: bool
) -> ast.expr | None:
    """What a call gives for a parameter; ``bound`` where the first one isn't among its arguments."""
    if not isinstance(call, ast.Call):
        return None
    for keyword in call.keywords:
        if keyword.arg == name:
            return keyword.value
    if name not in parameters:
        return None
    place = parameters.index(name) - bound
    before = call.args[: place + 1]
    if place < 0 or len(before) <= place or any(isinstance(item, ast.Starred) for item in before):
        return None
    return call.args[place]


def called_name(node: ast.AST) -> str:
    """The last part of the name of what a call calls; empty for anything else."""
    if isinstance(node, ast.Call):
        return getattr(node.func, "attr", getattr(node.func, "id", ""))
    return ""


def is_operation(node: ast.AST, operation: str) -> bool:
    """Whether an expression is an operation of that type, such as ``MatMul`` or ``AddV2``."""
    kind, wanted = _kind(node), operation.lower().removesuffix("v2")
    return wanted.endswith(kind) and not (kind == "mul" and wanted.endswith("matmul"))


def _kind(node: ast.AST) -> str:
    """What an operation is called, in small letters alone; ``?`` where it has no name."""
    if isinstance(node, (ast.BinOp, ast.AugAssign)):
        name = type(node.op).__name__.lower()
        return {"mult": "mul", "matmult": "matmul"}.get(name, name)
    return called_name(node).replace("_", "").lower() or "?"
