"""graphdebug's additions to the Debug Adapter Protocol, as the Contract names them.

Class names follow the DAP specification: ``XArguments`` for a request, ``XResponse`` for the body
of its answer, ``XEvent`` for the body of an event.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from graphdebug.protocol.model import (
    Alert,
    Backend,
    Capture,
    Node,
    Phase,
    Rank,
    StaticGraphs,
    Step,
    Tensor,
)

TensorMode = Literal["summary", "values", "histogram"]
ChildPolicy = Literal["join", "session", "observe"]
CollectiveTimeout = Literal["extend", "keep"]


@dataclass(frozen=True)
class Children:
    """What becomes of the Python processes that the program starts, by what they are."""

    ranks: ChildPolicy = "join"
    """Ranks of a distributed job, as torchrun, ``torch.multiprocessing.spawn`` and launchers that set
    RANK start them. ``join``: they take part in this session."""
    workers: ChildPolicy = "observe"
    """DataLoader workers. ``observe``: they run without the debugger, and nothing stops in them."""
    programs: ChildPolicy = "session"
    """All others. ``session``: the client is asked to open a session of its own for each."""


@dataclass(frozen=True)
class Configuration:
    """What ``launch`` and ``attach`` take beyond debugpy's own attributes."""

    capture: Capture = "nodes"
    """How much of each step is recorded."""
    static_graphs: StaticGraphs = "boundary"
    """Where a breakpoint in a static graph stops: at the call, or inside the running graph."""
    backward: bool = True
    """Whether a breakpoint on a forward line also stops at the backward nodes it made."""
    record_limit: int = 50_000
    """Node executions of one run that are kept to walk through where it stops."""
    nan_watch: bool = True
    """Whether NaN, Inf and what keeps a model from learning is looked for."""
    children: Children = field(default_factory=Children)
    """Which of the processes that the program starts are debugged, and where."""
    collective_timeout: CollectiveTimeout = "extend"
    """Whether collectives wait for ranks that the debugger holds: ``extend`` suspends the timeouts of
    process groups while a client is there, ``keep`` leaves them as the program set them."""


@dataclass(frozen=True)
class GraphdebugStepEvent:
    """``graphdebugStep``: a step was made; at most 10 a second, the last one always delivered."""

    step: Step
    """The newest step."""


@dataclass(frozen=True)
class GraphdebugAlertEvent:
    """``graphdebugAlert``: something that the user should know."""

    alert: Alert
    """What and where."""


@dataclass(frozen=True)
class GraphdebugDroppedEvent:
    """``graphdebugDropped``: the program was faster than the link."""

    count: int
    """Records dropped since the session began."""


@dataclass(frozen=True)
class GraphdebugStepsArguments:
    """``graphdebugSteps``: the steps from ``begin`` up to, not including, ``end``."""

    begin: int = 0
    """First index."""
    end: int | None = None
    """One past the last index; all that there are where left out."""


@dataclass(frozen=True)
class GraphdebugStepsResponse:
    """Answer to ``graphdebugSteps``."""

    steps: tuple[Step, ...]
    """In order of their index."""
    total: int
    """How many steps there are."""


@dataclass(frozen=True)
class GraphdebugTimelineArguments:
    """``graphdebugTimeline``: the steps from ``begin`` up to, not including, ``end``, as a few points."""

    begin: int = 0
    """First index."""
    end: int | None = None
    """One past the last index; all that there are where left out."""
    points: int = 256
    """How many points at most."""


@dataclass(frozen=True)
class TimelinePoint:
    """Steps that follow each other, drawn as one point."""

    begin: int
    """Index of the first one."""
    end: int
    """One past the index of the last one."""
    shortest_ns: int
    """Wall time of the shortest one."""
    longest_ns: int
    """Wall time of the longest one."""
    mean_ns: int
    """Their mean wall time."""
    alerts: int = 0
    """How many alerts they raised."""
    loss: float | None = None
    """The last loss that is known of them."""


@dataclass(frozen=True)
class GraphdebugTimelineResponse:
    """Answer to ``graphdebugTimeline``."""

    points: tuple[TimelinePoint, ...]
    """In order; all but the last one stand for the same number of steps."""
    total: int
    """How many steps there are."""


@dataclass(frozen=True)
class GraphdebugAlertsArguments:
    """``graphdebugAlerts``: the alerts of the session so far."""

    start: int = 0
    """How many to skip."""
    count: int | None = None
    """How many to return at most."""


@dataclass(frozen=True)
class GraphdebugAlertsResponse:
    """Answer to ``graphdebugAlerts``."""

    alerts: tuple[Alert, ...]
    """In the order in which they came; the newest 10,000 are kept."""
    total: int
    """How many are kept."""


