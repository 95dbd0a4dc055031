"""What a run of a session was asked for, and what it depends on."""

from __future__ import annotations

from typing import Any, NamedTuple

from graphdebug.runtime.backends.tensorflow.sources import body_of, called


class Wanted(NamedTuple):
    """What a run of the session was asked for, by names."""

    version: int
    """Of the graph: it changes as operations are added."""
    fetches: tuple[str, ...]
    targets: tuple[str, ...]
    feeds: tuple[str, ...]


class Reachable(NamedTuple):
    """What a run depends on."""

    operations: set[str]
    functions: set[str]
    """Which those operations call."""
    fed: set[str]
    """Operations in whose place values are fed."""


def reachable(graph: Any, wanted: Wanted) -> Reachable:
    """All that what is wanted depends on, by name."""
    fed = set(wanted.feeds)
    waiting = [name.rpartition(":")[0] for name in wanted.fetches if name not in fed]
    waiting += wanted.targets
    found = Reachable(set(), set(), {name.rpartition(":")[0] for name in fed})
    while waiting:
        name = waiting.pop()
        if name in found.operations:
            continue
        found.operations.add(name)
        operation = graph.get_operation_by_name(name)
        waiting += [item.op.name for item in operation.inputs if item.name not in fed]
        waiting += [item.name for item in operation.control_inputs]
        _called(graph, operation, found.functions)
    return found


def _called(graph: Any, operation: Any, found: set[str]) -> None:
    for name in called(operation):
        if name not in found:
            found.add(name)
            body = body_of(graph, name)
            for inner in body.get_operations() if body is not None else ():
                _called(graph, inner, found)
