"""The steps of a debug session, of all its processes, and the nodes that they consist of."""

from __future__ import annotations

import bisect
import functools
import heapq
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace

from graphdebug.observation.timeline import Timeline
from graphdebug.protocol.dap import GraphdebugNodesArguments
from graphdebug.protocol.model import Alert, Node, Step
from graphdebug.protocol.runtime import GraphEvent

RECORDS_LIMIT = 256
"""Descriptions that belong to one step alone (they hold values) kept for each process."""

ALERTS_LIMIT = 10_000
"""Alerts kept; the oldest go."""


class UnknownStep(LookupError):
    """There is no such step or node; says which there are."""


class Steps:
    """All steps in the order in which they came, each with a reference to its description.

    ``source`` names the process that a step came from; steps and graphs are numbered by each process
    for itself, and by their place here for the client.
    """

    def __init__(self) -> None:
        self._steps: list[Step] = []
        self._graph_of: list[tuple[int, int] | None] = []
        self._graphs: dict[tuple[int, int], tuple[Node, ...]] = {}
        self._own: dict[int, list[int]] = {}  # heaps: one that came late may be an old one
        self._place: dict[tuple[int, int], int] = {}
        self.timeline = Timeline()
        """All of them at a glance."""
        self.alerts: deque[Alert] = deque(maxlen=ALERTS_LIMIT)
        """In the order in which they came."""

    def __len__(self) -> int:
        return len(self._steps)

    def add_graph(self, process: int, event: GraphEvent) -> None:
        """Keep a description, or a part of one; of those that one step alone has, the oldest go."""
        if not event.first:
            self._graphs[process, event.graph] += event.nodes
            return
        self._graphs[process, event.graph] = event.nodes
        if not event.shared:
            own = self._own.setdefault(process, [])
            heapq.heappush(own, event.graph)
            if len(own) > RECORDS_LIMIT:
                del self._graphs[process, heapq.heappop(own)]

    def add(self, process: int, step: Step, graph: int | None) -> Step:
        """Keep a step; returns it as the client sees it."""
        index = len(self._steps)
        self._place[process, step.index] = index
        detail = self._place.get((process, step.detail), index)
        placed = replace(step, index=index, detail=detail)
        self._steps.append(placed)
        self.timeline.add(placed)
        self._graph_of.append(None if graph is None else (process, graph))
        return placed

    def place(self, process: int, step: int) -> int | None:
        """The client's index of a process's step; None where it isn't here (yet)."""
        return self._place.get((process, step))

    def add_alert(self, process: int, alert: Alert) -> Alert:
        """Keep an alert; returns it as the client sees it. Its step may be still going on."""
        if alert.step is not None:
            place = self._place.get((process, alert.step), len(self._steps))
            alert = replace(alert, step=place)
        self.alerts.append(alert)
        return alert

    def between(self, begin: int, end: int | None) -> Sequence[Step]:
        """Steps from ``begin`` up to, not including, ``end``."""
        return self._steps[max(0, begin) : end if end is None else max(0, end)]

    def nodes(
        self, wanted: GraphdebugNodesArguments, same: Callable[[str, str], bool]
    ) -> list[Node]:
        """All nodes of a step that pass the filters; paging is the caller's.

        ``same`` compares two paths. Raises UnknownStep.
        """

        @functools.cache  # it asks the disk
        def is_wanted(path: str) -> bool:
            return wanted.path is None or same(path, wanted.path)

        text = (wanted.text or "").lower()
        return [
            node
            for node in self._description(wanted.step)
            if (not text or text in node.name.lower() or text in node.op_type.lower())
            and (wanted.phase is None or node.phase == wanted.phase)
            and (wanted.path is None or (node.source is not None and is_wanted(node.source.path)))
            and (
                wanted.line is None or (node.source is not None and node.source.line == wanted.line)
            )
            and (wanted.device is None or node.device == wanted.device)
        ]

    def node(self, step: int, node: int) -> Node:
        """One node. Raises UnknownStep."""
        nodes = self._description(step)
        # Of a long record the middle may be missing.
        place = bisect.bisect_left(nodes, node, key=lambda item: item.index)
        if place == len(nodes) or nodes[place].index != node:
            raise UnknownStep(f"step {step} has {len(nodes)} nodes; there is no node {node}")
        return nodes[place]

    def description(self, process: int, graph: int) -> Sequence[Node]:
        """The nodes of a description that a process sent."""
        return self._graphs.get((process, graph), ())

    def undescribed(self, step: int) -> tuple[int, int] | None:
        """The process of a step that has a description which didn't come, and its number there."""
        graph = self._graph_of[step] if 0 <= step < len(self._steps) else None
        return None if graph in self._graphs else graph

    def in_step(self, step: int, nodes: Sequence[Node]) -> list[Node]:
        """Nodes as the client sees them."""
        return [replace(node, step=step) for node in nodes]

    def _description(self, step: int) -> tuple[Node, ...]:
        if not 0 <= step < len(self._steps):
            raise UnknownStep(f"there are {len(self._steps)} steps; there is no step {step}")
        graph = self._graph_of[step]
        return () if graph is None else self._graphs.get(graph, ())
