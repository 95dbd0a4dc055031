"""What each scope of a piece of source says by itself: names, calls, statements.

Nothing here looks outside the piece, and lines count from its first line: the facts of a piece that
did not change are used again after an edit elsewhere. ``source`` makes them, ``names`` reads them.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from graphdebug.analysis.apis import PASSING_NAMES

ScopeKind = Literal["module", "class", "function", "lambda"]
Function = ast.FunctionDef | ast.AsyncFunctionDef

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
_DECORATED = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


@dataclass(frozen=True)
class Bound:
    """One way in which a scope gives a meaning to a name; at most one field is filled."""

    path: str = ""
    """Dotted path, where the name is imported."""
    scope: Facts | None = None
    """The function or class that is defined under the name."""
    value: ast.expr | None = None
    """What is assigned to it, or holds it where the name is unpacked or looped over."""
    annotation: ast.expr | None = None
    """Of a parameter: its type."""


@dataclass(frozen=True, eq=False)
class Use:
    """A call."""

    node: ast.Call
    head: str
    """What the callee is an attribute of: ``tf`` of ``tf.while_loop``; empty for no plain path."""
    last: str
    """Its name: ``while_loop``; empty where it has none."""
    given: dict[int | str | None, frozenset[str]]
    """By position or keyword: what that argument may take its value from; -1 is the callee."""
    mentions: frozenset[str]
    """All of these."""
    guarded: bool
    """Whether it stands under a condition, so that it may not run."""


@dataclass(frozen=True)
class Store:
    """An assignment to something that is no plain name."""

    target: str
    """As written, such as ``self.step`` or ``os.environ[HOME]``."""
    base: ast.expr
    """What it is an attribute, or an element, of."""
    value: ast.expr
    guarded: bool
    """Whether it stands under a condition."""


@dataclass(frozen=True)
class Block:
    """One item of a ``with`` statement."""

    context: ast.expr
    first: int
    """First line of the statement's body."""
    last: int


@dataclass(eq=False)
class Facts:
    """One scope: a function, a lambda, a class, or the top level of the piece."""

    kind: ScopeKind
    name: str
    node: ast.AST
    first: int
    """First line as ``co_firstlineno`` has it: decorators included."""
    start: int
    """First line of its body."""
    last: int
    parameters: list[str] = field(default_factory=list)
    decorators: list[ast.expr] = field(default_factory=list)
    bases: list[ast.expr] = field(default_factory=list)
    bound: dict[str, list[Bound]] = field(default_factory=dict)
    inner: dict[str, list[Bound]] = field(default_factory=dict)
    """Names of comprehensions, which other expressions don't see."""
    outer: dict[str, list[Bound]] = field(default_factory=dict)
    """Names that a ``global`` statement hands to the top level."""
    stars: list[str] = field(default_factory=list)
    """Modules imported with ``*``."""
    statements: list[ast.stmt] = field(default_factory=list)
    """Its own statements in source order, those inside compound statements too."""
    flows: list[tuple[str, frozenset[str]]] = field(default_factory=list)
    """For each name, attribute, parameter and class: what it may take its value from."""
    uses: list[Use] = field(default_factory=list)
    reads: list[ast.Attribute] = field(default_factory=list)
    """Attributes that are read and not called: they may be properties."""
    blocks: list[Block] = field(default_factory=list)
    stores: list[Store] = field(default_factory=list)
    returns: list[ast.expr] = field(default_factory=list)
    yields: bool = False
    """Whether it, or a function in it, is a generator."""
    typing_only: list[tuple[int, int]] = field(default_factory=list)
    """Lines under ``if TYPE_CHECKING``."""
    children: list[Facts] = field(default_factory=list)


def dotted(node: ast.expr) -> str:
    """``a.b.c`` for such an expression, else the empty string."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        return ""
    parts.append(node.id)
    return ".".join(reversed(parts))


def identifiers(nodes: Iterable[ast.AST]) -> frozenset[str]:
    """What ``nodes`` may take their values from.

    ``f`` for ``[a.f]``, ``f()`` for ``a.f(x)``, ``<lambda>`` for a lambda.
    """
    found: set[str] = set()
    stack = list(nodes)
    while stack:
        node = stack.pop()
        if isinstance(node, ast.Name):
            found.add(node.id)
        elif isinstance(node, ast.Attribute):
            found.add(node.attr)
        elif isinstance(node, ast.Lambda):
            found.add("<lambda>")
        elif isinstance(node, ast.Call):
            last = last_part(node.func)
            if last:
                found.add(f"{last}()")
            else:
                stack.append(node.func)
            if last in PASSING_NAMES:
                stack.extend((*node.args, *(keyword.value for keyword in node.keywords)))
        else:
            stack.extend(sources(node))
    return frozenset(found)


def sources(node: ast.AST) -> list[ast.expr]:
    """The parts that ``node``, no name and no call, picks its value from."""
    match node:
        case ast.List(elts=parts) | ast.Tuple(elts=parts) | ast.Set(elts=parts):
            return parts
        case ast.Dict(values=parts) | ast.BoolOp(values=parts):
            return parts
        case ast.IfExp(body=body, orelse=other):
            return [body, other]
        case ast.ListComp(elt=part) | ast.GeneratorExp(elt=part) | ast.DictComp(value=part):
            return [part]
        case ast.Subscript(value=part) | ast.Starred(value=part) | ast.Await(value=part):
            return [part]
        case ast.NamedExpr(value=part):
            return [part]
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return [left, right]  # lists of layers
    return []


def last_part(node: ast.expr) -> str:
    """The name that ``node`` ends with; empty where it is no name."""
    return getattr(node, "attr", getattr(node, "id", ""))


def first_line(statement: ast.stmt) -> int:
    """The line that ``statement`` starts at, its decorators included."""
    if isinstance(statement, _DECORATED):
        return min([statement.lineno, *(d.lineno for d in statement.decorator_list)])
    return statement.lineno


def parameters(node: ast.AST) -> list[ast.arg]:
    """The parameters of a function or lambda, in order."""
    if not isinstance(node, _FUNCTIONS):
        return []
    a = node.args
    extra = [x for x in (a.vararg, a.kwarg) if x is not None]
    return [*a.posonlyargs, *a.args, *a.kwonlyargs, *extra]
