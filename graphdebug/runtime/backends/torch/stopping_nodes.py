"""Which Nodes of a backward pass breakpoints are on. Found once for each distinct pass."""

from __future__ import annotations

import functools
from collections import deque
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from graphdebug.runtime.backends.torch.makers import Maker, Makers, makers_of
from graphdebug.runtime.backends.torch.records import Event, NodeFacts, Pass

if TYPE_CHECKING:
    from graphdebug.runtime.runtime import Runtime

PAST_LIMIT = 64
"""How many steps back the Nodes of a pass may have been made."""


class _Step(NamedTuple):
    begin: int
    end: int
    """The thread's sequence numbers when it began and when it was over."""
    last: Event


class Past:
    """The steps of one thread that are over: a later pass may run Nodes that they made."""

    def __init__(self) -> None:
        self._steps: deque[_Step] = deque(maxlen=PAST_LIMIT)

    def add(self, begin: int, end: int, last: Event) -> None:
        """A step is over that ended with ``last``."""
        if end > begin:
            self._steps.append(_Step(begin, end, last))

    def maker(self, node: NodeFacts, seq: int) -> Maker | None:
        """What made a Node with this sequence number of the thread's."""
        for step in reversed(self._steps):
            if step.begin <= seq < step.end:
                return _makers(step.last).of(node._replace(seq=seq - step.begin))
        return None

    def complete(
        self, makers: Sequence[Maker | None], event: Pass, seqs: Sequence[int | None]
    ) -> list[Maker | None]:
        """What made each Node of a pass, those of earlier steps among them.

        ``makers`` is what this step's events tell; ``seqs`` are the thread's sequence numbers of those
        Nodes that earlier steps may have made.
        """
        found = list(makers)
        for at, seq in enumerate(seqs):
            if seq is not None and found[at] is None:
                found[at] = self.maker(event.nodes[at], seq)
        return found


@functools.lru_cache(maxsize=16)
def _makers(last: Event) -> Makers:
    return Makers(last.path())


class Stopping:
    """What of a pass stops, and what each of its Nodes is named after."""

    def __init__(
        self, runtime: Runtime, past: Past, event: Pass, seqs: Sequence[int | None]
    ) -> None:
        """``seqs``: see ``Past.complete``."""
        self._runtime, self._event = runtime, event
        if event.makers is None:
            event.makers = makers_of(event.nodes, event.path())
            event.spots = None
            self._tell(event.makers)
        self.makers: Sequence[Maker | None] = event.makers
        """What made each of its Nodes."""
        self._shared = not any(seq is not None for seq in seqs)
        if not self._shared:
            self.makers = past.complete(event.makers, event, seqs)
            new = zip(self.makers, event.makers, strict=True)
            self._tell([maker for maker, known in new if known is None])

    @property
    def at(self) -> tuple[int, ...]:
        """The Nodes that breakpoints are on now."""
        return self._known() if self._shared else tuple(self._found())

    def of_the_user(self) -> list[int]:
        """The Nodes that lines of the user's made."""
        return [at for at, maker in enumerate(self.makers) if maker and maker.source]

    def _tell(self, makers: Sequence[Maker | None]) -> None:
        if not self._runtime.configuration.backward:
            return
        lines: dict[str, set[int]] = {}
        for maker in makers:
            if maker is not None and maker.source is not None:
                lines.setdefault(maker.source.path, set()).add(maker.source.line)
        for path, found in lines.items():
            self._runtime.recorder.runs_backward(path, found)

    def _known(self) -> tuple[int, ...]:
        runtime = self._runtime
        version = runtime.breakpoints.version, runtime.node_breakpoints.version
        if self._event.spots is None or self._event.spots[0] != version:
            self._event.spots = version, tuple(self._found())
        spots: tuple[int, ...] = self._event.spots[1]
        return spots

    def _found(self) -> Iterator[int]:
        runtime = self._runtime
        lines = runtime.breakpoints if runtime.configuration.backward else None
        named = runtime.node_breakpoints
        for at, (node, maker) in enumerate(zip(self._event.nodes, self.makers, strict=True)):
            source = maker.source if maker is not None else None
            if (
                lines is not None
                and source is not None
                and lines.at(source.path, source.line) is not None
            ) or (named and named.matching(node.name)):
                yield at
