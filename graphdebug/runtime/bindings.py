"""Whether a scope binds a name by other means than the statements that ``reading`` follows."""

from __future__ import annotations

import ast
from collections.abc import Iterator

COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)

_NESTED = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)


def bound_otherwise(scope: ast.AST, name: str) -> bool:
    """By ``:=``, ``match``, ``except as``, ``import`` or ``del``, or out of another scope."""
    return any(_binds(node, name) for node in _own(scope)) or _elsewhere(scope, name)


def assigned_outside(module: ast.AST, name: str) -> bool:
    """Whether a function says that it binds a global name."""
    return any(isinstance(node, ast.Global) and name in node.names for node in ast.walk(module))


def _own(scope: ast.AST) -> Iterator[ast.AST]:
    """The nodes of a scope, without those of scopes within; but those of comprehensions, for ``:=``."""
    waiting = list(ast.iter_child_nodes(scope))
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, _NESTED):
            waiting += ast.iter_child_nodes(node)


def _binds(node: ast.AST, name: str) -> bool:
    if isinstance(node, ast.NamedExpr):
        return node.target.id == name
    if isinstance(node, ast.Delete):
        return any(isinstance(item, ast.Name) and item.id == name for item in node.targets)
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        return any((item.asname or item.name.partition(".")[0]) == name for item in node.names)
    if isinstance(node, ast.Global):
        return name in node.names
    if isinstance(node, ast.MatchMapping):
        return node.rest == name
    return isinstance(node, (ast.ExceptHandler, ast.MatchAs, ast.MatchStar)) and node.name == name


def _elsewhere(scope: ast.AST, name: str) -> bool:
    """Whether a function within binds it as its own ``nonlocal``."""
    if isinstance(scope, ast.Module):
        return assigned_outside(scope, name)
    return any(isinstance(node, ast.Nonlocal) and name in node.names for node in ast.walk(scope))
