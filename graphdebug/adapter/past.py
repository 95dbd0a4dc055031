"""A walk back from a live stop, through what its thread ran last.

Unlike the run of a graph at its boundary, the record lies behind the stop, and the frames that the
thread stands in now are not those that ran it. Used by ``replay``; ``stops`` tells of the stops.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from graphdebug.adapter.records import Records
from graphdebug.adapter.session import Session
from graphdebug.adapter.walks import Walk, label, new_id
from graphdebug.observation.runtimes import Runtime, Runtimes
from graphdebug.observation.steps import Steps
from graphdebug.protocol import runtime as messages
from graphdebug.protocol.dap import StoppedPlace
from graphdebug.protocol.model import Node, Source
from graphdebug.protocol.wire import from_wire

TITLE = "Step replay"

PAST = "__import__('sys').modules['graphdebug.runtime.boot'].past({!r})"
"""Evaluated in a stopped thread to step back from there."""

NOTHING = (
    "nothing is recorded here to step back through: eager operations of PyTorch and TensorFlow can be, "
    "with capture nodes or values, and a graph's run at its boundary, which a breakpoint on a line that "
    "builds a graph leads to"
)

LIVE = "the program stands here:"
"""The label above the thread's real frames."""


@dataclass
class PastWalk(Walk):
    """A stopped thread's, from where it stopped. ``nodes`` know the client's index of their step."""

    runtime: Runtime | None = None
    """The process."""
    own: Sequence[int | None] = ()
    """Of each index of the record: the one that the node has in its step; None in one that is open."""
    ahead: ClassVar[bool] = False

    def place(self) -> StoppedPlace | None:
        """What it is about."""
        node = None if self.position is None else self.nodes[self.position]
        at = None if node is None else self.own[node.index]
        return None if node is None or at is None else StoppedPlace(node.step, at)

    def index_in(self, step: int, node: int) -> int | None:
        """The index, in the record, of a node of a step."""
        found = (item.index for item in self.nodes if item.step == step)
        return next((index for index in found if self.own[index] == node), None)

    async def leave(self) -> None:
        """The thread has gone on: the process can forget the record."""
        if self.runtime is not None:
            await self.runtime.request("left", messages.LeftArguments(self.event.boundary))

    def beside(self, by: int) -> int | None:
        """The place ``by`` further; None for the live frame. The first one has none before it."""
        if self.position is None and by > 0:
            return None
        if self.position == 0 and by < 0:
            return 0
        return super().beside(by)

    def hit_beside(self, by: int) -> int | None:
        """The nearest place on that side where a breakpoint stops; backwards, else the first."""
        if self.position == 0 and by < 0:
            return 0
        there = super().hit_beside(by)
        return 0 if there is None and by < 0 else there

    def below(self) -> list[dict[str, Any]]:
        """The thread's frames, under a label: they are of now."""
        line = {"line": 0, "column": 0, "presentationHint": "label"}
        return [{"id": new_id(), "name": LIVE, **line}, *super().below()]

    def stack_frame(self) -> dict[str, Any]:
        """The frame of this place."""
        assert self.position is not None
        node = self.nodes[self.position]
        frame = super().stack_frame()
        frame["name"] = f"{label(node)}, {node.phase}, step {node.step}"
        if node.source is None:
            frame["name"] += " (no line of yours made it)"
        return frame

    def body(self, reason: str, breakpoints: Callable[[str, int], list[int]]) -> dict[str, Any]:
        """The body of the ``stopped`` event of this place."""
        body = super().body(reason, breakpoints)
        if self.position is None:
            return {
                **body,
                "description": self.event.title,
                "text": "back where the program stands",
            }
        node = self.nodes[self.position]
        text = (
            f"recorded in step {node.step}, {node.phase}: {label(node)}, "
            f"{self.position + 1} of {len(self.nodes)} executions; nothing runs now"
        )
        if self.position == 0:
            text += "; the record begins here"
        elif self.position == len(self.nodes) - 1:
            text += "; next leads back to where the program stands"
        return {**body, "description": TITLE, "text": text}


class LiveStops:
    """The stops that the client knows of, from which the way leads back."""

    def __init__(
        self, session: Session, records: Records, runtimes: Runtimes, steps: Steps
    ) -> None:
        self._session = session
        self._records = records
        self._runtimes = runtimes
        self._steps = steps
        self._bodies: dict[int, dict[str, Any]] = {}
        self._followers: list[Callable[[int | None], None]] = []

    def follow(self, left: Callable[[int | None], None]) -> None:
        """Call ``left`` whenever a thread goes on, with None where all do."""
        self._followers.append(left)

    def stopped(self, body: dict[str, Any]) -> None:
        """A thread stopped; ``body`` is its event's, as the client gets it."""
        self._bodies[body.get("threadId", 0)] = body

    def left(self, thread: int | None) -> None:
        """A thread goes on, or all do."""
        if thread is None:
            self._bodies.clear()
        else:
            self._bodies.pop(thread, None)
        for follower in self._followers:
            follower(thread)

    async def back(self, thread: int, wanted: Callable[[Node], bool]) -> PastWalk | str:
        """The walk back from a thread's stop through the nodes that are ``wanted``, or why none."""
        body = self._bodies.get(thread)
        if body is None or not self._runtimes.here:
            return NOTHING
        asked = await self._session.upstream.ask(
            "stackTrace", threadId=thread, startFrame=0, levels=1
        )
        frames = asked.get("body", {}).get("stackFrames")
        if not frames:
            return NOTHING
        published = await self._records.publish(PAST.format, frames[0]["id"])
        if isinstance(published, str):
            return published
        if published.error is not None:
            return published.error or NOTHING
        past = from_wire(messages.Past, published.result)
        runtime = self._runtimes.of_process(past.pid)
        for part in past.steps:
            if runtime is not None and part.step is not None:
                await self._records.described(self._steps.place(runtime.number, part.step))
        own: list[int | None] = []
        nodes = [] if runtime is None else self._nodes(runtime, past, own)
        walked = [node for node in nodes if wanted(node)]
        if runtime is None or not walked:
            return NOTHING
        walk = _walk(body, frames[0], runtime, past.boundary, walked)
        walk.own = own
        return walk

    def _nodes(self, runtime: Runtime, past: messages.Past, own: list[int | None]) -> list[Node]:
        """All nodes of the record, numbered throughout, with the client's number of their step.

        ``own`` gets what they are numbered in there.
        """
        nodes: list[Node] = []
        for part in past.steps:
            place = None if part.step is None else self._steps.place(runtime.number, part.step)
            step = len(self._steps) if place is None else place
            for node in self._steps.description(runtime.number, part.graph)[part.skipped :]:
                own.append(None if place is None else node.index)
                nodes.append(replace(node, index=len(nodes), step=step))
        return nodes


def _walk(
    body: dict[str, Any], frame: dict[str, Any], runtime: Runtime, boundary: int, nodes: list[Node]
) -> PastWalk:
    at = Source(frame.get("source", {}).get("path") or "", frame["line"], frame["name"])
    title = body.get("description") or "Stopped"
    return PastWalk(
        thread=body["threadId"],
        event=messages.BoundaryEvent(boundary, at, 0, (), (), "", title=title),
        step=0,
        stopped=body,
        frame=frame["id"],
        nodes=nodes,
        hits=frozenset(),
        version=-1,
        runtime=runtime,
    )
