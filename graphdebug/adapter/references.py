"""Variables of graphdebug's own: the recorded executions at a boundary, as DAP shows them.

Their references lie far above debugpy's, which counts from 1.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from graphdebug.protocol.model import Node, Tensor

FIRST = 1 << 30
"""The first reference of ours; all are below 2**31, as DAP wants."""

PAGE = 100
"""Children shown at once to a client that doesn't page."""


class References:
    """Hands out references to lists of nodes and tensors; they stay valid for the session."""

    def __init__(self) -> None:
        self._items: list[Sequence[dict[str, Any]]] = []
        self._unread: dict[int, Callable[[], Awaitable[Sequence[Node]]]] = {}

    def owns(self, reference: object) -> bool:
        """Whether it is one of ours."""
        return isinstance(reference, int) and reference >= FIRST

    def add(self, variables: Sequence[dict[str, Any]]) -> int:
        """A reference whose children these are."""
        self._items.append(variables)
        return FIRST + len(self._items) - 1

    def variables(self, arguments: dict[str, Any]) -> list[dict[str, Any]]:
        """Children of a reference of ours, of the page that was asked for."""
        index = arguments["variablesReference"] - FIRST
        if not 0 <= index < len(self._items):
            return []
        start = arguments.get("start") or 0
        count = arguments.get("count") or len(self._items[index])
        return list(self._items[index][start : start + count])

    def executions(self, read: Callable[[], Awaitable[Sequence[Node]]]) -> int:
        """A reference to node executions, each of which opens to its inputs and outputs.

        ``read`` is called where somebody looks.
        """
        reference = self.add(())
        self._unread[reference] = read
        return reference

    async def look(self, reference: int) -> None:
        """Somebody does: what it opens to is there afterwards."""
        read = self._unread.get(reference)
        if read is not None:
            self._items[reference - FIRST] = [self._execution(node) for node in await read()]
            self._unread.pop(reference, None)

    def _execution(self, node: Node) -> dict[str, Any]:
        parts = [
            *(self._tensor(f"output {i}", item) for i, item in enumerate(node.outputs)),
            *(self._tensor(f"input {i}", item) for i, item in enumerate(node.inputs)),
            _variable("opType", node.op_type),
            _variable("device", node.device),
            _variable("iteration", str(node.iteration)),
        ]
        shown = ", ".join(tensor_text(item) for item in node.outputs) or node.op_type
        return {
            **_variable(f"{node.name} [{node.iteration}]", shown, "Node"),
            "variablesReference": self.add(parts),
        }

    def _tensor(self, name: str, tensor: Tensor) -> dict[str, Any]:
        return _variable(name, tensor_text(tensor), "Tensor")


def tensor_text(tensor: Tensor) -> str:
    """``float32 (2, 3) cpu``, and the value where it was captured."""
    shape = "(" + ", ".join("?" if n < 0 else str(n) for n in tensor.shape)
    shape += ",)" if len(tensor.shape) == 1 else ")"
    value = "" if tensor.value is None else f" {tensor.value}"
    return f"{tensor.dtype} {shape} {tensor.device}{value}"


def _variable(name: str, value: str, type: str = "") -> dict[str, Any]:
    return {
        "name": name,
        "value": value,
        "type": type,
        "variablesReference": 0,
        "presentationHint": {"attributes": ["readOnly"]},
    }
