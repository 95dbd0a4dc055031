"""What a program's source says of the code that runs: expressions at instructions, and assignments.

Used by ``functions``, which finds the source, and by ``origins`` and ``places``.
"""

from __future__ import annotations

import ast
import sys
from types import CodeType
from typing import NamedTuple

from graphdebug.runtime.bindings import COMPREHENSIONS, bound_otherwise
from graphdebug.runtime.expressions import called_name, is_operation
from graphdebug.runtime.frames import line_at

TEXT_LIMIT = 72
"""Longer pieces of source are cut."""

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_SCOPES = (*FUNCTIONS, ast.Lambda, ast.ClassDef)
_OPERATIONS = (ast.Call, ast.BinOp, ast.AugAssign, ast.Subscript, ast.Compare, ast.UnaryOp)
_ACCESSES = (*_OPERATIONS, ast.Attribute)
_LOOPS = (ast.For, ast.AsyncFor, ast.While)
_BLOCKS = ("body", "orelse", "finalbody", "handlers", "cases")


class Definition(NamedTuple):
    """A statement that gives a variable its value."""

    line: int
    text: str
    value: ast.expr | None
    """What is assigned, or gone through by a loop."""
    part: int | None
    """Which of the parts it is, where it is unpacked."""


class Reaching(NamedTuple):
    """What may have given a variable the value that it has at a place."""

    definitions: tuple[Definition, ...]
    """Nearest first."""
    before: bool
    """Whether it may be what it was when the function was called."""

    @property
    def unchanged(self) -> bool:
        """Whether it surely is what it was when the function was called."""
        return self.before and not self.definitions

    @property
    def certain(self) -> bool:
        """Whether there is but one way."""
        return len(self.definitions) + self.before == 1


