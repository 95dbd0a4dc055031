"""A file at a glance: its functions, and where in each of them breakpoints do less than usual.

Where ``Analysis.binding`` answers for one line, this tells what a person should see of a whole file:
each reason once for the function that it holds in. Imported by ``analysis`` alone.
"""

from __future__ import annotations

import ast
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

from graphdebug.analysis.binding import Binding, BindingKind
from graphdebug.analysis.facts import first_line
from graphdebug.analysis.scopes import Scope


@dataclass(frozen=True)
class Span:
    """Whole lines."""

    first: int
    """1-based."""
    last: int
    """The last one that belongs to it."""


@dataclass(frozen=True)
class Function:
    """A function of the file."""

    name: str
    """As in ``co_name``."""
    line: int
    """The line of its ``def``."""
    lines: Span
    """All its lines, from its first decorator on."""


@dataclass(frozen=True)
class Block:
    """Lines of one function where a breakpoint, for one reason, doesn't stop each time they run."""

    kind: BindingKind
    """What a breakpoint there does instead."""
    reason: str
    """Why, as a breakpoint there would say it."""
    construct: str
    """What makes the graph, such as ``tf.while_loop``; empty where there is none."""
    can_stop_inside: bool
    """As in ``Binding``."""
    function: str
    """The function they stand in; empty at the top level of the file."""
    head: int
    """The line to show it at: that of the ``def`` where the whole function is meant, or the first."""
    lines: tuple[Span, ...]
    """The lines, in order."""


def functions_of(scopes: Sequence[Scope]) -> tuple[Function, ...]:
    """The functions of a file in source order; lambdas aren't among them."""
    found = (
        Function(
            scope.name,
            scope.line(scope.facts.node),
            Span(scope.offset + scope.facts.first, scope.offset + scope.facts.last),
        )
        for scope in scopes
        if scope.kind == "function"
    )
    return tuple(sorted(found, key=lambda function: function.line))


def blocks_of(bindings: Sequence[Binding], scopes: Sequence[Scope]) -> tuple[Block, ...]:
    """``bindings``, those of a whole file in order, put together."""
    statements = _statements(scopes)
    strings = _strings(scopes)
    starts = sorted(statements)
    grouped: dict[tuple[Scope | None, str, str], list[Binding]] = {}
    for binding in bindings:
        if binding.line in strings:
            continue
        scope, _ = statements.get(binding.line) or statements[starts[_before(starts, binding.line)]]
        grouped.setdefault((scope, binding.kind, binding.reason), []).append(binding)
    blocks = [_block(group, key[0], statements, starts) for key, group in grouped.items()]
    return tuple(sorted(blocks, key=lambda block: block.head))


_Statements = dict[int, tuple[Scope | None, int]]
"""By first line of a statement or a lambda's body: its function, None at the top, and its last line."""


def _statements(scopes: Sequence[Scope]) -> _Statements:
    found: _Statements = {}
    for scope in scopes:
        for statement in scope.facts.statements:
            found[scope.offset + first_line(statement)] = (
                _function(scope),
                scope.offset + _last_line(statement),
            )
    for scope in scopes:
        if scope.kind == "lambda":
            body = (_function(scope), scope.offset + scope.facts.last)
            found.setdefault(scope.offset + scope.facts.start, body)
    return found


def _strings(scopes: Sequence[Scope]) -> set[int]:
    """The lines of docstrings and the like, which hold no code."""
    return {
        scope.offset + statement.lineno
        for scope in scopes
        for statement in scope.facts.statements
        if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
    }


def _function(scope: Scope | None) -> Scope | None:
    """It, or the function around a class body; None at the top level, which has many scopes."""
    while scope is not None and scope.kind != "function":
        scope = scope.parent
    return scope


def _last_line(statement: ast.stmt) -> int:
    """Where it ends; of a compound one where its header does."""
    body = getattr(statement, "body", None)
    if isinstance(body, list) and body:
        return max(statement.lineno, first_line(body[0]) - 1)
    cases = getattr(statement, "cases", None)
    if cases:
        return max(statement.lineno, int(cases[0].pattern.lineno) - 1)
    return statement.end_lineno or statement.lineno


def _block(
    group: list[Binding], scope: Scope | None, statements: _Statements, starts: list[int]
) -> Block:
    first = group[0]
    spans: list[Span] = []
    for binding in group:
        last = max(binding.line, statements.get(binding.line, (None, 0))[1])
        if spans and _adjoin(spans[-1].last, binding.line, starts):
            spans[-1] = Span(spans[-1].first, last)
        else:
            spans.append(Span(binding.line, last))
    head = first.line
    if scope is not None and _begins(scope, first.line):
        head = scope.line(scope.facts.node)
    name = scope.name if scope is not None else ""
    return Block(
        first.kind,
        first.reason,
        first.construct,
        first.can_stop_inside,
        name,
        head,
        tuple(spans),
    )


def _adjoin(last: int, line: int, starts: list[int]) -> bool:
    """Whether no statement begins between two lines."""
    return bisect_left(starts, last + 1) == bisect_left(starts, line)


def _begins(scope: Scope, line: int) -> bool:
    """Whether ``line`` is the first statement of a function, but for its docstring."""
    body = getattr(scope.facts.node, "body", [])
    if body and ast.get_docstring(scope.facts.node, clean=False) is not None:  # type: ignore[arg-type]
        body = body[1:]
    return bool(body) and scope.offset + first_line(body[0]) == line


def _before(starts: list[int], line: int) -> int:
    return max(0, bisect_left(starts, line + 1) - 1)
