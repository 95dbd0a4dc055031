"""Where backends put what they see: steps, descriptions of graphs, alerts, bindings."""

from __future__ import annotations

import itertools
import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Sequence

from graphdebug.protocol import launchers
from graphdebug.protocol import runtime as messages
from graphdebug.protocol.model import (
    Alert,
    AlertKind,
    BindingKind,
    Framework,
    Node,
    Source,
    Step,
    StepKind,
)
from graphdebug.runtime.undescribed import Undescribed

GRAPHS_LIMIT = 1024
"""Distinct descriptions remembered; the one unused for longest goes, and is sent again if needed."""

PART = 1000
"""Nodes of a description that travel in one message, which may not be too large."""

RUN_LIMIT = 1000
"""Steps in a row that travel in one message."""

Send = Callable[..., bool]


class StepRun:
    """A step that waits to be sent, and those in a row that are like it; called by who sends it."""

    __slots__ = ("_graph", "_key", "_lock", "_sent", "_step", "more")

    def __init__(self, key: Hashable, step: Step, graph: int | None, lock: threading.Lock) -> None:
        self._key, self._step, self._graph, self._lock = key, step, graph, lock
        self._sent = False
        self.more: list[tuple[int, float | None]] = []

    def takes(self, key: Hashable) -> bool:
        """Whether a step may join it; the lock is held."""
        return self.open and key == self._key

    @property
    def open(self) -> bool:
        """Whether one may join it that is as the last one was; likewise."""
        return not self._sent and len(self.more) < RUN_LIMIT

    def __call__(self) -> messages.StepEvent:
        """The message, to which nothing is added any more."""
        with self._lock:
            self._sent = True
        times = tuple(duration for duration, _ in self.more)
        losses = tuple(loss for _, loss in self.more if loss is not None)
        return messages.StepEvent(self._step, self._graph, times, losses)


