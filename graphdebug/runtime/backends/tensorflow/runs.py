"""One run of a graph by a session, while ``session`` observes it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from graphdebug.protocol.model import Node
from graphdebug.runtime.backends.tensorflow.guard import Guard
from graphdebug.runtime.backends.tensorflow.live import Live
from graphdebug.runtime.backends.tensorflow.partitions import Executable
from graphdebug.runtime.backends.tensorflow.record import Execution, Record
from graphdebug.runtime.backends.tensorflow.repeats import Told
from graphdebug.runtime.backends.tensorflow.signatures import Line, Selection, Shapes, Signature
from graphdebug.runtime.backends.tensorflow.watches import Given, Slot, Value, Watch

_UNASKED = Selection()


@dataclass(slots=True)
class Run:
    """One run of a graph by a session, while we observe it."""

    graph: Any
    signature: Signature
    shapes: Shapes
    key: tuple[Any, ...]
    """Names its description where it has no values."""
    selection: Selection = field(default_factory=lambda: _UNASKED)
    slots: frozenset[Slot] = frozenset()
    """Outputs to watch."""
    counts: bool = False
    """Whether NaN and Inf are to be counted."""
    sampled: bool = False
    """Whether it is to be described, whatever was before."""
    traced: bool = False
    """Whether TensorFlow is to record it."""
    watch: Watch | None = None
    numbers: Watch | None = None
    """The watch that counts NaN and Inf."""
    counted: frozenset[Slot] = frozenset()
    """What it watches."""
    fed: Mapping[str, bool] = field(default_factory=dict)
    """Whether what was fed is finite, by operation; known where it is watched."""
    fetched: Mapping[Slot, int] = field(default_factory=dict)
    """Outputs that aren't watched since they are fetched, and where they stand in the results."""
    given: dict[Slot, Any] = field(default_factory=dict)
    """Copies of what was fed and fetched, of outputs that needn't be watched therefore."""
    guard: Guard | None = None
    """What bounds the record meanwhile."""
    live_lines: frozenset[Line] = frozenset()
    """Lines with breakpoints that stop while the graph runs."""
    live_nodes: frozenset[str] = frozenset()
    """The same of nodes that breakpoints by name are on."""
    live: Live | None = None
    """The run, where it stops at its nodes."""
    twin: tuple[Any, Twin] | None = None
    """The user's callable, and what runs in its place."""
    options: Any = None
    """Our buffer, while TensorFlow reads it."""
    metadata: Any = None
    """Our buffer, while TensorFlow writes it; None where the user's is there."""
    unasked: list[str] = field(default_factory=list)
    """Fields of the metadata that the user didn't ask for."""
    known: Executable | None = None
    """What TensorFlow executes; None where the metadata is going to tell."""
    record: Record | None = None
    """What TensorFlow recorded."""
    built: list[Node] | None = None
    """What ran, where that was known before."""
    told: Told = field(default_factory=Told)
    """The last step of such a run, of which nothing but its time is told."""
    asked: list[Execution] = field(default_factory=list)
    """The executions of the nodes that breakpoints ask about."""
    found: list[Execution] = field(default_factory=list)
    """All executions, where they were looked at."""

    def take(self, results: Sequence[Any]) -> None:
        """It is over, and this was fetched."""
        for slot, position in self.fetched.items():
            self.given[slot] = np.array(results[position])

    def values(self) -> Mapping[Slot, Sequence[Value]]:
        """What was recorded of it."""
        found = {} if self.watch is None else self.watch.values()
        if self.given and self.record is not None:
            began = {name: stats.all_start_nanos // 1000 for stats, name, _ in self.record.order}
            for (node, slot), array in self.given.items():
                found[node, slot] = [Given(array, began.get(node, 0))]
        return found

    def withhold(self, metadata: Any) -> None:
        """Take out of the user's metadata what we asked for."""
        for name in self.unasked:
            metadata.ClearField(name)


class Twin(NamedTuple):
    """A callable that does what one of the user's does, and records it."""

    made: Any
    slots: frozenset[Slot]
    watch: Watch | None
    unasked: list[str]
    known: Executable | None
