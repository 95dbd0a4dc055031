"""What a thread's open step waits for: the end of a compiled call, and what follows a backward pass."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import CodeType, FrameType
from typing import NamedTuple

from graphdebug.protocol.model import Source
from graphdebug.runtime.backends.torch.graphs import Graph
from graphdebug.runtime.backends.torch.positions import Place


class Pending(NamedTuple):
    """A backward pass that no optimizer follows: the step ends when the program comes round."""

    name: str
    source: Source | None
    place: Place
    seq: int
    differentiated: bool
    """Whether its gradients are going to be differentiated, so that the forward pass goes on."""


@dataclass
class Aside:
    """A compiled call under way, which nothing of ours may be in the way of."""

    frame: FrameType | None
    """Torch's, which switched dynamo on, and will switch it off."""
    name: str
    entry: CodeType | None
    """The code of the function that was called."""
    seq: int
    start: int
    handling: BaseException | None = None
    """What the program was handling when it called; another one at the end means that it failed."""
    ran: list[Graph] = field(default_factory=list)
    """The graphs that ran, in order."""
    out: bool = False
    """Whether we are out of the way; not while a function runs that dynamo leaves alone."""
    taken_out: bool = False
    """Whether the mode was on."""
