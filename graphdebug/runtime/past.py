"""What a thread ran last, as a record to walk back through from a stop: the ``Replay`` of eager code.

Imported by backends, which know the steps; standard library only.
"""

from __future__ import annotations

import bisect
from collections.abc import Callable, Iterable
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from graphdebug.protocol.model import Node, Tensor
from graphdebug.protocol.runtime import PastStep
from graphdebug.runtime.frames import absolute
from graphdebug.runtime.replays import Execution, Item, Missing, Passed

if TYPE_CHECKING:
    from graphdebug.runtime.runtime import Runtime

STEPS_LIMIT = 10
"""Steps that are over which a thread can be walked back through."""

NOT_KEPT = '"capture": "values" keeps those of at most 16 elements, on the CPU'
"""Why a recorded place has no value."""

Part = tuple[int | None, int, tuple[Node, ...]]
"""A step: its index within this process, None for the open one; its description's number; its nodes."""


class Past:
    """The record of one thread up to its stop. Made and called in the stopped thread.

    ``steps`` says what it consists of, oldest first.
    """

    def __init__(
        self, runtime: Runtime, parts: Iterable[Part], value: Callable[[Tensor], Any]
    ) -> None:
        """``parts``, oldest first; ``value`` makes of a tensor's kept value what is shown."""
        self._breakpoints = runtime.breakpoints
        self._value = value
        self.steps: list[PastStep] = []
        self._nodes: list[tuple[Node, ...]] = []
        room = runtime.configuration.record_limit
        for step, graph, nodes in reversed(list(parts)):
            skipped = max(0, len(nodes) - room)
            room -= len(nodes) - skipped
            if nodes[skipped:]:
                self.steps.insert(0, PastStep(graph, step, skipped))
                self._nodes.insert(0, nodes[skipped:])
        self._ends = list(accumulate(map(len, self._nodes)))

    def execution(self, index: int) -> Execution:
        """The execution at a position, counted from the first one of the first step."""
        part = bisect.bisect_right(self._ends, index)
        if index < 0 or part == len(self._ends):
            raise LookupError(f"{index} is not in the record")
        node = self._nodes[part][index - self._ends[part]]
        return Execution(
            node,
            inputs=tuple(map(self._item, node.inputs)),
            outputs=tuple(map(self._item, node.outputs)),
            alone=True,
        )

    def passed(self) -> Passed:
        """Where the breakpoints stop; log points spoke when the lines ran."""
        counts: dict[tuple[str, int], int] = {}
        stops = []
        nodes = [node for part in self._nodes for node in part]
        for index, node in enumerate(nodes):
            if node.source is None:
                continue
            path = absolute(node.source.path)
            found = self._breakpoints.at(path, node.source.line)
            if found is None or found.log_message:
                continue
            names = self.execution(index).names()
            if self._breakpoints.hit(path, found, names, {}, counts):
                stops.append(index)
        return Passed(tuple(stops))

    def release(self) -> None:
        """Nobody asks any more."""
        self._nodes.clear()
        self._ends.clear()

    def _item(self, tensor: Tensor) -> Item:
        def read() -> Any:
            if tensor.value is None:
                return Missing(f"{tensor.dtype} {tensor.shape} {tensor.device}", NOT_KEPT)
            return self._value(tensor)

        return Item(tensor, read)


def numbers(value: Any) -> Any:
    """A kept value whose NaN and Inf are spelled, as numbers."""
    if isinstance(value, list):
        return [numbers(item) for item in value]
    return float(value) if isinstance(value, str) else value
