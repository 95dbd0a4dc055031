"""Which nodes of a graph breakpoints on nodes by name are on, and what is told of that."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from graphdebug.protocol.model import Node
from graphdebug.protocol.runtime import NodeBreakpoint
from graphdebug.runtime.backends.tensorflow.partitions import Executable, is_machinery
from graphdebug.runtime.backends.tensorflow.sources import Origin, find

if TYPE_CHECKING:
    from graphdebug.runtime.node_breakpoints import NodeBreakpoints
    from graphdebug.runtime.runtime import Runtime

NAMES_LIMIT = 3
"""Nodes that a message names."""

BOUNDARY = (
    "it is on {} of the graph that {} runs, which stops where that is called, once it is over"
)
NODE = "it stops inside of the running graph that {1} runs, at {0}"
NONE = "no node that a line of yours made in the graph that {} runs has such a name or operation{}"
REMOVED = "TensorFlow's optimizer left nothing of {} of the graph that {} runs"

Named = Mapping[str, tuple[NodeBreakpoint, ...]]
"""The breakpoints that are on a node, by the node's name when it runs."""


@dataclass
class Matches:
    """What the breakpoints on nodes by name are on, in one graph that is executed."""

    nodes: dict[str, tuple[NodeBreakpoint, ...]] = field(default_factory=dict)
    """As ``Named``."""
    removed: dict[str, tuple[NodeBreakpoint, ...]] = field(default_factory=dict)
    """The same of operations that nothing is left of, by the name that they were built with."""
    known: set[str] = field(default_factory=set)
    """All names and operations that there are."""

    @property
    def stops(self) -> bool:
        """Whether a run stops in any case."""
        return any(
            not (item.condition or item.hit_condition)
            for found in self.nodes.values()
            for item in found
        )

    @property
    def looks(self) -> bool:
        """Whether one of them has a condition, which may ask for values."""
        return any(item.condition for found in self.nodes.values() for item in found)


def matches(
    graph: Any,
    executable: Executable,
    breakpoints: NodeBreakpoints,
    reached: Iterable[Origin],
) -> Matches:
    """Those among the nodes that became of operations, which lines of the user's built."""
    found = Matches()
    for origin in reached:
        operation = find(graph, origin)
        if operation is None:
            continue
        found.known.update((operation.name, operation.type))
        left = False
        for node in executable.origins.get(origin, ()):
            if is_machinery(executable, node) or not executable.stands_for(node, operation.type):
                continue
            names = executable.names.get(node, node), executable.nodes[node].op
            left = left or names[1] != "NoOp"
            found.known.update(names)
            on = breakpoints.matching(*names, operation.type, operation.name)
            if on:
                found.nodes[node] = on
        if not left and (on := breakpoints.matching(operation.name, operation.type)):
            found.removed[operation.name] = on
    return found


def of_nodes(nodes: Iterable[Node], breakpoints: NodeBreakpoints) -> Matches:
    """Those among nodes of a graph as it was built."""
    found = Matches()
    for node in nodes:
        if node.source is not None:
            found.known.update((node.name, node.op_type))
            on = breakpoints.matching(node.name, node.op_type)
            if on:
                found.nodes[node.name] = on
    return found


def tell(runtime: Runtime, found: Matches, held: Collection[str], what: str, why: str = "") -> None:
    """Tell what each breakpoint does in a graph that ``what`` runs.

    ``held``: nodes at which it stops inside of the running graph; ``why`` the others aren't held.
    """
    breakpoints = runtime.node_breakpoints
    for item in breakpoints.all:
        inside = [node for node, on in found.nodes.items() if item in on and node in held]
        others = [node for node, on in found.nodes.items() if item in on and node not in held]
        gone = [name for name, on in found.removed.items() if item in on]
        if inside:
            breakpoints.bind(item, "node", NODE.format(_listed(inside), what))
        elif others:
            reason = BOUNDARY.format(_listed(others), what)
            breakpoints.bind(item, "boundary", f"{reason}; {why}" if why else reason)
        elif gone:
            breakpoints.bind(item, "never", REMOVED.format(_listed(gone), what))
        else:
            near = difflib.get_close_matches(item.pattern, sorted(found.known), NAMES_LIMIT, 0.7)
            more = f"; there are {', '.join(near)}" if near else ""
            breakpoints.bind(item, "never", NONE.format(what, more))


def parts(
    stopped: Mapping[int, Sequence[str]], breakpoints: NodeBreakpoints, once: bool
) -> Iterator[str]:
    """What a stop says of the executions that breakpoints stop at: by number, the names of the nodes."""
    for item in breakpoints.all:
        if names := stopped.get(item.id):
            count = len(names)
            many = "" if once else f"{count} execution{'s' * (count != 1)} of "
            yield f"{many}{_named(names)} (node:{item.pattern})"


def _listed(names: Sequence[str]) -> str:
    count = len(dict.fromkeys(names))
    return f"{count} node{'s' * (count != 1)} ({_named(names)})"


def _named(names: Sequence[str]) -> str:
    distinct = list(dict.fromkeys(names))
    more = " ..." if len(distinct) > NAMES_LIMIT else ""
    return ", ".join(distinct[:NAMES_LIMIT]) + more