class Function:
    """The source of a code object."""

    def __init__(self, node: ast.AST, column: int) -> None:
        self.node = node
        self.column = column
        """How far to the left of the file's its columns are."""
        self._parents = {
            child: parent for parent in ast.walk(node) for child in ast.iter_child_nodes(parent)
        }

    @property
    def parameters(self) -> tuple[str, ...]:
        """The names of its positional parameters, then of those by keyword alone."""
        if not isinstance(self.node, (*FUNCTIONS, ast.Lambda)):
            return ()
        given = self.node.args
        return tuple(item.arg for item in (*given.posonlyargs, *given.args, *given.kwonlyargs))

    def holds(self, node: ast.AST) -> bool:
        """Whether a node is a part of it."""
        return node in self._parents

    def text(self, node: ast.AST) -> str:
        """Its source, on one line."""
        found = " ".join(ast.unparse(node).split())
        return found if len(found) <= TEXT_LIMIT else found[: TEXT_LIMIT - 3] + "..."

    def at(self, code: CodeType, lasti: int, called: str = "") -> ast.AST | None:
        """The operation that an instruction belongs to; None where more than one could be it.

        ``called`` is the operation's name, which Python 3.10 needs on lines with several.
        """
        line = line_at(code, lasti)
        within = [
            node
            for node in ast.walk(self.node)
            if isinstance(node, _ACCESSES) and node.lineno <= line <= (node.end_lineno or 0)
        ]
        if sys.version_info >= (3, 11):
            wanted = _position(code, lasti)
            exact = [node for node in within if self._span(node) == wanted]
            if exact:
                return self._stored(exact[0])
            if any(isinstance(n, ast.expr) and self._span(n) == wanted for n in self._parents):
                return None  # such as a variable that is gone through
        named = [node for node in within if called and called_name(node) == called]
        found = named or [node for node in within if isinstance(node, _OPERATIONS)]
        return self._stored(found[0]) if len(found) == 1 else None

    def on_line(self, line: int, operation: str) -> ast.AST | None:
        """The operation of a line whose kind a framework names so, such as ``MatMul`` or ``AddV2``.

        None where there are several, or none.
        """
        found = [
            node
            for node in ast.walk(self.node)
            if isinstance(node, _OPERATIONS) and node.lineno <= line <= (node.end_lineno or 0)
        ]
        named = [node for node in found if operation and is_operation(node, operation)]
        found = named or [node for node in found if isinstance(node, ast.Call)] or found
        return found[0] if len(found) == 1 else None

    def statement_on(self, line: int) -> str:
        """The source of the simple statement that spans a line; empty where several do."""
        found = [
            node
            for node in ast.walk(self.node)
            if isinstance(node, ast.stmt)
            and node.lineno <= line <= (node.end_lineno or 0)
            and not getattr(node, "body", None)
        ]
        return self.text(found[0]) if len(found) == 1 else ""

    def _stored(self, node: ast.AST) -> ast.AST:
        """The assignment, where the operation is one to an element or an attribute."""
        stores = isinstance(node, (ast.Subscript, ast.Attribute)) and isinstance(
            node.ctx, ast.Store
        )
        return self._statement(node) or node if stores else node

    def _span(self, node: ast.AST) -> tuple[int, int, int, int]:
        shift = self.column
        return (
            node.lineno,  # type: ignore[attr-defined]
            node.end_lineno,  # type: ignore[attr-defined]
            node.col_offset + shift,  # type: ignore[attr-defined]
            node.end_col_offset + shift,  # type: ignore[attr-defined]
        )

    def reaching(self, name: str, at: ast.AST) -> Reaching:
        """What gave ``name`` the value that it has where ``at`` is evaluated."""
        part = self._comprehended(name, at)
        if part is not None:
            return Reaching((part,), False)
        if bound_otherwise(self.node, name):
            return UNKNOWN
        found: list[Definition] = []
        node = self._statement(at)
        if isinstance(node, ast.While):  # its condition, asked again after its body
            found += self._in_block(node.body, name)[0]
        while node is not None and node is not self.node:
            parent = self._parents.get(node)
            block = _block_of(parent, node)
            place = block.index(node) if node in block else 0
            for sibling in reversed(block[:place]):
                defined, surely = self._defines(sibling, name)
                found += defined
                if surely:
                    return _reaching(found, False)
            if isinstance(parent, _LOOPS) and node in parent.body:
                each = [] if isinstance(parent, ast.While) else self._each(parent, name)
                if each:
                    return _reaching(found + each, False)
                for later in reversed(block[place:]):
                    found += self._defines(later, name)[0]
            if isinstance(parent, (ast.With, ast.AsyncWith)):
                defined, surely = self._entered(parent, name)
                found += defined
                if surely:
                    return _reaching(found, False)
            if isinstance(parent, ast.ExceptHandler):
                tried = self._parents.get(parent)
                for other in getattr(tried, "body", ()):
                    found += self._defines(other, name)[0]
            for before in self._before(parent, node):
                defined, surely = self._in_block(before, name)
                found += defined
                if surely and node in getattr(parent, "orelse", ()) and isinstance(parent, ast.Try):
                    return _reaching(found, False)
                if isinstance(parent, (ast.For, ast.AsyncFor)):
                    found += self._each(parent, name)
            if isinstance(parent, _SCOPES):
                break
            node = parent
        return _reaching(found, True)

    def _each(self, loop: ast.For | ast.AsyncFor, name: str) -> list[Definition]:
        """How a loop gives ``name`` its value, if it does."""
        bound = _index(loop.target, name) is not _NO
        return [self._definition(loop, loop.target, loop.iter, name)] if bound else []

    @staticmethod
    def _before(parent: ast.AST | None, node: ast.AST) -> list[list[ast.stmt]]:
        """The blocks of a statement that ran before the one that ``node`` is in, nearest first."""
        if isinstance(parent, ast.Try) and node in parent.finalbody:
            return [parent.orelse, *(item.body for item in parent.handlers), parent.body]
        if isinstance(parent, (ast.Try, *_LOOPS)) and node in parent.orelse:
            return [parent.body]
        return []

    def _comprehended(self, name: str, at: ast.AST) -> Definition | None:
        """The loop of a comprehension around ``at`` that gives ``name`` its value."""
        inner, node = at, self._parents.get(at)
        while node is not None:
            if isinstance(node, COMPREHENSIONS):
                loops = node.generators
                seen = loops[: loops.index(inner)] if inner in loops else loops
                for loop in reversed(seen):
                    if _index(loop.target, name) is not _NO:
                        return self._looped(loop, name)
            elif (
                isinstance(node, ast.comprehension)
                and inner is not node.iter
                and _index(node.target, name) is not _NO
            ):
                return self._looped(node, name)
            inner, node = node, self._parents.get(node)
        return None

    def _looped(self, loop: ast.comprehension, name: str) -> Definition:
        text = f"for {self.text(loop.target)} in {self.text(loop.iter)}"
        index = _index(loop.target, name)
        return Definition(loop.target.lineno, text, loop.iter, None if index is _NO else index)

    def assignments(self, attribute: str) -> list[Definition]:
        """Its assignments to an attribute of its first parameter."""
        first = self.parameters[:1]
        return [
            self._definition(node, target, node.value, attribute)
            for node in ast.walk(self.node)
            if isinstance(node, (ast.Assign, ast.AnnAssign, ast.AugAssign))
            for target in _targets(node)
            if isinstance(target, ast.Attribute)
            and target.attr == attribute
            and isinstance(target.value, ast.Name)
            and (target.value.id,) == first
        ]

    def _statement(self, node: ast.AST) -> ast.AST | None:
        found: ast.AST | None = node
        while found is not None and not isinstance(found, ast.stmt):
            found = self._parents.get(found)
        return found

    def _defines(self, node: ast.AST, name: str) -> tuple[list[Definition], bool]:
        """How a statement gives ``name`` a value, nearest first, and whether it surely does."""
        if isinstance(node, (ast.Assign, ast.AnnAssign, ast.AugAssign)):
            for target in _targets(node):
                if _index(target, name) is not _NO and node.value is not None:
                    value = node.value
                    if isinstance(node, ast.AugAssign):
                        value = ast.BinOp(_loaded(node.target), node.op, node.value)
                        for parent in ast.walk(value):
                            for child in ast.iter_child_nodes(parent):
                                self._parents[child] = parent
                        self._parents[value] = node
                    return [self._definition(node, target, value, name)], True
            return [], False
        if isinstance(node, (ast.With, ast.AsyncWith)):
            inner = self._in_block(node.body, name)
            entered = ([], False) if inner[1] else self._entered(node, name)
            return inner[0] + entered[0], inner[1] or entered[1]
        if isinstance(node, ast.If):
            then, other = self._in_block(node.body, name), self._in_block(node.orelse, name)
            surely = all(
                part[1] or _leaves(block)
                for part, block in ((then, node.body), (other, node.orelse))
            )
            kept = [] if _leaves(node.orelse) else other[0]
            return kept + ([] if _leaves(node.body) else then[0]), surely
        if isinstance(node, _LOOPS):
            found = [*self._in_block(node.orelse, name)[0], *self._in_block(node.body, name)[0]]
            if not isinstance(node, ast.While):
                found += self._each(node, name)
            return found, False
        if isinstance(node, ast.Try):
            last = self._in_block(node.finalbody, name)
            if last[1]:
                return last
            blocks = [node.orelse, *(item.body for item in node.handlers), node.body]
            return [
                *last[0],
                *(d for block in blocks for d in self._in_block(block, name)[0]),
            ], False
        if isinstance(node, _SCOPES):
            return (
                ([Definition(node.lineno, f"def {name}", None, None)], True)
                if (getattr(node, "name", None) == name)
                else ([], False)
            )
        return [], False

    def _in_block(self, block: list[ast.stmt], name: str) -> tuple[list[Definition], bool]:
        found: list[Definition] = []
        for node in reversed(block):
            defined, surely = self._defines(node, name)
            found += defined
            if surely:
                return found, True
        return found, False

    def _entered(self, node: ast.With | ast.AsyncWith, name: str) -> tuple[list[Definition], bool]:
        for item in node.items:
            target = item.optional_vars
            if target is not None and _index(target, name) is not _NO:
                return [self._definition(node, target, item.context_expr, name)], True
        return [], False

    def _definition(
        self, node: ast.stmt, target: ast.expr, value: ast.expr | None, name: str
    ) -> Definition:
        index = _index(target, name)
        if isinstance(node, _LOOPS) and value is not None:
            text = f"for {self.text(target)} in {self.text(value)}"
        elif isinstance(node, (ast.With, ast.AsyncWith)):
            text = f"with {self.text(value)} as {self.text(target)}" if value else ""
        else:
            text = self.text(node)
        return Definition(node.lineno, text, value, None if index is _NO else index)


