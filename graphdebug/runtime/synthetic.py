"""Code objects that stand at the user's file and line, so that a debugger takes them for the user's.

Used by ``debugger`` alone. Only the functions' code is ever run, never the module around it.
"""

from __future__ import annotations

import ast
import functools
import sys
from types import CodeType

from graphdebug.runtime.debugger import ASK

_FAR = 10_000_000
"""A line where nobody has a breakpoint."""


@functools.lru_cache(maxsize=256)
def asks(filename: str, name: str) -> CodeType:
    """A function whose only line asks for a stop; it is over when the stop comes."""
    return _function(f"def stop({ASK}):\n {ASK}()", filename, name, [_FAR])


@functools.lru_cache(maxsize=256)
def shows(filename: str, line: int, name: str, names: tuple[str, ...]) -> CodeType:
    """A function that asks for a stop, and stands at ``line`` when it comes, with locals ``names``."""
    parameters = ", ".join((ASK, *names))
    return _function(f"def stop({parameters}):\n {ASK}()\n pass", filename, name, [_FAR, line])


def _function(source: str, filename: str, name: str, lines: list[int]) -> CodeType:
    """The code of a function whose statements stand on ``lines``."""
    module = ast.parse(source)
    function = module.body[0]
    assert isinstance(function, ast.FunctionDef)
    for statement, line in zip([function, *function.body], [lines[-1], *lines], strict=True):
        for node in ast.walk(statement):
            if isinstance(node, (ast.stmt, ast.expr, ast.arg)):
                node.lineno = node.end_lineno = line
                node.col_offset = node.end_col_offset = 0
    constants = compile(module, filename, "exec").co_consts
    code = next(item for item in constants if isinstance(item, CodeType))
    if sys.version_info >= (3, 11):
        return code.replace(co_name=name, co_qualname=name)
    return code.replace(co_name=name)
