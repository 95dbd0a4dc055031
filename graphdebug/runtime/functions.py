"""The source of functions and modules that run, as far as it is what was compiled.

Reads files, and runs nothing of theirs. Used by ``origins``, ``places`` and by the backends.
"""

from __future__ import annotations

import ast
import functools
import inspect
import linecache
import textwrap
from types import CodeType

from graphdebug.runtime.frames import is_user_file
from graphdebug.runtime.reading import FUNCTIONS, Function

LINES_LIMIT = 20_000
"""Longer files are not read."""

_COMPREHENSIONS = ("<listcomp>", "<setcomp>", "<dictcomp>", "<genexpr>")


@functools.lru_cache(maxsize=256)
def function_of(code: CodeType) -> Function | None:
    """The source of a code object; None where it can't be read, or isn't what was compiled.

    Of a user's it is found in its file; libraries' files are long, and theirs is read alone.
    """
    lines = linecache.getlines(code.co_filename)
    if not lines or len(lines) > LINES_LIMIT:
        return None
    if is_user_file(code.co_filename):
        tree = module_of(code.co_filename)
        return None if tree is None else _function_in(tree, code)
    try:
        block = inspect.getblock(lines[code.co_firstlineno - 1 :])
        read = ast.parse(textwrap.dedent("".join(block)))
    except (SyntaxError, ValueError, IndexError, RecursionError):
        return None
    ast.increment_lineno(read, code.co_firstlineno - 1)
    column = len(block[0]) - len(block[0].lstrip())
    return _function_in(Function(read, column), code)


@functools.lru_cache(maxsize=32)
def module_of(path: str) -> Function | None:
    """The source of a module of the user's."""
    lines = linecache.getlines(path)
    if not lines or len(lines) > LINES_LIMIT:
        return None
    try:
        return Function(ast.parse("".join(lines)), 0)
    except (SyntaxError, ValueError, RecursionError):
        return None


def _function_in(module: Function, code: CodeType) -> Function | None:
    if code.co_name == "<module>":
        return module
    if code.co_name in _COMPREHENSIONS:
        return _around(module, code.co_firstlineno)
    found = []
    for node in ast.walk(module.node):
        if isinstance(node, (*FUNCTIONS, ast.Lambda)) and _named(node) == code.co_name:
            first = [item.lineno for item in getattr(node, "decorator_list", ())]
            if min([node.lineno, *first]) == code.co_firstlineno:
                found.append(Function(node, module.column))
    count = code.co_argcount + code.co_kwonlyargcount
    fits = [item for item in found if item.parameters == code.co_varnames[:count]]
    return fits[0] if len(fits) == 1 else None


def _around(module: Function, line: int) -> Function:
    """The function that a line is in; the module where it is in none."""
    found: ast.AST | None = None
    for node in ast.walk(module.node):
        if isinstance(node, FUNCTIONS) and node.lineno <= line <= (node.end_lineno or 0):
            found = node
    return module if found is None else Function(found, module.column)


def function_around(path: str, line: int) -> Function | None:
    """The function of the user's that a line is in; the module where it is in none."""
    module = module_of(path)
    return None if module is None else _around(module, line)


def _named(node: ast.AST) -> str:
    return getattr(node, "name", "<lambda>")
