"""Calls of graphs that are over: each is a step, and stops where breakpoints on its lines ask for it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import CodeType, FrameType
from typing import TYPE_CHECKING, Any

from graphdebug.protocol.model import BindingKind, Node, Source
from graphdebug.runtime.backends.torch.eager_functions import RUNS
from graphdebug.runtime.backends.torch.graphs import (
    EXPORT,
    SCRIPT,
    Graph,
    Line,
    joined,
    lines_of,
    name_of,
    source_of_code,
)
from graphdebug.runtime.backends.torch.trail import NODES, OFF
from graphdebug.runtime.frames import absolute, module_globals, source_of
from graphdebug.runtime.stops import BOUNDARY, RETRACE

if TYPE_CHECKING:
    from graphdebug.runtime.backends.torch.observer import TorchBackend

CALLS_LIMIT = 256
"""Distinct sequences of graphs whose nodes are kept."""

NAMES_LIMIT = 3
"""Nodes of a line that a stop names."""

BOUND = (
    "what {} makes of this line runs without Python, so it stops where the compiled function is "
    "called, once the call is over; a condition sees no values there"
)
REMOVED = (
    "nothing of this line is left in the graph that {} made of {}: what it does was done while the "
    "graph was made (constants, sizes, branches on them), or nothing depends on it; "
    "{}"
)
KEEPS = {
    "torch.compile": "torch.compiler.disable on the function keeps it in Python",
    SCRIPT: "torch.jit.ignore on a function that it calls keeps that in Python",
    EXPORT: "a custom operator keeps what it does",
}
UNUSED = "nothing depends on {}: {} leaves it out of what runs; returning its result would keep it"
FUSED = "inductor fuses nodes, so values between them don't exist; backend='aot_eager' keeps each"
UNSEEN = "values and times inside of a compiled graph aren't told"
_EVERYTHING = ("eager",)
"""Backends that run what nothing depends on, too."""


@dataclass
class Hits:
    """The nodes that stop."""

    nodes: list[int] = field(default_factory=list)
    lines: list[Source] = field(default_factory=list)
    parts: list[str] = field(default_factory=list)


class Boundary:
    """Reports the calls of graphs, and what breakpoints on their lines are bound to."""

    def __init__(self, backend: TorchBackend) -> None:
        self._backend = backend
        self._runtime = backend.runtime
        self._lines: dict[CodeType, set[Line]] = {}
        self._told: set[int] = set()
        self._nodes: OrderedDict[tuple[int, ...], tuple[Node, ...]] = OrderedDict()

    # -- what breakpoints do

    def made(self, construct: str, graph: Graph) -> None:
        """A graph was made: tell what breakpoints on its lines do."""
        if construct == "torch.compile" and self._backend.eager_functions.wanted:
            for code in graph.codes:
                self._bind(source_of_code(code), lines_of(code), "node", RUNS.format(name_of(code)))
            return
        by_file: dict[str, set[int]] = {}
        for path, line in graph.lines:
            by_file.setdefault(path, set()).add(line)
        for path, lines in by_file.items():
            self._bind(path, lines, "boundary", BOUND.format(construct))
        for code in graph.codes:
            self._lines.setdefault(code, set()).update(graph.lines)

    def _bind_removed(self, construct: str, graphs: Sequence[Graph]) -> None:
        """Of functions that became one graph: the lines that nothing is left of.

        Where the compiler broke the graph, Python runs some of the lines, and stops there.
        """
        if len(graphs) != 1 or graphs[0].number in self._told:
            return
        self._told.add(graphs[0].number)
        if construct == "torch.compile" and self._backend.eager_functions.wanted:
            return
        for code in graphs[0].codes:
            path = source_of_code(code)
            kept = self._lines.get(code, set())
            gone = {line for line in lines_of(code) if path and (path, line) not in kept}
            if path and not _broken(code):
                reason = REMOVED.format(construct, name_of(code), KEEPS[construct])
                self._bind(path, gone, "never", reason)

    def _bind(self, path: str, lines: Sequence[int] | Any, kind: BindingKind, reason: str) -> None:
        if path and lines:
            self._runtime.recorder.bind(path, sorted(lines), kind, reason)

    # -- calls

    def over(
        self,
        construct: str,
        name: str,
        frame: FrameType | None,
        graphs: Sequence[Graph],
        duration: int,
    ) -> None:
        """A call, made by the user's ``frame``, is over; these graphs ran in it."""
        backend, level = self._backend, self._backend.level
        wanted = bool(self._runtime.breakpoints.files)
        filtered = self._runtime.stops.filtered(BOUNDARY)
        alerts = backend.recompiles.take()
        step = self._runtime.recorder.next_step
        if graphs and (wanted or filtered or level > OFF):
            self._bind_removed(construct, graphs)
            nodes = self._joined(graphs) if wanted or filtered or level >= NODES else ()
            hits = self._hits(nodes, graphs, frame) if wanted else Hits()
            step = self._step(
                name, frame, graphs, nodes, level, bool(hits.lines) or filtered, duration
            )
            if frame is not None and hits.lines:
                text = self._text(f"{name} ran", hits, graphs)
                self._runtime.stops.boundary(frame, step, hits.lines, hits.nodes, text)
            elif frame is not None and filtered:
                text = f"{name} ran {len(nodes)} nodes; {UNSEEN}"
                self._runtime.stops.boundary(
                    frame, step, (), range(len(nodes)), text, filter=BOUNDARY
                )
        for text in alerts:
            if frame is not None and self._runtime.stops.filtered(RETRACE):
                self._runtime.stops.boundary(
                    frame, step, (), (), text, filter=RETRACE, title="Recompile"
                )

    def _joined(self, graphs: Sequence[Graph]) -> tuple[Node, ...]:
        """The nodes of a call; the same for each call that runs the same graphs."""
        key = tuple(graph.number for graph in graphs)
        nodes = self._nodes.get(key)
        if nodes is None:
            nodes = self._nodes[key] = joined(graphs)
            if len(self._nodes) > CALLS_LIMIT:
                self._nodes.popitem(last=False)
        return nodes

    def _step(
        self,
        name: str,
        frame: FrameType | None,
        graphs: Sequence[Graph],
        nodes: Sequence[Node],
        level: int,
        stops: bool,
        duration: int,
    ) -> int:
        recorder = self._runtime.recorder
        graph = None
        if level >= NODES or stops:
            key = ("graphs", *(item.number for item in graphs))
            graph = recorder.graph(key, lambda: nodes)
        return recorder.step(
            kind="compiled",
            framework="torch",
            name=name,
            source=None if frame is None else source_of(frame),
            duration_ns=duration,
            graph=graph,
            forward_nodes=sum(len(item.nodes) for item in graphs),
            backward_nodes=0,
            devices=tuple(dict.fromkeys(device for item in graphs for device in item.devices)),
        )

    def _hits(
        self, nodes: Sequence[Node], graphs: Sequence[Graph], frame: FrameType | None
    ) -> Hits:
        """Evaluate the breakpoints on the lines of graphs that ran; each counts once a run."""
        result, first = Hits(), 0
        for graph in graphs:
            for path, breakpoints in self._runtime.breakpoints.files.items():
                for line, breakpoint in breakpoints.items():
                    indices = graph.lines.get((path, line))
                    if indices is None:
                        continue
                    led_to = [first + index for index in indices]
                    stops = self._stops(path, breakpoint, [nodes[i] for i in led_to], frame)
                    if stops:
                        result.nodes += [i for i in led_to if i not in result.nodes]
                        self._note(result, path, line, [nodes[i] for i in led_to], graph, indices)
            first += len(graph.nodes)
        result.nodes.sort()
        return result

    def _note(
        self,
        result: Hits,
        path: str,
        line: int,
        nodes: Sequence[Node],
        graph: Graph,
        indices: Sequence[int],
    ) -> None:
        source = next((node.source for node in nodes if node.source), None)
        function = source.function if source and (source.path, source.line) == (path, line) else ""
        result.lines.append(Source(path, line, function))
        names = [node.name for node in nodes]
        shown = ", ".join(names[:NAMES_LIMIT]) + (" ..." if len(names) > NAMES_LIMIT else "")
        result.parts.append(f"{shown or 'what it calls'} (line {line})")
        dead = [graph.nodes[i].name for i in indices if i in graph.unused]
        if dead and graph.maker not in _EVERYTHING:
            result.parts.append(UNUSED.format(", ".join(dead[:NAMES_LIMIT]), graph.maker))

    def _stops(
        self, path: str, breakpoint: Any, nodes: Sequence[Node], frame: FrameType | None
    ) -> bool:
        runtime = self._runtime
        names: Mapping[str, Any] = {}
        scope: dict[str, Any] = {}
        if breakpoint.condition or breakpoint.log_message:
            node = nodes[0].name if nodes else ""
            names = {"node": node, "iteration": 0, "phase": "graph"}
            scope = _globals(path, frame)
        if not runtime.breakpoints.hit(path, breakpoint, names, scope):
            return False
        if breakpoint.log_message:
            text = runtime.breakpoints.log_text(breakpoint, names, scope)
            runtime.log(text, Source(path, breakpoint.line))
            return False
        return True

    def _text(self, what: str, hits: Hits, graphs: Sequence[Graph]) -> str:
        parts = "; ".join(dict.fromkeys(hits.parts))
        fused = any(graph.maker == "inductor" for graph in graphs)
        return f"{what} {parts}; {FUSED if fused else UNSEEN}"


def _broken(code: CodeType) -> bool:
    return code.co_name.startswith("torch_dynamo_resume_in_")


def _globals(path: str, frame: FrameType | None) -> dict[str, Any]:
    if frame is not None and absolute(frame.f_code.co_filename) == path:
        return frame.f_globals
    return module_globals(path)
