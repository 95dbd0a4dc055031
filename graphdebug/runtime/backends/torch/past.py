"""What a thread ran last: its open step so far and the steps before, to walk back through at a stop.

Nothing is kept for it but the events that later steps are recognised by (``records``) and, with
``capture: "values"``, numbers; no tensor, no Node and no frame.
"""

from __future__ import annotations

import bisect
from itertools import accumulate
from typing import TYPE_CHECKING, Any, NamedTuple

import torch

from graphdebug.protocol.model import Node, Tensor
from graphdebug.protocol.runtime import PastStep
from graphdebug.runtime.backends.torch.description import describe
from graphdebug.runtime.backends.torch.records import Event, Op, Pass
from graphdebug.runtime.backends.torch.tensors import quiet
from graphdebug.runtime.frames import absolute
from graphdebug.runtime.replays import Execution, Item, Missing, Passed

if TYPE_CHECKING:
    from graphdebug.runtime.backends.torch.trail import Trail

STEPS_LIMIT = 10
"""Steps that are over which a thread can be walked back through."""

NOT_KEPT = '"capture": "values" keeps those of at most 16 elements, on the CPU'
"""Why a recorded place has no value."""


NOTHING_YET = (
    "nothing is recorded of this thread yet: of the first, operations are, of another from its first "
    "backward pass or optimizer step on"
)


class Ended(NamedTuple):
    """A step that is over."""

    step: int
    """Its index within this process."""
    graph: int
    """The number of its description, which was sent."""
    last: Event
    """What it ended with."""
    values: list[Any] | None
    """What was kept of its values."""


class Past:
    """The record of one thread up to its stop: the ``Replay`` of eager code.

    ``steps`` says what it consists of, oldest first. Made and called in the stopped thread.
    """

    def __init__(self, trail: Trail) -> None:
        runtime = trail.backend.runtime
        self._breakpoints = runtime.breakpoints
        parts: list[tuple[int | None, int, tuple[Node, ...]]] = [
            (item.step, item.graph, describe(item.last, item.values)) for item in trail.ended
        ]
        last = _before_open_pass(trail)
        if last.parent is not None and not trail.partial:
            nodes = describe(last, trail.values or None)
            parts.append((None, runtime.recorder.graph(None, lambda: nodes), nodes))
        self.steps: list[PastStep] = []
        self._nodes: list[tuple[Node, ...]] = []
        room = runtime.configuration.record_limit
        for step, graph, nodes in reversed(parts):
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
            inputs=tuple(map(_item, node.inputs)),
            outputs=tuple(map(_item, node.outputs)),
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


def _before_open_pass(trail: Trail) -> Event:
    """The last event that is over: which nodes of an open backward pass ran isn't known before its end."""
    event = last = trail.at
    while trail.in_backward and event.parent is not None:
        if isinstance(event, Pass):
            last = event.parent
        elif not isinstance(event, Op) or event.phase != "backward":
            break
        event = event.parent
    return last


def _item(tensor: Tensor) -> Item:
    return Item(tensor, lambda: _value(tensor))


def _value(tensor: Tensor) -> Any:
    """A tensor with the value that was kept; what is known where none was."""
    if tensor.value is None:
        return Missing(f"{tensor.dtype} {tensor.shape} {tensor.device}", NOT_KEPT)
    with quiet():
        return torch.tensor(_numbers(tensor.value), dtype=getattr(torch, tensor.dtype))


def _numbers(value: Any) -> Any:
    if isinstance(value, list):
        return [_numbers(item) for item in value]
    return float(value) if isinstance(value, str) else value