class Recorder:
    """Numbers steps and sends each distinct graph once.

    Safe to call from any thread; the lock is held for dictionary look-ups only.
    """

    def __init__(self, send: Send, asks: Callable[[], bool] = lambda: False) -> None:
        """``asks``: whether whoever ``send`` tells can ask for a description later."""
        self._send = send
        self._asks = asks
        self.undescribed = Undescribed(self._describe)
        self._lock = threading.Lock()
        self._graphs: OrderedDict[Hashable, int] = OrderedDict()
        self._graph_numbers = itertools.count()
        self._first_step: OrderedDict[int, int] = OrderedDict()
        self._steps = 0
        self._alerts = 0
        self._run: StepRun | None = None
        self.rank = rank()
        """In a distributed job."""
        self._bound: dict[tuple[str, int], tuple[BindingKind, str]] = {}
        self._backward: set[tuple[str, int]] = set()

    @property
    def next_step(self) -> int:
        """The index that the next step of this process will get."""
        return self._steps

    def graph(
        self, key: Hashable | None, describe: Callable[[], Sequence[Node]], again: bool = False
    ) -> int:
        """The number of a description; ``describe`` is called where its key wasn't seen before.

        ``again``: it is called in any case, for the steps from here on.

        Without a key the description belongs to one step alone, as one with values does.
        """
        with self._lock:
            if key is not None and key in self._graphs:
                self._graphs.move_to_end(key)
                if not again:
                    return self._graphs[key]
        nodes = tuple(describe())
        with self._lock:
            number = next(self._graph_numbers)
            if key is not None:
                self._graphs[key] = number
                if len(self._graphs) > GRAPHS_LIMIT:
                    self._graphs.popitem(last=False)
            self._describe(number, nodes, key is not None)
            return number

    def later(self, describe: Callable[[], Sequence[Node]], count: int) -> int:
        """The number of a description that belongs to one step alone, and has ``count`` nodes.

        ``describe`` is called once, on any thread, when somebody asks for it; perhaps never.
        """
        if not self._asks():
            return self.graph(None, describe)
        with self._lock:
            number = next(self._graph_numbers)
        self.undescribed.keep(number, describe, count)
        return number

    def _describe(self, number: int, nodes: Sequence[Node], shared: bool = False) -> None:
        nodes = tuple(nodes)
        for begin in range(0, max(1, len(nodes)), PART):
            part = nodes[begin : begin + PART]
            self._send(messages.GraphEvent(number, part, shared, begin == 0))

    def known(self, key: Hashable) -> int | None:
        """The number of a description made before; None where it wasn't, or was forgotten."""
        with self._lock:
            if key in self._graphs:
                self._graphs.move_to_end(key)
            return self._graphs.get(key)

    def forget(self) -> None:
        """Somebody listens who knows none: describe each graph again before its next step."""
        with self._lock:
            self._graphs.clear()
            self._run = None
        self.undescribed.clear()

    def step(
        self,
        *,
        kind: StepKind,
        framework: Framework,
        name: str,
        source: Source | None,
        duration_ns: int,
        graph: int | None,
        forward_nodes: int,
        backward_nodes: int,
        devices: tuple[str, ...],
        loss: float | None = None,
    ) -> int:
        """Report a step; returns its index within this process.

        One that is as the one before adds its time to that one's message, while this waits.
        """
        known = name, source, graph, forward_nodes, backward_nodes, devices
        key = kind, framework, *known, loss is None
        with self._lock:
            index = self._steps
            self._steps += 1
            run = self._run
            if run is not None and not self._alerts and run.takes(key):
                run.more.append((duration_ns, loss))
                return index
            alerts, self._alerts = self._alerts, 0
            detail = index if graph is None else self._first_step.setdefault(graph, index)
            if len(self._first_step) > 2 * GRAPHS_LIMIT:
                self._first_step.popitem(last=False)
            step = Step(
                index=index,
                kind=kind,
                framework=framework,
                name=name,
                source=source,
                duration_ns=duration_ns,
                forward_nodes=forward_nodes,
                backward_nodes=backward_nodes,
                devices=devices,
                rank=self.rank,
                alerts=alerts,
                pid=os.getpid(),
                detail=detail,
                loss=loss,
            )
            run = StepRun(key, step, graph, self._lock)
            self._run = run if self._send(run, droppable=True) else None
            return index

    def again(self, last: int, duration_ns: int, loss: float | None) -> int:
        """Report a step that is in all but this as step ``last``, loss or none; returns its index.

        Returns -1 where it has to be told as any other: ``last`` isn't the latest, or is sent already.
        """
        with self._lock:
            run = self._run
            if run is None or self._steps != last + 1 or self._alerts or not run.open:
                return -1
            run.more.append((duration_ns, loss))
            self._steps += 1
            return last + 1

    def alert(
        self,
        kind: AlertKind,
        message: str,
        *,
        source: Source | None = None,
        node: int | None = None,
    ) -> None:
        """Report something that the user should know, within the step that is going on."""
        with self._lock:
            self._alerts += 1
            self._send(messages.AlertEvent(Alert(kind, message, self._steps, node, source)))

    def bind(self, path: str, lines: Sequence[int], kind: BindingKind, reason: str) -> None:
        """Report what breakpoints on these lines do; said once for each line and kind."""
        with self._lock:
            new = tuple(
                line
                for line in sorted(set(lines))
                if self._bound.get((path, line)) != (kind, reason)
            )
            for line in new:
                self._bound[path, line] = (kind, reason)
            if new:
                self._send(messages.BindingEvent(path, new, kind, reason))

    def runs_backward(self, path: str, lines: Iterable[int]) -> None:
        """Report lines whose autograd Nodes run backward; said once for each line."""
        with self._lock:
            new = tuple(sorted({line for line in lines if (path, line) not in self._backward}))
            self._backward.update((path, line) for line in new)
            if new:
                self._send(messages.BackwardEvent(path, new))


def rank() -> int:
    """This process's rank, from its launcher's environment; 0 where there is none."""
    return launchers.number(os.environ, launchers.RANK) or 0


def world_size() -> int:
    """How many ranks the job has, from its launcher's environment; 0 for a process that is none."""
    return launchers.number(os.environ, launchers.SIZE) or 0
