"""What distinguishes one run of a session from another, and what is known about each."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from graphdebug.protocol.model import VALUE_LIMIT
from graphdebug.protocol.runtime import Breakpoint
from graphdebug.runtime.backends.tensorflow import budget, named, partitions
from graphdebug.runtime.backends.tensorflow.assignments import Names, variables
from graphdebug.runtime.backends.tensorflow.callees import reaches_python
from graphdebug.runtime.backends.tensorflow.named import Matches
from graphdebug.runtime.backends.tensorflow.partitions import Executable
from graphdebug.runtime.backends.tensorflow.reachable import Reachable, Wanted, reachable
from graphdebug.runtime.backends.tensorflow.record import PASSED_ON, Execution, large
from graphdebug.runtime.backends.tensorflow.samples import Samples
from graphdebug.runtime.backends.tensorflow.sources import (
    GraphLines,
    Origin,
    find,
)
from graphdebug.runtime.backends.tensorflow.watches import VALUES, Dumps, Slot, Watch

if TYPE_CHECKING:
    from graphdebug.runtime.runtime import Runtime

SIGNATURES_LIMIT = 256
"""Signatures remembered for each session."""

Line = tuple[str, int]


Shapes = tuple[tuple[Any, ...], ...]
"""Shape and dtype of each feed."""


@dataclass
class Selection:
    """Which nodes of a signature the breakpoints ask about."""

    lines: dict[Line, list[Origin]] = field(default_factory=dict)
    """Lines with breakpoints, and what they built for this run."""
    removed: dict[Line, list[Origin]] = field(default_factory=dict)
    """Those of them that TensorFlow's optimizer left nothing of: they never stop."""
    nodes: set[str] = field(default_factory=set)
    """What those lines became."""
    names: dict[Line, Names] = field(default_factory=dict)
    """The variables that those lines assign."""
    slots: set[Slot] = field(default_factory=set)
    """Their outputs to watch, whatever the size."""
    looks: bool = False
    """Whether one of the breakpoints has an expression, which may ask for values."""
    stops: bool = False
    """Whether one of the breakpoints stops in any case, so that the whole run is worth recording."""
    without_values: str = ""
    """Why nothing can be watched; empty where it can."""
    by_name: Matches = field(default_factory=Matches)
    """What breakpoints on nodes by name are on."""
    told: bool = False
    """Whether that was told."""

    @property
    def asked(self) -> bool:
        """Whether any breakpoint asks about it."""
        return bool(self.lines or self.by_name.nodes)


class Outside(NamedTuple):
    """Which outputs of a run are known from outside of it."""

    others: frozenset[Slot]
    """The rest of those that were asked about."""
    fed: Mapping[Slot, int]
    """And where they stand among the feeds."""
    fetched: Mapping[Slot, int]
    """And where they stand in the results."""


