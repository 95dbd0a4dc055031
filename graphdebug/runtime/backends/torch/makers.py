"""Which operations made the autograd Nodes of a step, and on which lines."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from graphdebug.protocol.model import Source
from graphdebug.runtime.backends.torch.positions import USER_FILES
from graphdebug.runtime.backends.torch.records import Event, Executed, NodeFacts, Op, Pass
from graphdebug.runtime.frames import source_at


class Maker(NamedTuple):
    """What made a Node: an operation, or another Node, whose line is that of its own maker."""

    name: str
    source: Source | None
    """The user's line."""


class Makers:
    """The makers of all Nodes that the events of a step made so far.

    Nodes are known by their sequence number, counted from the step's first. What is made within
    something is made by the innermost of both.
    """

    def __init__(self, path: Iterable[Event]) -> None:
        self.all: list[Maker] = []
        """Each operation and each Node that ran, in order."""
        self._index: dict[int, int] = {}
        self._ops: list[Op] = []
        for event in path:
            if isinstance(event, Op):
                source = source_at(event.code, event.lasti) if event.code is not None else None
                self._ops.append(event)
                self._add(event, Maker(event.name, source))
            elif isinstance(event, Pass):
                for executed in event.executed:
                    found = self.of(executed)
                    self._add(executed, Maker(executed.name, found.source if found else None))

    def _add(self, event: Op | Executed, maker: Maker) -> None:
        for seq in range(event.seq_from, event.seq_to):
            self._index[seq] = len(self.all)
        self.all.append(maker)

    def index(self, seq: int) -> int | None:
        """Which of ``all`` made a Node."""
        return self._index.get(seq)

    def of(self, node: NodeFacts | Executed) -> Maker | None:
        """What made a Node."""
        index = self._index.get(node.seq)
        if index is not None:
            return self.all[index]
        return self._custom(node) if node.forward_code is not None else None

    def _custom(self, node: NodeFacts | Executed) -> Maker | None:
        """The call of a custom Function: on the line around its ``forward``.

        Its Node is made before ``forward`` runs, and no operation of its own is seen, so it is found
        by the first operation within.
        """
        op = next((op for op in self._ops if op.seq_from > node.seq), None)
        codes = [code for code, _ in op.around] if op is not None else []
        if op is None or node.forward_code not in codes:
            return None
        outside = op.around[: codes.index(node.forward_code)]
        callers = [at for at in outside if USER_FILES[at[0].co_filename]]
        return Maker("apply", source_at(*callers[-1])) if callers else None


def makers_of(nodes: Sequence[NodeFacts], path: Iterable[Event]) -> tuple[Maker | None, ...]:
    """What made each of these, as far as the events of its step so far tell."""
    makers = Makers(path)
    return tuple(makers.of(node) for node in nodes)
