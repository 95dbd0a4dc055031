"""Steps, nodes, tensors and alerts: the nouns of graphdebug.

Imported by every part, inside the debuggee too: standard library only.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

StepKind = Literal["eager", "session", "function", "compiled"]
Framework = Literal["torch", "tensorflow"]
Phase = Literal["forward", "backward", "optimizer", "graph"]
AlertKind = Literal[
    "nan", "inf", "gradient", "parameter", "retrace", "recompile", "device", "shape", "hook"
]
Capture = Literal["off", "steps", "nodes", "values"]
StaticGraphs = Literal["boundary", "node"]
BindingKind = Literal["line", "boundary", "node", "never"]

RankState = Literal["running", "stopped", "ended"]

VALUE_LIMIT = 16
"""A tensor's value travels with its description only up to this many elements."""


@dataclass(frozen=True)
class Source:
    """A place in the user's code."""

    path: str
    """Absolute path, as the interpreter spells it in ``co_filename``."""
    line: int
    """1-based line."""
    function: str = ""
    """Name of the function that the line stands in; ``<module>`` at the top level."""


@dataclass(frozen=True)
class Tensor:
    """A tensor as it is described without touching its data."""

    shape: tuple[int, ...]
    """Sizes; -1 for a dimension that a static graph leaves open."""
    dtype: str
    """The framework's short name, such as ``float32``."""
    device: str
    """The framework's own string, such as ``cpu``, ``cuda:0`` or ``/device:CPU:0``."""
    bytes: int
    """Elements times the size of one; 0 where the shape is open."""
    requires_grad: bool = False
    """Whether autograd follows it."""
    value: Any = None
    """Nested numbers, where captured and at most 16 elements; NaN and Inf as strings."""


@dataclass(frozen=True)
class Node:
    """One executed operation, or one autograd Node."""

    index: int
    """Position within the step, in order of execution."""
    step: int
    """Index of the step that it belongs to."""
    name: str
    """The framework's name of this node, such as ``AddmmBackward0`` or ``while/Add``."""
    op_type: str
    """Its operation, such as ``aten::linear``, ``AddmmBackward0`` or ``AddV2``."""
    phase: Phase
    """Which pass it ran in; ``graph`` for a node of a static graph."""
    iteration: int
    """How many times this node ran before within the step."""
    device: str
    """Where it ran."""
    inputs: tuple[Tensor, ...] = ()
    """Its tensor inputs; for a backward node the gradients that came in."""
    outputs: tuple[Tensor, ...] = ()
    """Its tensor outputs; for a backward node the gradients that went out."""
    source: Source | None = None
    """The user's line that made it; None where no user line did."""
    duration_ns: int = 0
    """Nanoseconds it took; 0 where that was not measured."""
    forward_node: int | None = None
    """Of a backward node: index, within the step, of the operation that made it."""
    iterations: tuple[int, ...] = ()
    """Of a node in loops: the iteration of each, outermost first; empty where that isn't known."""
    input_nodes: tuple[int, ...] = ()
    """Indices, within the step, of the nodes whose outputs it took, as far as they are known; each once."""


@dataclass(frozen=True)
class Step:
    """One optimizer step, session run, or call of a compiled function."""

    index: int
    """Position among all steps of the debug session, from 0."""
    kind: StepKind
    """What made it a step."""
    framework: Framework
    """Whose step it is."""
    name: str
    """What ended it, such as ``SGD.step``, ``Session.run`` or the function's name."""
    source: Source | None
    """The user's line that ended it, or called the graph."""
    duration_ns: int
    """Wall time from the end of the step before, or of the call."""
    forward_nodes: int
    """Nodes of the phases forward, optimizer and graph."""
    backward_nodes: int
    """Nodes of the phase backward."""
    devices: tuple[str, ...]
    """Devices that its nodes ran on."""
    rank: int = 0
    """The process's rank in a distributed job."""
    alerts: int = 0
    """How many alerts it raised."""
    pid: int = 0
    """The process that ran it."""
    detail: int = -1
    """Index of the step whose recorded nodes this one shares; its own where it was recorded."""
    loss: float | None = None
    """What backward was called on, where that is one number that could be read without waiting."""


@dataclass(frozen=True)
class Alert:
    """Something that the user should know."""

    kind: AlertKind
    """What happened."""
    message: str
    """What, where and what to do next, in one line."""
    step: int | None = None
    """The step it happened in."""
    node: int | None = None
    """The node it happened at."""
    source: Source | None = None
    """The user's line."""


@dataclass(frozen=True)
class Backend:
    """How a framework is observed in one process."""

    name: Framework
    """The framework."""
    version: str
    """Its version."""
    active: bool
    """Whether it is observed."""
    tier: str = "python"
    """Which observer runs: ``python``, or ``native``, which does the same in less time."""
    reason: str = ""
    """Why it is not observed, or what of it isn't."""
    tier_reason: str = ""
    """Why no quicker tier runs."""


@dataclass(frozen=True)
class Rank:
    """One debugged process."""

    rank: int
    """Its rank; 0 outside distributed jobs."""
    pid: int
    """Its process id."""
    steps: int
    """How many steps it has made."""
    backends: tuple[Backend, ...] = field(default=())
    """The frameworks that it imported."""
    state: RankState = "running"
    """Whether it runs (and perhaps waits for others), the debugger holds it, or it has ended."""
    step: int | None = None
    """Index of the last step that it made."""
    source: Source | None = None
    """Where it stopped; while it runs, the line that made its last step."""
    devices: tuple[str, ...] = ()
    """Devices that its last step ran on."""
    distributed: bool = False
    """Whether it is a rank of a distributed job."""
