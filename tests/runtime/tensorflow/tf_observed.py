"""Runs the TensorFlow test programs: observed, and bare."""

from __future__ import annotations

import functools
import os
import subprocess
import sys
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

from support.markers import line, program
from support.observer import Observation

from graphdebug.protocol.dap import Configuration
from graphdebug.protocol.model import Alert, Node, Step
from graphdebug.protocol.runtime import (
    AlertEvent,
    BindingEvent,
    Breakpoint,
    GraphEvent,
    StepEvent,
)

ENVIRONMENT = {"TF_CPP_MIN_LOG_LEVEL": "2"}


@functools.cache
def bare(name: str, *args: str) -> subprocess.CompletedProcess[str]:
    """The program without us; it is run once."""
    return subprocess.run(
        [sys.executable, program(name), *args],
        env={**os.environ, **ENVIRONMENT},
        capture_output=True, text=True, timeout=170,
    )  # fmt: skip


class Recorded(ABC):
    """What was recorded of a program, and the program's marks."""

    path: str
    """The program."""

    @property
    @abstractmethod
    def steps(self) -> list[Step]:
        """All steps, in order."""

    @abstractmethod
    def nodes(self, step: int) -> tuple[Node, ...]:
        """The nodes of a step, by its index."""

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


class Observed(Observation, Recorded):
    """The program with us, without a debugger.

    ``breakpoints`` are marks: what they ask to record is recorded, and nothing stops.
    """

    def __init__(
        self, name: str, *args: str, breakpoints: tuple[str, ...] = (), capture: Any = "nodes"
    ) -> None:
        self.path = program(name)
        set_ = tuple(Breakpoint(line(self.path, mark)) for mark in breakpoints)
        super().__init__(
            Path(self.path),
            *args,
            configuration=Configuration(capture=capture),
            breakpoints={self.path: set_} if set_ else None,
            env=ENVIRONMENT,
            timeout=170,
        )

    @property
    def alerts(self) -> list[Alert]:
        """What the user was told."""
        return [event.alert for event in self.of(AlertEvent)]

    @property
    def bound(self) -> dict[int, BindingEvent]:
        """The last binding of each line."""
        return {line: event for event in self.of(BindingEvent) for line in event.lines}


def graphs(observed: Observed) -> list[GraphEvent]:
    """Descriptions that were sent."""
    return observed.of(GraphEvent)


def graph_of(observed: Observed, step: int) -> int | None:
    """The description that a step refers to."""
    graph: int | None = observed.of(StepEvent)[step].graph
    return graph
