"""What the runtime, inside the user's process, and its observer say to each other.

The observer is the adapter or ``graphdebug run``. It asks, the runtime answers and sends events; the
frames are DAP's (``transport.framing``), the messages have DAP's shape. Step indices in these
messages count the steps of one process; the observer gives them their place in the session.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import zip_longest
from typing import Any, Literal

from graphdebug.protocol.dap import Configuration
from graphdebug.protocol.model import Alert, Backend, BindingKind, Node, Source, Step

NodeStopReason = Literal[
    "breakpoint", "step", "function breakpoint", "data breakpoint", "exception"
]
NodeStopAction = Literal["stop", "step", "out"]

ENVIRONMENT_VARIABLE = "GRAPHDEBUG"
"""Holds an Invitation as JSON: how a launched program and its subprocesses find the observer."""


@dataclass(frozen=True)
class Invitation:
    """How to reach the observer. A secret: it travels in the environment or in a 0600 file."""

    endpoint: str
    """``unix:PATH`` or ``tcp:HOST:PORT``."""
    token: str
    """Proves that the connecting process was invited."""
    configuration: Configuration = field(default_factory=Configuration)
    """What to record until the observer says otherwise."""
    explain: bool = False
    """Whether an error that ends the program is explained at the end of its traceback."""
    attachable: bool = False
    """Whether clients come and go: every Python process comes, and stays when nobody looks."""
    wait: bool = False
    """Whether the program waits, before its first line, until a client has attached."""
    fingerprint: str = ""
    """SHA-256 of the certificate of a ``tls:`` endpoint, in hexadecimal."""
    elsewhere: str = ""
    """``tls:HOST:PORT`` for processes of other machines, where they may come."""
    hub: str = ""
    """Tells the hub of a job from those of its other machines."""
    own_breakpoints: bool = False
    """Whether the process reads the breakpoints from the debugger in it: the observer knows none."""
    debugpy: str = ""
    """Directory to import debugpy from where the program's own environment has none."""


@dataclass(frozen=True)
class Breakpoint:
    """A breakpoint of the client, as the runtime needs it."""

    line: int
    """1-based."""
    condition: str | None = None
    """Stops only where this expression is true."""
    hit_condition: str | None = None
    """DAP's hitCondition."""
    log_message: str | None = None
    """Logs this instead of stopping; expressions stand in braces."""


@dataclass(frozen=True)
class NodeBreakpoint:
    """A function breakpoint ``node:PATTERN`` of the client."""

    id: int
    """The client's number for it."""
    pattern: str
    """A glob on a node's name or operation."""
    condition: str | None = None
    """Stops only where this expression is true."""
    hit_condition: str | None = None
    """DAP's hitCondition."""


@dataclass(frozen=True)
class ConfigureArguments:
    """``configure``: the observer's first request; a later one replaces it."""

    configuration: Configuration
    """What to record."""
    breakpoints: dict[str, tuple[Breakpoint, ...]] = field(default_factory=dict)
    """All breakpoints, by absolute path."""
    filters: tuple[str, ...] = ()
    """The exception filters of ours that are set."""
    node_breakpoints: tuple[NodeBreakpoint, ...] = ()
    """All breakpoints on nodes by name."""
    debugged: bool = False
    """Whether a client debugs the program, and may hold it."""


@dataclass(frozen=True)
class SetBreakpointsArguments:
    """``setBreakpoints``: replaces the breakpoints of one file."""

    path: str
    """Absolute path."""
    breakpoints: tuple[Breakpoint, ...]
    """All of them."""


@dataclass(frozen=True)
class FlushArguments:
    """``flush``: its answer comes after everything that was reported before it."""


@dataclass(frozen=True)
class ResumeArguments:
    """``resume``: answers a ``boundary`` event, whose thread waits for it."""

    boundary: int
    """Which boundary."""
    stop: bool
    """Whether the debugger stops there."""


@dataclass(frozen=True)
class NodeStopArguments:
    """``nodeStop``: answers a ``nodeStop`` event, or says how the client moves on from there."""

    stop: int
    """Which stop."""
    action: NodeStopAction
    """``stop``: it knows, and the thread, which waits for that, stops. ``step``: the client goes on to the
    next node; ``out``: it goes on to the caller of the graph."""


