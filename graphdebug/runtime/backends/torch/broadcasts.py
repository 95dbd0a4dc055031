"""Finds the loss that compares each prediction with every target: (N, 1) against (N,) makes (N, N).

Told only where a difference, a product or a loss function broadcasts these two shapes to N rows of N,
where autograd follows one of the two and not the other, as with predictions and targets, where the line
doesn't spell an outer product out (``a[:, None] * b``, ``unsqueeze``), and where all of it ends in one
number that ``backward`` is called on, and meets no data that is N rows of N itself. Operations that were
seen before are not looked at again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from graphdebug.runtime.backends.torch.records import Op
from graphdebug.runtime.backends.torch.troubles import at
from graphdebug.runtime.frames import source_at

if TYPE_CHECKING:
    from graphdebug.runtime.backends.torch.trail import Trail

_PAIRING = frozenset(
    {"__sub__", "__rsub__", "sub", "rsub", "subtract", "__mul__", "__rmul__", "mul", "multiply"}
)
_LOSSES = frozenset({"mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss"})
_SPELLING = frozenset({"__getitem__", "unsqueeze", "view", "reshape", "expand_dims"})
_NEAR = 6
"""How many operations back the same line may spell it out."""


class Broadcasts:
    """One thread's."""

    def __init__(self, trail: Trail) -> None:
        self._trail = trail
        self._suspects: list[Op] = []
        self._told: set[object] = set()

    def look(self, op: Op) -> None:
        """An operation ran that wasn't seen before."""
        if (op.name not in _PAIRING and op.name not in _LOSSES) or len(op.inputs) != 2:
            return
        sizes = sorted((item.shape for item in op.inputs), key=len)
        count = sizes[0][0] if len(sizes[0]) == 1 else 0
        if count < 2 or sizes[1] != (count, 1) or not op.outputs:
            return
        one_follows = sum(item.requires_grad for item in op.inputs) == 1
        whole = (count, count) if op.name in _PAIRING else ()
        if one_follows and op.outputs[0].shape in (whole, (count, count)) and not _spelt(op, count):
            self._suspects.append(op)

    def entered(self) -> None:
        """Backward is called."""
        suspects, self._suspects = self._suspects, []
        if not suspects:
            return
        ops = [event for event in self._trail.at.path() if isinstance(event, Op)]
        for op in suspects:
            count = max(op.inputs[0].shape)
            ends = op.outputs[0].shape == () or any(
                later.depth > op.depth
                and any(item.shape == (count, count) for item in later.inputs)
                and bool(later.outputs)
                and later.outputs[0].shape == ()
                for later in ops
            )
            meets = any(later.depth > op.depth and _meets(later, count) for later in ops)
            if ends and not meets and (op.code, op.lasti) not in self._told:
                self._told.add((op.code, op.lasti))
                self._tell(op, count)

    def over(self) -> None:
        """The step is over."""
        self._suspects.clear()

    def _tell(self, op: Op, count: int) -> None:
        source = source_at(op.code, op.lasti) if op.code is not None else None
        first, second = (item.shape for item in op.inputs)
        self._trail.backend.runtime.recorder.alert(
            "shape",
            f"{op.name}{at(source)} in the loss pairs {first} with {second} to ({count}, {count}): each "
            "prediction with every target. Make the shapes equal, as with squeeze(1) or unsqueeze(1)",
            source=source,
        )


def _meets(op: Op, count: int) -> bool:
    """Whether it takes N rows of N of the program's together with some that autograd follows."""
    squares = [item.requires_grad for item in op.inputs if item.shape == (count, count)]
    return True in squares and False in squares


def _spelt(op: Op, count: int) -> bool:
    """Whether the line made one of the two shapes itself."""
    line = source_at(op.code, op.lasti).line if op.code is not None else 0
    event = op.parent
    for _ in range(_NEAR):
        if not isinstance(event, Op) or event.code is None:
            return False
        same = event.code is op.code and source_at(event.code, event.lasti).line == line
        if (
            same
            and event.name in _SPELLING
            and (count, 1) in (item.shape for item in event.outputs)
        ):
            return True
        event = event.parent
    return False