_NO = -1

UNKNOWN = Reaching((), False)
"""It has ways to get a value that are not followed."""


def _index(target: ast.expr, name: str) -> int | None:
    """Which part of what is unpacked a variable gets; None for all of it, ``_NO`` for none."""
    if isinstance(target, ast.Name):
        return None if target.id == name else _NO
    if isinstance(target, (ast.Tuple, ast.List)):
        for at, item in enumerate(target.elts):
            if _index(item.value if isinstance(item, ast.Starred) else item, name) is not _NO:
                return at
    return _NO


def _reaching(found: list[Definition], before: bool) -> Reaching:
    return Reaching(tuple(dict.fromkeys(found)), before)


def _targets(node: ast.Assign | ast.AnnAssign | ast.AugAssign) -> list[ast.expr]:
    return node.targets if isinstance(node, ast.Assign) else [node.target]


def _loaded(node: ast.expr) -> ast.expr:
    return ast.parse(ast.unparse(node), mode="eval").body


def _leaves(block: list[ast.stmt]) -> bool:
    return bool(block) and isinstance(block[-1], (ast.Return, ast.Raise))


def _block_of(parent: ast.AST | None, node: ast.AST) -> list[ast.AST]:
    for field in _BLOCKS:
        block = getattr(parent, field, None)
        if isinstance(block, list) and node in block:
            return block
    return []


def _position(code: CodeType, lasti: int) -> tuple[int | None, ...]:
    positions = code.co_positions()  # type: ignore[attr-defined]
    line, end, column, end_column = next(
        (item for at, item in enumerate(positions) if at == lasti // 2), (None,) * 4
    )
    return line, end, column, end_column
