"""``%%graphdebug``: runs a cell as it would run without, and shows what it did."""

from __future__ import annotations

import ast
from typing import Any

from graphdebug.runtime.notebook import cells
from graphdebug.runtime.notebook.joining import observing
from graphdebug.runtime.notebook.summary import Summary

NAME = "graphdebug"


def run(shell: Any, line: str, cell: str) -> None:
    """Run the cell and show a summary of its steps, nodes, shapes and alerts below its outputs."""
    __tracebackhide__ = True
    runtime = observing()
    summary = Summary()
    try:
        with cells.tapped(runtime, summary.add):
            _run(shell, cell)
    finally:
        shell.display_pub.publish(summary.bundle())


def _run(shell: Any, cell: str) -> None:
    """As the shell runs it, under the cell's own file and lines, so that breakpoints in it hold."""
    __tracebackhide__ = True
    raw = _raw(shell, cell)
    first = len(raw.splitlines()) - len(cell.splitlines())
    text = "\n" * first + shell.transform_cell(cell)
    name = shell.compile.cache(text, shell.execution_count, raw_code=raw)
    tree = shell.transform_ast(shell.compile.ast_parse(text, name))
    body, last = tree.body, []
    if body and isinstance(body[-1], ast.Expr) and not shell.display_trap.hook.quiet():
        body, last = body[:-1], body[-1:]
    for part, mode in ((ast.Module(body, []), "exec"), (ast.Interactive(last), "single")):
        if part.body:
            exec(shell.compile(part, name, mode), shell.user_global_ns, shell.user_ns)


def _raw(shell: Any, cell: str) -> str:
    """The whole cell as the user wrote it, this magic's line included."""
    try:
        raw = shell.get_parent()["content"]["code"]
        if isinstance(raw, str) and raw.rstrip().endswith(cell.rstrip()):
            return raw
    except Exception:
        pass  # a shell that isn't a kernel's
    return f"%%{NAME}\n{cell}"