@dataclass(frozen=True)
class DataBreakpoint:
    """A data breakpoint of the client."""

    id: int
    """The client's number for it."""
    data: int
    """What it watches, as ``Datum.data`` named it."""
    condition: str | None = None
    """``nan``, ``grad``, ``no grad``, ``shape``, ``dtype``, ``device``, an expression; None: any write."""
    hit_condition: str | None = None
    """DAP's hitCondition."""


@dataclass(frozen=True)
class SetDataBreakpointsArguments:
    """``setDataBreakpoints``: replaces all data breakpoints of this process."""

    breakpoints: tuple[DataBreakpoint, ...]
    """All of them."""


@dataclass(frozen=True)
class LeftArguments:
    """``left``: a thread went on from a boundary; what was kept for the stop can go."""

    boundary: int
    """Which boundary."""


@dataclass(frozen=True)
class DetachArguments:
    """``detach``: the client leaves, the program goes on. Answered once no thread is about to stop, which
    debugpy, once it has resumed those that are stopped, would never resume."""


@dataclass(frozen=True)
class DebugArguments:
    """``debug``: a client comes: import debugpy, and let it come to the observer over a connection of
    its own (``protocol.hub``, ``debuggee``). Answered at once."""

    key: str
    """Names that connection."""
    ours: str
    """Token that debugpy shows."""
    theirs: str
    """Token that debugpy wants to be shown."""


@dataclass(frozen=True)
class UndebugArguments:
    """``undebug``: the client has gone: let stopped threads go on, and take debugpy out. Answered when
    nothing is traced any more."""


@dataclass(frozen=True)
class GoArguments:
    """``go``: who waits for a client need wait no more."""


@dataclass(frozen=True)
class ReportArguments:
    """``report``: a ``report`` event comes before the answer."""


@dataclass(frozen=True)
class DescribeArguments:
    """``describe``: somebody looks into a step whose description wasn't sent: its ``graph`` events come
    before the answer. None come of a description that is there no more."""

    graph: int
    """Its number in the ``step`` event."""


@dataclass(frozen=True)
class HelloEvent:
    """``hello``: the runtime's first message."""

    token: str
    """The invitation's token."""
    pid: int
    """Process id."""
    parent_pid: int
    """Process id of its parent."""
    rank: int
    """From the launcher's environment; 0 where there is none."""
    version: str
    """graphdebug's version."""
    world_size: int = 0
    """How many ranks the job has; 0 for a process that is none of them, such as a launcher."""
    host: str = ""
    """Where it runs."""
    command: str = ""
    """What the interpreter was started with, for a person to read."""


@dataclass(frozen=True)
class ChildEvent:
    """``child``: a child process that debugpy is about to be in, and that may be a rank, says so on a
    connection of its own. It waits for the answer, so that this is known when debugpy tells of it."""

    token: str
    """The invitation's token."""
    pid: int
    """Process id."""
    variables: dict[str, str]
    """Those that launchers set for each rank, of its environment."""
    rank: bool = False
    """Whether what started it starts ranks."""


@dataclass(frozen=True)
class RankEvent:
    """``rank``: the program has joined a process group, and so has a rank."""

    rank: int
    """Its own."""
    size: int
    """How many there are."""


@dataclass(frozen=True)
class BackendEvent:
    """``backend``: a framework was imported, or the way it is observed changed."""

    backend: Backend
    """Its state."""


@dataclass(frozen=True)
class GraphEvent:
    """``graph``: the nodes that one or many steps consist of. Sent before the first of them; that of a run
    that a breakpoint stopped at may come but when somebody asks for it (``describe``), or at the end.

    A long description comes in parts, one after the other.
    """

    graph: int
    """Names this description in ``step`` events."""
    nodes: tuple[Node, ...]
    """Their ``step`` is 0 here: the observer fills it in."""
    shared: bool = True
    """Whether more than one step may refer to it; one with values belongs to one step."""
    first: bool = True
    """Whether it begins a description; else its nodes follow those that came for it before."""


