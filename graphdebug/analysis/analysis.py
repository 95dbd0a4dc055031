"""What a breakpoint on each line of a Python file does, told from its text alone.

Serves the debug adapter, which must answer before anything has run, and the language server.
"""

from __future__ import annotations

import ast
from bisect import bisect_right
from dataclasses import replace
from functools import cached_property

from graphdebug.analysis import reasons
from graphdebug.analysis.binding import Binding
from graphdebug.analysis.blocks import Block, Function, blocks_of, functions_of
from graphdebug.analysis.contexts import PLAIN, Contexts, Mark
from graphdebug.analysis.facts import first_line
from graphdebug.analysis.lines import CodeLines, Owner
from graphdebug.analysis.names import Names
from graphdebug.analysis.scopes import Scope
from graphdebug.analysis.source import normalised
from graphdebug.analysis.switches import switches_of
from graphdebug.analysis.symbolic import Flow


def analyse(source: str, filename: str = "<unknown>") -> Analysis:
    """The analysis of a file's text; never raises, whatever the text is."""
    return Analysis(source, filename)


class Analysis:
    """The bindings of one file's lines."""

    def __init__(self, source: str, filename: str) -> None:
        self.filename = filename
        self._text = normalised(source)
        self._names = Names(self._text)
        self._switches = switches_of(self._names)
        self._contexts = Contexts(self._names, self._switches)
        self._flow = Flow(self._names, self._contexts.sealed)

    def binding(self, line: int) -> Binding:
        """What a breakpoint on ``line`` does; any number has an answer."""
        landing = self._code.landing(line)
        if landing is None:
            return reasons.never(line, "", reasons.NO_CODE)
        owners = self._owners(landing)
        if not any(_statement(scope, landing) for scope in owners):
            return self._unknown(landing)
        found = self._combined(landing, owners)
        return found if landing == line else reasons.moved(found, line, landing)

    @cached_property
    def bindings(self) -> tuple[Binding, ...]:
        """The bindings of all statements that are more, or less, than a plain line, in order."""
        owners: dict[int, list[Scope]] = {}
        for scope in self._names.scopes:
            if self._is_special(scope):
                for line in _starts(scope):
                    outside = [scope.parent] if scope.parent and _shares(scope, line) else []
                    owners.setdefault(line, []).extend(s for s in (*outside, scope))
        found = (self._combined(line, scopes) for line, scopes in sorted(owners.items()))
        return tuple(binding for binding in found if binding.kind != "line")

    @cached_property
    def blocks(self) -> tuple[Block, ...]:
        """The same, put together: each reason once for the function that it holds in."""
        return blocks_of(self.bindings, self._names.scopes)

    @cached_property
    def functions(self) -> tuple[Function, ...]:
        """The functions of the file, in order."""
        return functions_of(self._names.scopes)

    @property
    def error(self) -> str:
        """Why Python can't read the file; empty where it can."""
        return self._code.error

    def _unknown(self, line: int) -> Binding:
        """For a line without a statement: there is none in the file, or it can't be read."""
        if self._code.error:
            return reasons.line(line, "", f"{reasons.UNKNOWN} ({self._code.error})")
        return reasons.never(line, "", reasons.NO_CODE)

    def _is_special(self, scope: Scope) -> bool:
        marks = self._contexts.of(scope)
        graphs = any(not mark.plain for mark in marks)
        return graphs or scope in self._switches.blocks or bool(scope.facts.typing_only)

    @cached_property
    def _code(self) -> CodeLines:
        return CodeLines(self._text)

    # Whose code is on a line

    @cached_property
    def _by_code(self) -> dict[Owner, Scope]:
        return {(s.offset + s.facts.first, s.name): s for s in self._names.scopes if s.parent}

    def _owners(self, line: int) -> list[Scope]:
        """The scopes with code on ``line``, from the outside in."""
        if self._code.error:
            return self._around(line)
        found = []
        for owner in self._code.owners[line]:
            scope = self._by_code.get(owner) if owner[0] else self._top(line)
            # The line of a def has code of the function too, which only sets up its frame.
            if scope and (scope.kind == "class" or line >= scope.offset + scope.facts.start):
                found.append(scope)
        return found

    def _top(self, line: int) -> Scope:
        tops = self._names.tops
        return tops[bisect_right(tops, line - 1, key=lambda top: top.offset) - 1]

    def _around(self, line: int) -> list[Scope]:
        """The innermost scope around ``line``, by the text alone."""
        scope: Scope | None = self._top(line)
        inner = scope
        while inner:
            scope = inner
            inner = next((s for s in scope.children if _covers(s, line)), None)
        return [scope] if scope else []

    # What it does

    def _combined(self, line: int, owners: list[Scope]) -> Binding:
        """The one answer for a line that code of several scopes stands on."""
        answers = [self._answer(line, scope) for scope in owners]
        boundary = next((answer for answer in reversed(answers) if answer.kind == "boundary"), None)
        if boundary is None:
            return answers[0]
        if all(answer.kind == "boundary" for answer in answers):
            return replace(boundary, builds=any(answer.builds for answer in answers))
        return reasons.shared(boundary)

    def _answer(self, line: int, scope: Scope) -> Binding:
        statement = _statement(scope, line)
        at = _first(scope, statement) if statement else line
        if any(_typing_only(place, line) for place in (scope, *scope.around())):
            return reasons.never(at, scope.name, "only type checkers read this: it never runs")
        marks = self._effective(scope, line, statement)
        if isinstance(statement, _DEFINITIONS) and scope.kind != "lambda" and marks == [PLAIN]:
            return reasons.line(at, scope.name, reasons.defined(statement.name))
        return reasons.of_marks(marks, at, scope.name, self._switches)

    def _effective(self, scope: Scope, line: int, statement: ast.stmt | None) -> list[Mark]:
        """The ways in which ``line`` runs; of graph-building code only nodes' lines count."""
        marks = self._contexts.at(scope, line)
        if not any(mark.by_line for mark in marks):
            return marks
        node = scope.facts.returns[0] if scope.kind == "lambda" else statement
        if node is not None and self._flow.builds(scope, node):
            return marks
        return [mark for mark in marks if not mark.by_line and not mark.plain] or [PLAIN]


_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


def _statement(scope: Scope, line: int) -> ast.stmt | None:
    """The innermost statement at ``line`` in ``scope``, or around it where it is a lambda."""
    while scope.kind == "lambda" and scope.parent:
        scope = scope.parent
    statements = scope.facts.statements
    number = line - scope.offset
    index = bisect_right(statements, number, key=first_line)
    while index:
        index -= 1
        if number <= (statements[index].end_lineno or 0):
            return statements[index]
    return None


def _first(scope: Scope, statement: ast.stmt) -> int:
    """The line that a statement of ``scope`` starts at; of a lambda, that of its body."""
    return scope.offset + (scope.facts.start if scope.kind == "lambda" else first_line(statement))


def _starts(scope: Scope) -> list[int]:
    """The lines that the statements of ``scope`` start at, or the body of a lambda."""
    if scope.kind == "lambda":
        return [scope.offset + scope.facts.start]
    return [scope.offset + first_line(statement) for statement in scope.facts.statements]


def _shares(scope: Scope, line: int) -> bool:
    """Whether code of the scope outside stands on ``line`` too."""
    return line == scope.line(scope.facts.node)


def _covers(scope: Scope, line: int) -> bool:
    return scope.offset + scope.facts.start <= line <= scope.offset + scope.facts.last


def _typing_only(scope: Scope, line: int) -> bool:
    number = line - scope.offset
    return any(first <= number <= last for first, last in scope.facts.typing_only)
