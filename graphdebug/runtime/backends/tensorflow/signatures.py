"""What distinguishes one run of a session from another, and what is known about each."""

from __future__ import annotations

import itertools
import threading
import weakref
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from graphdebug.protocol.runtime import Breakpoint
from graphdebug.runtime.backends.tensorflow import partitions
from graphdebug.runtime.backends.tensorflow.partitions import Executable
from graphdebug.runtime.backends.tensorflow.sources import (
    GraphLines,
    Origin,
    body_of,
    called,
    find,
)
from graphdebug.runtime.backends.tensorflow.watches import Dumps, Slot, Watch

SIGNATURES_LIMIT = 256
"""Signatures remembered for each session."""

SMALL = 16

Line = tuple[str, int]


class Wanted(NamedTuple):
    """What a run of the session was asked for, by names."""

    version: int
    """Of the graph: it changes as operations are added."""
    fetches: tuple[str, ...]
    targets: tuple[str, ...]
    feeds: tuple[str, ...]


Shapes = tuple[tuple[Any, ...], ...]
"""Shape and dtype of each feed."""


@dataclass
class Selection:
    """Which nodes of a signature the breakpoints ask about."""

    lines: dict[Line, list[Origin]] = field(default_factory=dict)
    """Lines with breakpoints, and what they built for this run."""
    removed: dict[Line, list[Origin]] = field(default_factory=dict)
    """Those of them that TensorFlow's optimizer left nothing of."""
    slots: set[Slot] = field(default_factory=set)
    """Outputs to watch."""
    without_values: str = ""
    """Why nothing can be watched; empty where it can."""


class Signature:
    """One of a session's: its executable graph, its breakpoints, its watches."""

    def __init__(self, wanted: Wanted) -> None:
        self.wanted = wanted
        self.lock = threading.Lock()
        self.summaries: dict[Shapes, tuple[int, tuple[str, ...]]] = {}
        self.small: frozenset[Slot] = frozenset()
        self._selection: tuple[int, Selection] = (-1, Selection())
        self._executable: Executable | None = None
        self._problem = ""
        self._watches: dict[frozenset[Slot], list[Watch]] = {}
        self._reachable: tuple[set[str], set[str]] | None = None

    def selection(
        self,
        session: Any,
        lines: GraphLines,
        breakpoints: Mapping[str, Mapping[int, Breakpoint]],
        version: int,
        dumps: Dumps,
    ) -> Selection:
        """What these breakpoints ask about; worked out once for each change of them."""
        with self.lock:
            if self._selection[0] != version:
                self._selection = version, self._select(session, lines, breakpoints, dumps)
            return self._selection[1]

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
            except Exception as error:  # the run itself is going to say the same to the user
                self._executable = Executable()
                self._problem = f"TensorFlow didn't tell its executable graph ({error})"
        return self._executable

    def borrow(self, slots: Iterable[Slot], dumps: Dumps) -> Watch:
        """A watch for one run; give it back with ``release``."""
        with self.lock:
            free = self._watches.setdefault(frozenset(slots), [])
            return free.pop() if free else Watch(slots, dumps.directory())

    def release(self, slots: Iterable[Slot], watch: Watch) -> None:
        """Its run is over."""
        watch.clear()
        with self.lock:
            self._watches.setdefault(frozenset(slots), []).append(watch)

    def _select(
        self,
        session: Any,
        lines: GraphLines,
        breakpoints: Mapping[str, Mapping[int, Breakpoint]],
        dumps: Dumps,
    ) -> Selection:
        graph = session.graph
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
        if not found.lines:
            return found
        executable = self.executable(session, dumps)
        found.without_values = self._problem or why_unwatchable(executable)
        for line_of, origins in found.lines.items():
            gone = [origin for origin in origins if origin not in executable.origins]
            if gone and not executable.opaque:
                found.removed[line_of] = gone
            if not found.without_values:
                for origin in origins:
                    found.slots |= watchable(graph, origin, executable)
        return found

    def _reaches(self, graph: Any, origin: Origin) -> bool:
        if self._reachable is None:
            self._reachable = reachable(graph, self.wanted)
        operations, functions = self._reachable
        function, name = origin
        return function in functions if function else name in operations


def why_unwatchable(executable: Executable) -> str:
    """Why a run with watches would not be the same; empty where it would."""
    if executable.keeps_state:
        return (
            f"{executable.keeps_state} keeps a state inside of a function, "
            "which recording its values would change"
        )
    return ""


def watchable(graph: Any, origin: Origin, executable: Executable) -> set[Slot]:
    """The outputs that TensorFlow's debugger can record."""
    from tensorflow.python.framework import dtypes

    operation = find(graph, origin)
    if operation is None:
        return set()
    return {
        (node, slot)
        for node in executable.origins.get(origin, ())
        if executable.nodes[node].op == operation.type
        for slot, output in enumerate(operation.outputs)
        if output.dtype.base_dtype not in (dtypes.resource, dtypes.variant)
    }


def reachable(graph: Any, wanted: Wanted) -> tuple[set[str], set[str]]:
    """Operations, and names of functions, that what is wanted depends on."""
    fed = set(wanted.feeds)
    waiting = [name.rpartition(":")[0] for name in wanted.fetches if name not in fed]
    waiting += wanted.targets
    operations: set[str] = set()
    functions: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name in operations:
            continue
        operations.add(name)
        operation = graph.get_operation_by_name(name)
        waiting += [item.op.name for item in operation.inputs if item.name not in fed]
        waiting += [item.name for item in operation.control_inputs]
        _called(graph, operation, functions)
    return operations, functions


def _called(graph: Any, operation: Any, found: set[str]) -> None:
    for name in called(operation):
        if name not in found:
            found.add(name)
            body = body_of(graph, name)
            for inner in body.get_operations() if body is not None else ():
                _called(graph, inner, found)


class SessionSignatures:
    """Those of one session."""

    _numbers = itertools.count()

    def __init__(self) -> None:
        self.number = next(self._numbers)
        self._lock = threading.Lock()
        self._known: OrderedDict[Wanted, Signature] = OrderedDict()

    def of(self, wanted: Wanted) -> Signature:
        """The one that was asked for so."""
        with self._lock:
            signature = self._known.get(wanted)
            if signature is None:
                signature = self._known[wanted] = Signature(wanted)
                if len(self._known) > SIGNATURES_LIMIT:
                    self._known.popitem(last=False)
            self._known.move_to_end(wanted)
            return signature


class Signatures:
    """Those of every session that is alive."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sessions: weakref.WeakKeyDictionary[Any, SessionSignatures] = (
            weakref.WeakKeyDictionary()
        )

    def of(self, session: Any) -> SessionSignatures:
        """Those of one."""
        with self._lock:
            known = self._sessions.get(session)
            if known is None:
                known = self._sessions[session] = SessionSignatures()
            return known
