"""A walk through one recorded run: where it stands, where it can go, and what is said there.

Used by ``replay`` alone; asks nobody.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from graphdebug.protocol.dap import StoppedPlace
from graphdebug.protocol.model import Node
from graphdebug.protocol.runtime import BoundaryEvent
from graphdebug.protocol.wire import to_wire

FIRST_FRAME = 1 << 30
"""The first frame id of ours; debugpy counts from 1."""

Log = tuple[str, str, int]
"""What a log point says, and its file and line."""

_ids = itertools.count(FIRST_FRAME)


def new_id() -> int:
    """An id that no other frame has."""
    return next(_ids)


@dataclass
class Walk:
    """A stopped thread's, from its boundary."""

    thread: int
    event: BoundaryEvent
    step: int
    """The client's index of the step."""
    stopped: dict[str, Any]
    """The body of the boundary's ``stopped`` event."""
    frame: int
    """debugpy's id of the frame that called the run."""
    nodes: Sequence[Node]
    """The executions that are walked through, in order; none before somebody looks into the record."""
    hits: frozenset[int]
    """Indices of those that breakpoints stop at."""
    version: int
    """Of the breakpoints that ``hits`` are of."""
    logs: dict[int, Log] = field(default_factory=dict)
    """What log points have still to say, by index."""
    position: int | None = None
    """Where it stands in ``nodes``; None at the boundary."""
    stack: list[dict[str, Any]] | None = None
    """debugpy's frames of the thread, once they were asked for."""
    scopes: dict[int, list[dict[str, Any]]] = field(default_factory=dict)
    """Ours, by frame, once they were asked for."""
    _frames: dict[int, int] = field(default_factory=dict)
    ahead: ClassVar[bool] = True
    """Whether stepping on from the stop leads into the record."""

    def frame_here(self) -> int:
        """The id of the frame of this place; the same whenever the walk comes here."""
        assert self.position is not None
        return self._frames.setdefault(self.position, new_id())

    def index_of(self, frame: int) -> int | None:
        """The index of the node whose frame has this id; None where it is none of this walk's."""
        for position, known in self._frames.items():
            if known == frame:
                return self.nodes[position].index
        return None

    def beside(self, by: int) -> int | None:
        """The place ``by`` further; None where the record ends before."""
        if self.position is None:
            return 0 if by > 0 else len(self.nodes) - 1
        there = self.position + by
        return there if 0 <= there < len(self.nodes) else None

    def hit_beside(self, by: int) -> int | None:
        """The nearest place on that side where a breakpoint stops; None where there is none."""
        there = self.beside(by)
        while there is not None and self.nodes[there].index not in self.hits:
            there = there + by if 0 <= there + by < len(self.nodes) else None
        return there

    def passed(self, there: int | None) -> list[Log]:
        """What log points say on the way forward to a place, or to the end; each says it once."""
        first = -1 if self.position is None else self.nodes[self.position].index
        last = self.nodes[-1].index if there is None else self.nodes[there].index
        return [self.logs.pop(at) for at in sorted(self.logs) if first < at <= last]

    def below(self) -> list[dict[str, Any]]:
        """The frames that the place's own stands on, once debugpy's are known."""
        return self.stack or []

    def stack_frame(self) -> dict[str, Any]:
        """The frame of this place, as DAP has it."""
        assert self.position is not None
        node = self.nodes[self.position]
        source = node.source or self.event.frame
        name = label(node) if node.source else f"{label(node)} (no line of yours made it)"
        return {
            "id": self.frame_here(),
            "name": name,
            "source": {"path": source.path, "name": source.path.replace("\\", "/").split("/")[-1]},
            "line": source.line,
            "column": 1,
        }

    def place(self) -> StoppedPlace | None:
        """What it is about; None where the client can't know of the step yet."""
        at = None if self.position is None else self.nodes[self.position].index
        return StoppedPlace(self.step, at)

    def index_in(self, step: int, node: int) -> int | None:
        """The index, in the record, of a node of a step; None where it isn't in this one."""
        found = step == self.step and any(item.index == node for item in self.nodes)
        return node if found else None

    def body(self, reason: str, breakpoints: Callable[[str, int], list[int]]) -> dict[str, Any]:
        """The body of the ``stopped`` event of this place."""
        shared = {
            "threadId": self.thread,
            "allThreadsStopped": self.stopped.get("allThreadsStopped", True),
        }
        if (place := self.place()) is not None:
            shared["graphdebug"] = to_wire(place)
        if self.position is None:
            text = f"back from the record: {self.event.text}"
            title = self.stopped.get("description", "Graph boundary")
            return {"reason": "step", "description": title, "text": text, **shared}
        node = self.nodes[self.position]
        ids = []
        if node.source is not None and node.index in self.hits:
            ids = breakpoints(node.source.path, node.source.line)
        text = (
            f"recorded in step {self.step}: {label(node)}, "
            f"{self.position + 1} of {len(self.nodes)} executions; nothing runs now"
        )
        if self.position in (0, len(self.nodes) - 1):
            ends = "stepBack" if self.position == 0 else "next"
            text += f"; {ends} leads back to the boundary"
        return {
            "reason": reason,
            "description": "Graph replay",
            "text": text,
            **({"hitBreakpointIds": ids} if ids and reason == "breakpoint" else {}),
            **shared,
        }


def kept(walks: Iterable[Walk], arguments: dict[str, Any]) -> tuple[Walk, int, str] | None:
    """The place that ``graphdebugTensor`` means by step and node, and what the tensor is called there."""
    step, node, given = (arguments.get(name) for name in ("step", "node", "input"))
    if not isinstance(step, int) or not isinstance(node, int):
        return None
    name = f"outputs[{arguments.get('output') or 0}]" if given is None else f"inputs[{given}]"
    found = ((walk, walk.index_in(step, node)) for walk in walks)
    return next(((walk, index, name) for walk, index in found if index is not None), None)


def label(node: Node) -> str:
    """``while/Add [3] /device:CPU:0``; in nested loops each has its number, outermost first."""
    numbers = node.iterations or (node.iteration,)
    return f"{node.name} [{', '.join(map(str, numbers))}] {node.device}".rstrip()
