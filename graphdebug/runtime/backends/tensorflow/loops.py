"""Which loops a node of an executed graph runs in, and in which iterations an execution of it was.

TensorFlow's records name no iteration. Where the iterations of loops run one by one, as in runs
that are watched, it follows from the order of executions: an iteration begins with a ``Merge``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

Nest = tuple[str, ...]
"""Names of loops, outermost first."""

_ENTERS = ("Enter", "RefEnter")
_EXITS = ("Exit", "RefExit")
_MERGES = ("Merge", "RefMerge")


def nests(nodes: Mapping[str, Any]) -> dict[str, Nest]:
    """The loops around each node that runs in any; both kinds of control flow end up as these nodes."""
    waiting = [name for name, node in nodes.items() if node.op in _ENTERS]
    if not waiting:
        return {}
    consumers: dict[str, list[str]] = {}
    for name, node in nodes.items():
        for text in node.input:
            consumers.setdefault(text.lstrip("^").partition(":")[0], []).append(name)
    found: dict[str, Nest] = {}
    while waiting:
        name = waiting.pop()
        node, nest = nodes[name], found.get(name, ())
        if node.op in _ENTERS:
            nest = (*nest, node.attr["frame_name"].s.decode())
        elif node.op in _EXITS:
            nest = nest[:-1]
        for consumer in consumers.get(name, ()):
            # All inputs of a node come from one loop; what was found first may lack the outer ones.
            if len(nest) > len(found.get(consumer, ())):
                found[consumer] = nest
                waiting.append(consumer)
    return found


class Iterations:
    """Counts the iterations of one run, whose executions it is told in order of their start."""

    def __init__(self, nodes: Mapping[str, Any], around: Mapping[str, Nest]) -> None:
        self._nodes = nodes
        self._nests = around
        self._now: dict[Nest, tuple[int, ...]] = {}
        self._begun: dict[Nest, tuple[tuple[int, ...], Counter[str]]] = {}

    def of(self, node: str) -> tuple[int, ...]:
        """The iterations that the node's next execution is in, outermost first."""
        nest = self._nests.get(node)
        if nest is None:
            return ()
        if self._nodes[node].op in _MERGES:
            self._merged(node, nest)
        return self._now.get(nest, ())

    def _merged(self, node: str, nest: Nest) -> None:
        outer = self._now.get(nest[:-1], ())
        known = self._begun.get(nest)
        if known is None or known[0] != outer:
            known = self._begun[nest] = outer, Counter()
        counts = known[1]
        counts[node] += 1
        # Each loop variable has a Merge, and a branch within the loop may have others, that run less.
        self._now[nest] = (*outer, max(counts.values()) - 1)