class Signature:
    """One of a session's: its executable graph, its breakpoints, its watches."""

    _numbers = itertools.count()

    def __init__(self, wanted: Wanted) -> None:
        self.wanted = wanted
        self.number = next(self._numbers)
        self.lock = threading.Lock()
        self.samples = Samples()
        self._watchable: frozenset[Slot] | None = None
        self._candidates: list[budget.Candidate] | None = None
        self._chosen: dict[tuple[Shapes, int], frozenset[Slot]] = {}
        self._ran: dict[Shapes, budget.Ran] = {}
        self._large: set[Slot] = set()
        self._selection: tuple[Any, Selection] = (None, Selection())
        self.unasked: tuple[int, int] | None = None
        """The breakpoints when they were found not to ask about it."""
        self.told: Executable | None = None
        """What TensorFlow told beside a run that it executed."""
        self._executable: Executable | None = None
        self._problem: str | None = None
        self._watches: dict[tuple[frozenset[Slot], str], list[Watch]] = {}
        self._outside: dict[frozenset[Slot], Outside] = {}
        self._reachable: Reachable | None = None
        self._calls_python: bool | None = None

    def selection(
        self, session: Any, lines: GraphLines, runtime: Runtime, dumps: Dumps
    ) -> Selection:
        """What the breakpoints ask about; worked out once for each change of them."""
        version = runtime.breakpoints.version, runtime.node_breakpoints.version
        with self.lock:
            if self._selection[0] != version:
                found = self._select(session, lines, runtime, dumps)
                self._selection = version, found
                self.unasked = None if found.asked else version
            return self._selection[1]

    def outside(self, slots: frozenset[Slot]) -> Outside:
        """Of the outputs that are to be watched, what is known without that."""
        known = self._outside.get(slots)
        if known is None:
            fed, fetched = self._places(self.wanted.feeds), self._places(self.wanted.fetches)
            fed = {slot: at for slot, at in fed.items() if slot in slots}
            fetched = {slot: at for slot, at in fetched.items() if slot in slots}
            known = Outside(slots - fed.keys() - fetched.keys(), fed, fetched)
            if len(self._outside) >= SIGNATURES_LIMIT:
                self._outside.clear()
            self._outside[slots] = known
        return known

    def _places(self, names: Sequence[str]) -> dict[Slot, int]:
        """The nodes that have these as their output, and where each stands among them."""
        found, known = {}, self.executed
        for position, name in enumerate(names):
            operation, _, slot = name.rpartition(":")
            nodes = known.origins.get(("", operation), ())
            if len(nodes) == 1 and known.nodes[nodes[0]].op not in ("_Retval", "_Send"):
                found[nodes[0], int(slot)] = position
        return found

    def calls_python(self, graph: Any) -> bool:
        """Whether Python of the user's may run while it does."""
        if self._calls_python is None:
            names = self._reached(graph).operations
            operations = [graph.get_operation_by_name(name) for name in names]
            self._calls_python = reaches_python(graph, operations)
        return self._calls_python

    def executable(self, session: Any, dumps: Dumps) -> Executable:
        """What TensorFlow executes for it; empty where it doesn't tell."""
        if self._executable is None:
            try:
                self._executable = partitions.plan(
                    session,
                    self.wanted.fetches,
                    self.wanted.targets,
                    self.wanted.feeds,
                    dumps.directory(),
                )
            except partitions.Untold as error:
                self._executable = Executable()
                self._problem = str(error)
        return self._executable

    @property
    def executed(self) -> Executable:
        """The same, where it was asked for before."""
        return self._executable or Executable()

    def small(self, session: Any, dumps: Dumps) -> frozenset[Slot]:
        """Outputs whose values may travel; which ones are too large the first run tells."""
        with self.lock:
            if self._watchable is None:
                known = self.executable(session, dumps)
                unwatchable = self.why_unwatchable(session, dumps)
                self._watchable = frozenset(
                    slot
                    for origin in (() if unwatchable else known.origins)
                    for slot, size in watchable(session.graph, origin, known)
                    if size is None or size <= VALUE_LIMIT
                )
            return self._watchable - self._large

    def watched(
        self, graph: Any, selection: Selection, shapes: Shapes, limit: int
    ) -> frozenset[Slot]:
        """What to watch for breakpoints; of the whole run, nodes that run ``limit`` times at most."""
        if not selection.stops or selection.without_values:
            return frozenset(selection.slots)
        with self.lock:
            key = shapes, limit
            if key not in self._chosen:
                if self._candidates is None:
                    self._candidates = list(candidates(graph, self.executed))
                known = self._ran.get(shapes, {})
                chosen = budget.chosen(self._candidates, known, limit)
                of = self.executed.reshapes
                # Each output takes TensorFlow as long to write, whatever is in it.
                self._chosen[key] = frozenset(slot for slot in chosen if of.get(slot) not in chosen)
            return self._chosen[key] | selection.slots

    def may_run_long(self, selection: Selection, shapes: Shapes) -> bool:
        """Whether a run that is recorded whole has loops that nobody saw run."""
        known = self._executable
        return (
            selection.stops and shapes not in self._ran and known is not None and bool(known.nests)
        )

    def saw(self, shapes: Shapes, found: Sequence[Execution]) -> None:
        """A run tells how large its outputs are, and how often its nodes ran."""
        self._large |= large(found)
        if shapes not in self._ran:
            self._ran[shapes] = budget.ran(found)
            self._chosen.clear()

    def knows(self, shapes: Shapes) -> bool:
        """Whether a run with such feeds was seen."""
        return shapes in self._ran

    def why_unwatchable(self, session: Any, dumps: Dumps) -> str:
        """Why no run of it may be watched; empty where runs may."""
        known = self.executable(session, dumps)
        if self._problem is None:
            self._problem = partitions.why_unwatchable(known, session.graph)
        return self._problem

    def borrow(self, slots: Iterable[Slot], dumps: Dumps, operation: str = VALUES) -> Watch:
        """A watch for one run; give it back with ``release``."""
        with self.lock:
            free = self._watches.setdefault((frozenset(slots), operation), [])
            return free.pop() if free else Watch(slots, dumps.directory(), operation)

    def release(self, slots: Iterable[Slot], watch: Watch, operation: str = VALUES) -> None:
        """Its run is over."""
        with self.lock:
            self._watches.setdefault((frozenset(slots), operation), []).append(watch)

    def _select(self, session: Any, lines: GraphLines, runtime: Runtime, dumps: Dumps) -> Selection:
        graph, breakpoints = session.graph, runtime.breakpoints.files
        lines.update(graph)
        found = Selection()
        for path, file in breakpoints.items():
            for line in file:
                origins = [
                    origin
                    for origin in lines.built_at(graph, path, line)
                    if self._reaches(graph, origin)
                ]
                if origins:
                    found.lines[path, line] = origins
        if not (found.lines or runtime.node_breakpoints):
            return found
        executable = self.executable(session, dumps)
        found.without_values = self.why_unwatchable(session, dumps)
        self._select_lines(found, graph, executable, breakpoints)
        if runtime.node_breakpoints:
            by_name = self.by_name(graph, lines, executable, runtime)
            self._select_named(found, graph, executable, by_name)
        return found

    def by_name(
        self, graph: Any, lines: GraphLines, executable: Executable, runtime: Runtime
    ) -> Matches:
        """What breakpoints on nodes by name are on."""
        reached = [origin for origin in lines.origins if self._reaches(graph, origin)]
        return named.matches(graph, executable, runtime.node_breakpoints, reached)

    def _select_lines(
        self,
        found: Selection,
        graph: Any,
        executable: Executable,
        breakpoints: Mapping[str, Mapping[int, Breakpoint]],
    ) -> None:
        for line_of, origins in found.lines.items():
            for origin in origins:
                found.nodes.update(executable.origins.get(origin, ()))
            left = any(origin in executable.origins for origin in origins)
            if executable.nodes and not executable.opaque and not left:
                found.removed[line_of] = origins
            if not found.without_values:
                for origin in origins:
                    found.slots.update(slot for slot, _ in watchable(graph, origin, executable))
            found.names[line_of] = variables(graph, *line_of, origins)
            asked = breakpoints[line_of[0]][line_of[1]]
            if left and not (asked.condition or asked.hit_condition or asked.log_message):
                found.stops = True
            found.looks = found.looks or bool(asked.condition or asked.log_message)

    def _select_named(
        self, found: Selection, graph: Any, executable: Executable, by_name: Matches
    ) -> None:
        found.by_name = by_name
        found.nodes.update(by_name.nodes)
        found.stops = found.stops or by_name.stops
        found.looks = found.looks or by_name.looks
        for node in () if found.without_values else by_name.nodes:
            origin = executable.origin[node]
            slots = (slot for slot, _ in watchable(graph, origin, executable))
            found.slots.update(slot for slot in slots if slot[0] == node)

    def _reached(self, graph: Any) -> Reachable:
        if self._reachable is None:
            self._reachable = reachable(graph, self.wanted)
        return self._reachable

    def _reaches(self, graph: Any, origin: Origin) -> bool:
        reached, (function, name) = self._reached(graph), origin
        if function:
            return function in reached.functions
        return name in reached.operations or name in reached.fed


