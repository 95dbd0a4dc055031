"""``rank`` in conditions and log messages: the process's own, where the program has no such name."""

from __future__ import annotations

import ast
import re
from typing import Any

from graphdebug.transport.framing import Message

UNKNOWN = (
    "(lambda d: d.get_rank() if d and d.is_initialized() else None)"
    "(__import__('sys').modules.get('torch.distributed'))"
)
"""What gives the rank of a process that isn't known here."""

_NAME = re.compile(r"\brank\b")
_BRACES = re.compile(r"{([^{}]*)}")


def mentions(message: Message) -> bool:
    """Whether breakpoints of a request ask for ``rank``."""
    asked = (message.get("arguments") or {}).get("breakpoints") or []
    return any(_NAME.search(str(item.get(key) or "")) for item in asked for key in _KEYS)


_KEYS = ("condition", "logMessage")


def for_rank(message: Message, rank: int | None) -> Message:
    """A request that sets breakpoints, for one process."""
    if not mentions(message):
        return message
    arguments = message["arguments"]
    found = [_for_rank(item, rank) for item in arguments["breakpoints"]]
    return {**message, "arguments": {**arguments, "breakpoints": found}}


def _for_rank(item: dict[str, Any], rank: int | None) -> dict[str, Any]:
    item = dict(item)
    if item.get("condition"):
        item["condition"] = with_rank(item["condition"], rank)
    if item.get("logMessage"):
        filled = lambda match: "{" + with_rank(match[1], rank) + "}"  # noqa: E731
        item["logMessage"] = _BRACES.sub(filled, item["logMessage"])
    return item


def with_rank(expression: str, rank: int | None) -> str:
    """The expression, in which ``rank`` is this number unless the program has the name itself."""
    if not _NAME.search(expression):
        return expression
    try:
        tree = ast.parse(expression.strip(), mode="eval")
    except (SyntaxError, ValueError):
        return expression  # debugpy says what is wrong with it
    if any(_binds(node) for node in ast.walk(tree)):
        return expression
    number = UNKNOWN if rank is None else str(rank)
    asked = f"locals().get('rank', globals().get('rank', {number}))"
    place = ast.parse(asked, mode="eval").body

    class Names(ast.NodeTransformer):
        def visit_Name(self, node: ast.Name) -> ast.expr:
            return place if node.id == "rank" else node

    return ast.unparse(Names().visit(tree))


def _binds(node: ast.AST) -> bool:
    """Whether it makes ``rank`` a name of the expression's own."""
    if isinstance(node, ast.Name):
        return node.id == "rank" and not isinstance(node.ctx, ast.Load)
    return isinstance(node, ast.arg) and node.arg == "rank"
