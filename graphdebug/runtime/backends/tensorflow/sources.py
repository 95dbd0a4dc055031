"""Which line of the user's built each operation of a graph, its functions included."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from graphdebug.protocol.model import Source
from graphdebug.runtime.frames import absolute, is_user_file

_PARTS = ("Const", "Switch", "RefSwitch", "Enter", "RefEnter")

_TRACE = "_create_concrete_function"
"""TensorFlow's function that traces the user's."""

Origin = tuple[str, str]
"""A function's name (empty for the graph itself) and an operation's name within it."""


class GraphLines:
    """Operations and lines of one graph.

    Holds names only, never operations, which would keep the graph alive.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._sources: dict[Origin, Source | None] = {}
        self._lines: dict[tuple[str, int], list[Origin]] = {}
        self._seen: dict[str, int] = {}

    def source(self, graph: Any, origin: Origin) -> Source | None:
        """The user's line that built an operation; None where none did."""
        with self._lock:
            if origin not in self._sources:
                operation = find(graph, origin)
                self._sources[origin] = None if operation is None else source_of(operation)
            return self._sources[origin]

    def built_at(self, graph: Any, path: str, line: int) -> list[Origin]:
        """The operations that a line built, in order."""
        with self._lock:
            return self._lines.get((path, line), [])

    @property
    def origins(self) -> list[Origin]:
        """All operations that some line of the user's built."""
        with self._lock:
            return [origin for origins in self._lines.values() for origin in origins]

    def update(self, graph: Any) -> None:
        """Take in the operations that the graph got since the last time."""
        with self._lock:
            self._take(graph, graph, "")

    def _take(self, top: Any, graph: Any, function: str) -> None:
        operations = graph.get_operations()
        first = self._seen.get(function, 0)
        self._seen[function] = len(operations)
        for operation in operations[first:]:
            source = self.source(top, (function, operation.name))
            if source is not None:
                self._lines.setdefault((source.path, source.line), []).append(
                    (function, operation.name)
                )
            for name in called(operation):
                body = body_of(graph, name) or body_of(top, name)
                if body is not None and name not in self._seen:
                    self._take(top, body, name)


class Graphs:
    """The lines of every graph that is alive."""

    def __init__(self) -> None:
        self._lines: weakref.WeakKeyDictionary[Any, GraphLines] = weakref.WeakKeyDictionary()
        self._derived: weakref.WeakKeyDictionary[Any, dict[str, str]] = weakref.WeakKeyDictionary()
        self._lock = threading.Lock()

    def derived(self, graph: Any, names: Iterable[str], forward: str) -> None:
        """A tape built these operations of a graph to differentiate another one of it."""
        self._derived.setdefault(graph, {}).update(dict.fromkeys(names, forward))

    def blamed(self, graph: Any) -> Callable[[Origin], tuple[Source | None, str]]:
        """Tells the line to blame for an operation, and the type of the one that it differentiates."""
        lines = self.lines(graph)

        def blame(origin: Origin) -> tuple[Source | None, str]:
            operation = find(graph, origin)
            if operation is None:
                return lines.source(graph, origin), ""
            forward = operation._original_op
            name = self._derived.get(operation.graph, {}).get(operation.name)
            if name is not None:
                forward = operation.graph.get_operation_by_name(name)
            if forward is None or (source := source_of(forward)) is None:
                return lines.source(graph, origin), ""
            return source, str(forward.type)

        return blame

    def lines(self, graph: Any) -> GraphLines:
        """Those of one."""
        with self._lock:
            lines = self._lines.get(graph)
            if lines is None:
                lines = self._lines[graph] = GraphLines()
            return lines


def find(graph: Any, origin: Origin) -> Any | None:
    """The operation of a graph, or of one of its functions; None where there is none."""
    function, name = origin
    holder = body_of(graph, function) if function else graph
    try:
        return None if holder is None else holder.get_operation_by_name(name)
    except (KeyError, ValueError):
        return None


def body_of(graph: Any, function: str) -> Any | None:
    """The graph of a function that a graph knows; None where Python didn't build it."""
    return getattr(_known(graph, function, set()), "graph", None)


def renamed(graph: Any, function: str) -> dict[str, str]:
    """The operations of a function that are called otherwise in what TensorFlow executes."""
    known = _known(graph, function, set())
    body = getattr(known, "graph", None)
    definition = getattr(known, "cached_definition", None)
    return {} if body is None or definition is None else renamed_in(definition, body)


def renamed_in(definition: Any, body: Any) -> dict[str, str]:
    """The operations of ``body`` that are called otherwise in its FunctionDef: name there to name.

    There an output has the name of the operation that makes it, so the operation gets another.
    """
    return {
        definition.ret[argument.name].partition(":")[0]: output.op.name
        for argument, output in zip(definition.signature.output_arg, body.outputs, strict=False)
    }


def _known(graph: Any, function: str, seen: set[str]) -> Any | None:
    known = graph._get_function(function)
    if known is not None:
        return known
    for name, other in list(graph._functions.items()):
        inner = getattr(other, "graph", None)
        if name not in seen and inner is not None:
            seen.add(name)
            if (found := _known(inner, function, seen)) is not None:
                return found
    return None


def called(operation: Any) -> Iterator[str]:
    """The functions that an operation calls."""
    for name in function_attributes(operation):
        value = operation.get_attr(name)
        for function in value if isinstance(value, list) else (value,):
            yield function.name


_attributes: dict[str, tuple[str, ...]] = {}


def function_attributes(operation: Any) -> tuple[str, ...]:
    """The attributes of an operation that hold functions."""
    kind = operation.type
    if kind not in _attributes:
        _attributes[kind] = tuple(
            item.name for item in operation.op_def.attr if item.type in ("func", "list(func)")
        )
    return _attributes[kind]


def source_of(operation: Any) -> Source | None:
    """The innermost line of the user's that was running when an operation was built.

    What TensorFlow adds for an operation, and names after it, is a part of that and not what a line
    built by itself: a ``Const`` for a literal operand (``while/Add/y``), a ``Switch`` that leads to
    a branch (``cond/Mul/Switch``), which runs for the branch that isn't taken too. Nor did the line
    that calls a compiled function build what its trace adds around the function's own lines.
    """
    if operation.type in _PARTS and _is_part(operation):
        return None
    for frame in reversed(list(operation.traceback or ())):
        if frame.name == _TRACE:
            return None
        if is_user_file(frame.filename):
            return Source(absolute(frame.filename), frame.lineno, frame.name)
    return None


def _is_part(operation: Any) -> bool:
    parent, _, _ = operation.name.rpartition("/")
    try:
        return bool(parent) and operation.graph.get_operation_by_name(parent) is not None
    except (KeyError, ValueError):
        return False