@dataclass(frozen=True)
class StepEvent:
    """``step``: a step was made, or several in a row that differ in their time and loss alone."""

    step: Step
    """The first. Its index counts this process's steps."""
    graph: int | None = None
    """Its nodes; None where they were not recorded."""
    more: tuple[int, ...] = ()
    """``durationNs`` of each of those that followed it."""

    losses: tuple[float, ...] = ()
    """``loss`` of each of those; empty where the first has none, and so none has."""

    def each(self) -> Iterator[StepEvent]:
        """One event for each step."""
        yield StepEvent(self.step, self.graph)
        for at, (duration, loss) in enumerate(zip_longest(self.more, self.losses), 1):
            index = self.step.index + at
            detail = index if self.graph is None else self.step.detail
            changed: dict[str, Any] = {"duration_ns": duration, "loss": loss}
            step = replace(self.step, index=index, detail=detail, alerts=0, **changed)
            yield StepEvent(step, self.graph)


@dataclass(frozen=True)
class AlertEvent:
    """``alert``: something that the user should know."""

    alert: Alert
    """What."""


@dataclass(frozen=True)
class DroppedEvent:
    """``dropped``: records that the queue had no room for."""

    count: int
    """How many since this process began."""


@dataclass(frozen=True)
class BindingEvent:
    """``binding``: what the lines of a file turned out to do when they ran."""

    path: str
    """Absolute path."""
    lines: tuple[int, ...]
    """1-based."""
    kind: BindingKind
    """What a breakpoint there does."""
    reason: str
    """Why, in one sentence."""


@dataclass(frozen=True)
class BackwardEvent:
    """``backward``: autograd Nodes that these lines made run backward, and can be stopped at there."""

    path: str
    """Absolute path."""
    lines: tuple[int, ...]
    """1-based."""


@dataclass(frozen=True)
class BoundaryEvent:
    """``boundary``: a graph run that a breakpoint is bound to is over; its thread waits for ``resume``."""

    boundary: int
    """Names this stop."""
    frame: Source
    """The user's frame that called the graph."""
    step: int
    """The step that the run made."""
    lines: tuple[Source, ...]
    """The lines with breakpoints whose nodes ran."""
    executions: tuple[int, ...]
    """Indices, within the step, of the node executions that those lines made."""
    text: str
    """What ran, in one sentence."""
    filter: str | None = None
    """The exception filter that asked for the stop; None where a breakpoint did."""
    title: str = "Graph boundary"
    """What the stop is called, in a few letters."""
    recorded: bool = False
    """Whether the run can be walked through."""
    hit: tuple[int, ...] = ()
    """The client's numbers of the function breakpoints that were hit."""


@dataclass(frozen=True)
class NodeStopEvent:
    """``nodeStop``: a thread is held at a node, or a step through nodes is over; it waits."""

    stop: int
    """Names this stop."""
    reason: NodeStopReason
    """Why it stops."""
    frame: Source
    """Where the debugger stops."""
    step: int
    """The step that the run makes."""
    text: str
    """What it stops at, in one sentence."""
    inside: bool = True
    """Whether there are nodes to step to, as in a graph or a backward pass that is held."""
    title: str = "Graph node"
    """What the stop is called, in a few letters."""
    hit: tuple[int, ...] = ()
    """The client's numbers of the function or data breakpoints that were hit."""
    filter: str | None = None
    """The exception filter that asked for the stop, whose reason is ``exception`` then."""


@dataclass(frozen=True)
class LogEvent:
    """``log``: a log point on a graph line was passed."""

    text: str
    """The message with its expressions filled in."""
    source: Source
    """The line."""


@dataclass(frozen=True)
class DataBreakpointEvent:
    """``dataBreakpoint``: a data breakpoint can't stop any more, or not as it is."""

    id: int
    """The client's number for it."""
    message: str
    """Why."""