@dataclass(frozen=True)
class GraphdebugNodesArguments:
    """``graphdebugNodes``: the nodes of a step that pass every filter given."""

    step: int
    """Index of the step."""
    start: int = 0
    """How many of the passing nodes to skip."""
    count: int | None = None
    """How many to return at most."""
    phase: Phase | None = None
    """Only nodes of this phase."""
    path: str | None = None
    """Only nodes made by this file."""
    line: int | None = None
    """Only nodes made by this line."""
    text: str | None = None
    """Only nodes whose name or operation contains this, in small or capital letters."""
    device: str | None = None
    """Only nodes that ran on this device."""


@dataclass(frozen=True)
class GraphdebugNodesResponse:
    """Answer to ``graphdebugNodes``."""

    nodes: tuple[Node, ...]
    """In order of execution."""
    total: int
    """How many pass the filters."""


@dataclass(frozen=True)
class GraphdebugNodeArguments:
    """``graphdebugNode``: one node."""

    step: int
    """Index of the step."""
    node: int
    """Index of the node within it."""


@dataclass(frozen=True)
class GraphdebugNodeResponse:
    """Answer to ``graphdebugNode``."""

    node: Node
    """The node."""


@dataclass(frozen=True)
class GraphdebugTensorArguments:
    """``graphdebugTensor``: a tensor of a stopped frame, or a recorded one that a node took or made."""

    mode: TensorMode = "summary"
    """What to compute; on the tensor's own device, and only that travels."""
    frame_id: int | None = None
    """The frame to evaluate ``expression`` in."""
    expression: str | None = None
    """An expression whose value is a tensor."""
    step: int | None = None
    """With ``node``, and ``output`` or ``input``: a recorded tensor."""
    node: int | None = None
    """Index of the node within the step."""
    output: int | None = None
    """Index of the output of the node."""
    input: int | None = None
    """Index of the input of the node."""
    slice: str | None = None
    """What stands between the brackets in ``tensor[...]``, such as ``0, :, 2:4``."""


@dataclass(frozen=True)
class TensorSummary:
    """Statistics over all elements. NaN and Inf are counted and left out of the others."""

    elements: int
    """How many elements there are."""
    minimum: float | None = None
    """Smallest finite element."""
    maximum: float | None = None
    """Largest finite element."""
    mean: float | None = None
    """Mean of the finite elements."""
    std: float | None = None
    """Population standard deviation of the finite elements."""
    nan: int = 0
    """How many are NaN."""
    inf: int = 0
    """How many are infinite."""
    zeros: int = 0
    """How many are zero."""


@dataclass(frozen=True)
class TensorHistogram:
    """Counts of the finite elements in bins of equal width."""

    edges: tuple[float, ...]
    """Bin edges, one more than there are bins."""
    counts: tuple[int, ...]
    """Elements in each bin."""


@dataclass(frozen=True)
class GraphdebugTensorResponse:
    """Answer to ``graphdebugTensor``."""

    tensor: Tensor
    """The description of the tensor, after slicing."""
    summary: TensorSummary | None = None
    """With mode ``summary``."""
    values: Any = None
    """With mode ``values``: nested numbers; NaN and Inf as the strings "nan", "inf", "-inf"."""
    histogram: TensorHistogram | None = None
    """With mode ``histogram``."""


@dataclass(frozen=True)
class StoppedPlace:
    """The field ``graphdebug`` of a ``stopped`` event: the recorded place that it is about."""

    step: int
    """Index of the step."""
    node: int | None = None
    """Index of the node within the step; None at the end of the run."""


@dataclass(frozen=True)
class GraphdebugStateArguments:
    """``graphdebugState`` takes nothing."""


@dataclass(frozen=True)
class GraphdebugStateResponse:
    """Answer to ``graphdebugState``."""

    capture: Capture
    """How much is recorded."""
    backends: tuple[Backend, ...]
    """The frameworks seen, in any process."""
    ranks: tuple[Rank, ...]
    """The processes seen."""
    dropped: int
    """Records dropped since the session began."""


EVENTS = {
    "graphdebugStep": GraphdebugStepEvent,
    "graphdebugAlert": GraphdebugAlertEvent,
    "graphdebugDropped": GraphdebugDroppedEvent,
}
"""Event names and the dataclasses of their bodies."""

REQUESTS = {
    "graphdebugSteps": (GraphdebugStepsArguments, GraphdebugStepsResponse),
    "graphdebugTimeline": (GraphdebugTimelineArguments, GraphdebugTimelineResponse),
    "graphdebugAlerts": (GraphdebugAlertsArguments, GraphdebugAlertsResponse),
    "graphdebugNodes": (GraphdebugNodesArguments, GraphdebugNodesResponse),
    "graphdebugNode": (GraphdebugNodeArguments, GraphdebugNodeResponse),
    "graphdebugTensor": (GraphdebugTensorArguments, GraphdebugTensorResponse),
    "graphdebugState": (GraphdebugStateArguments, GraphdebugStateResponse),
}
"""Request names and the dataclasses of their arguments and answers."""
