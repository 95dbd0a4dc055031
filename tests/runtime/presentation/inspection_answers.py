"""Answers of ``inspect``, as the client reads them, and what opens below a value."""

from __future__ import annotations

from typing import Any

from graphdebug.protocol.dap import GraphdebugTensorResponse
from graphdebug.protocol.wire import from_wire
from graphdebug.runtime.tree import Group


def inspected(tensors: Any, value: Any, mode: str, index: str | None = None) -> Any:
    body = tensors.inspect(value, mode, index)
    answer = from_wire(GraphdebugTensorResponse, body)
    return getattr(answer, mode)


def opened(children: Any) -> list[Any]:
    """All that opens below, groups only."""
    found = []
    assert len({name for name, _, _ in children}) == len(children) <= 104
    for _, value, _ in children:
        found.append(value)
        if isinstance(value, Group):
            found += opened(value.open())
    return found
