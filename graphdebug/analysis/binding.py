"""The answer that this package gives: what a breakpoint on a line does.

Imported by ``analysis`` and ``reasons``; imports nothing of this package.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

BindingKind = Literal["line", "boundary", "node", "never"]


_COMPILED = ("torch.compile",)
"""Constructs whose functions run eagerly under ``staticGraphs: node``."""

_HELD = ("tf.", "keras.")
"""Constructs, by how their names begin, whose nodes are held while they run under it."""

_PASSED = ("tf.data.",)
"""Of those, the ones at whose graph runs the debugger can't stop yet."""


@dataclass(frozen=True)
class Binding:
    """What a breakpoint on one line does."""

    kind: BindingKind
    """``line``: stops as in any Python program; ``boundary``: the line is part of a graph, so it
    stops where Python hands over to that graph; ``never``: nothing ever stops there. ``node`` is
    for those who stop inside a running graph: this package never says it."""
    reason: str
    """One sentence that says why, for a person to read."""
    line: int
    """First line of the statement that the breakpoint lands on; of a lambda, that of its body."""
    construct: str = ""
    """What makes the graph, as users spell it, such as ``tf.while_loop``; empty for plain Python."""
    function: str = ""
    """The function whose code this is, as in ``co_name``; ``<module>`` at the top level."""
    session: bool = False
    """Whether it is a Session that runs the graph, node by node."""
    builds: bool = True
    """Whether Python itself stops there, be it only while the graph is built or traced."""

    @property
    def can_stop_inside(self) -> bool:
        """Whether ``staticGraphs: node`` makes a breakpoint there stop inside the running graph."""
        held = self.construct.startswith(_HELD) and not self.construct.startswith(_PASSED)
        there = self.session or self.construct in _COMPILED or held
        return there and self.kind == "boundary"