@dataclass(frozen=True)
class NodeBindingEvent:
    """``nodeBinding``: what a breakpoint on nodes by name turned out to do in the graphs that ran."""

    id: int
    """The client's number for it."""
    kind: BindingKind
    """What it does."""
    reason: str
    """Why, in one sentence."""


@dataclass(frozen=True)
class Datum:
    """What a data breakpoint would watch: the result that asking for it publishes."""

    data: int | None
    """Names it in this process; None where it can't be watched."""
    pid: int
    """The process."""
    description: str
    """What it is and when it stops, or why it can't be watched."""


@dataclass(frozen=True)
class PastStep:
    """A step, or what an open one did so far, in the record that leads back from a stop."""

    graph: int
    """Its description."""
    step: int | None
    """Its index within the process; None for the one that is open."""
    skipped: int = 0
    """How many of its first nodes are left out."""


@dataclass(frozen=True)
class Past:
    """What a stopped thread ran last: the result that stepping back from a live stop publishes."""

    boundary: int
    """Names the record, as a boundary's number does."""
    pid: int
    """The process."""
    steps: tuple[PastStep, ...]
    """Oldest first; their nodes are numbered throughout."""


@dataclass(frozen=True)
class PublishedEvent:
    """``published``: the result of an expression that the adapter had evaluated in a stopped frame."""

    key: str
    """The adapter's name for it."""
    result: Any = None
    """JSON."""
    error: str | None = None
    """Why there is no result."""


@dataclass(frozen=True)
class Memory:
    """How much memory a process holds on a device."""

    device: str
    """The framework's string; ``process`` for what is resident of the process itself."""
    bytes: int
    """Now."""
    peak: int = 0
    """The most there was; 0 where that isn't known."""


@dataclass(frozen=True)
class ReportEvent:
    """``report``: how the process stands, recorded or not."""

    steps: int
    """Optimizer steps and calls of graphs since it began."""
    devices: tuple[str, ...] = ()
    """Devices that it holds memory on."""
    memory: tuple[Memory, ...] = ()
    """By device."""


@dataclass(frozen=True)
class UndebuggedEvent:
    """``undebugged``: debugpy, which was asked for, can't come."""

    key: str
    """What ``debug`` named it."""
    message: str
    """Why."""


STANDING = "graphdebugStanding"
"""The field of debugpy's ``stopped`` body that has a ``Standing``, on its way to our adapter alone."""


@dataclass(frozen=True)
class Standing:
    """Where a thread stands that stops: what the runtime says with debugpy's event, so that nobody asks."""

    frame: Source
    """The innermost frame, as debugpy shows it."""
    ours: bool
    """Whether the thread may stand at a boundary or a node of ours: the adapter asks at which."""
    told: bool
    """Whether the runtime has reported nothing since it was last asked to ``flush``."""


EVENTS: dict[str, type] = {
    "hello": HelloEvent,
    "child": ChildEvent,
    "rank": RankEvent,
    "backend": BackendEvent,
    "graph": GraphEvent,
    "step": StepEvent,
    "alert": AlertEvent,
    "dropped": DroppedEvent,
    "binding": BindingEvent,
    "nodeBinding": NodeBindingEvent,
    "backward": BackwardEvent,
    "boundary": BoundaryEvent,
    "nodeStop": NodeStopEvent,
    "log": LogEvent,
    "dataBreakpoint": DataBreakpointEvent,
    "published": PublishedEvent,
    "report": ReportEvent,
    "undebugged": UndebuggedEvent,
}
"""Event names and the dataclasses of their bodies."""

REQUESTS: dict[str, type] = {
    "configure": ConfigureArguments,
    "setBreakpoints": SetBreakpointsArguments,
    "flush": FlushArguments,
    "resume": ResumeArguments,
    "left": LeftArguments,
    "nodeStop": NodeStopArguments,
    "setDataBreakpoints": SetDataBreakpointsArguments,
    "detach": DetachArguments,
    "debug": DebugArguments,
    "undebug": UndebugArguments,
    "go": GoArguments,
    "report": ReportArguments,
    "describe": DescribeArguments,
}
"""Request names and the dataclasses of their arguments. Each is answered, with an empty body."""
