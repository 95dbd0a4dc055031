"""Runs the TensorFlow test programs: observed, and bare."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from support.markers import line, program
from support.observer import Observation

from graphdebug.protocol.dap import Configuration
from graphdebug.protocol.model import Alert, Node, Step
from graphdebug.protocol.runtime import (
    AlertEvent,
    BindingEvent,
    BoundaryEvent,
    Breakpoint,
    GraphEvent,
    LogEvent,
    StepEvent,
)

ENVIRONMENT = {"TF_CPP_MIN_LOG_LEVEL": "2"}
ATTACHED = str(Path(__file__).with_name("attached"))


def bare(name: str, *args: str) -> subprocess.CompletedProcess[str]:
    """The program without us."""
    return subprocess.run(
        [sys.executable, program(name), *args],
        env={**os.environ, **ENVIRONMENT},
        capture_output=True, text=True, timeout=170,
    )  # fmt: skip


class Observed(Observation):
    """The program with us, believing that a debugger is attached.

    ``breakpoints`` are marks, or marks with the other fields of a Breakpoint.
    """

    def __init__(
        self,
        name: str,
        *args: str,
        breakpoints: tuple[str, ...] | dict[str, dict[str, Any]] = (),
        capture: Any = "nodes",
    ) -> None:
        self.path = program(name)
        more = breakpoints if isinstance(breakpoints, dict) else {mark: {} for mark in breakpoints}
        set_ = tuple(Breakpoint(line(self.path, mark), **fields) for mark, fields in more.items())
        super().__init__(
            Path(self.path),
            *args,
            configuration=Configuration(capture=capture),
            breakpoints={self.path: set_} if set_ else None,
            env={**ENVIRONMENT, "PYTHONPATH": ATTACHED},
            timeout=170,
        )

    def line(self, mark: str) -> int:
        """The line of a mark."""
        return line(self.path, mark)

    def steps_at(self, mark: str) -> list[Step]:
        """The steps that a line made."""
        return [s for s in self.steps if s.source is not None and s.source.line == self.line(mark)]

    def nodes_at(self, step: int, mark: str) -> list[Node]:
        """The nodes of a step that a line built."""
        return [
            node
            for node in self.nodes(step)
            if node.source is not None and node.source.line == self.line(mark)
        ]

    def values_at(self, step: int, mark: str, op_type: str) -> list[Any]:
        """The values that the nodes of one type, built by a line, put out in a step."""
        found = self.nodes_at(step, mark)
        return [node.outputs[0].value for node in found if node.op_type == op_type]

    @property
    def boundaries(self) -> list[BoundaryEvent]:
        """Stops at the boundary."""
        return self.of(BoundaryEvent)

    @property
    def logged(self) -> list[str]:
        """What log points said."""
        return [event.text for event in self.of(LogEvent)]

    @property
    def alerts(self) -> list[Alert]:
        """What the user was told."""
        return [event.alert for event in self.of(AlertEvent)]

    @property
    def bound(self) -> dict[int, BindingEvent]:
        """The last binding of each line."""
        return {line: event for event in self.of(BindingEvent) for line in event.lines}

    def executed(self, boundary: BoundaryEvent) -> list[Node]:
        """The executions that a boundary stops for."""
        nodes = {node.index: node for node in self.nodes(boundary.step)}
        return [nodes[index] for index in boundary.executions]


def graphs(observed: Observed) -> list[GraphEvent]:
    """Descriptions that were sent."""
    return observed.of(GraphEvent)


def graph_of(observed: Observed, step: int) -> int | None:
    """The description that a step refers to."""
    graph: int | None = observed.of(StepEvent)[step].graph
    return graph