def watchable(
    graph: Any, origin: Origin, executable: Executable
) -> Iterator[tuple[Slot, int | None]]:
    """The outputs that TensorFlow's debugger can record, and their sizes where the graph says."""
    from tensorflow.python.framework import dtypes

    operation = find(graph, origin)
    if operation is None:
        return
    for node in executable.origins.get(origin, ()):
        if not executable.stands_for(node, operation.type):
            continue
        same = executable.same(node, operation.type)
        for slot, output in enumerate(operation.outputs if same else operation.outputs[:1]):
            # TensorFlow dies of a watch on a variable of the old kind that isn't initialised yet.
            if not (
                output.dtype._is_ref_dtype or output.dtype in (dtypes.resource, dtypes.variant)
            ):
                yield (node, slot), output.shape.num_elements()


def candidates(graph: Any, executable: Executable) -> Iterator[budget.Candidate]:
    """What else can be recorded of a run: what nodes make, rather than what they pass on."""
    for origin in executable.origins:
        operation = find(graph, origin)
        if operation is None or operation.type in PASSED_ON:
            continue
        for slot, elements in watchable(graph, origin, executable):
            if executable.nodes[slot[0]].op == "Const":
                continue  # the graph says what it is
            size = (
                None
                if elements is None
                else elements * (operation.outputs[slot[1]].dtype.size or 0)
            )
            yield budget.Candidate(slot, size, slot[0] in executable.nests)
