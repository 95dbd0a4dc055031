"""Steps of which nothing but their times and losses is told: what a thread does for them, and no more.

Each of the hooks asks here first. Where anything is out of the usual they go the way of all steps, which
comes to the same.
"""

from __future__ import annotations

from types import CodeType, FrameType
from typing import TYPE_CHECKING, Any

import torch

from graphdebug.protocol.model import Source
from graphdebug.runtime.backends.torch import finite
from graphdebug.runtime.backends.torch.positions import position
from graphdebug.runtime.frames import source_at

if TYPE_CHECKING:
    from graphdebug.runtime.backends.torch.trail import Trail

STEPS = 1
"""The level, as ``trail`` has it."""


class PlainSteps:
    """One thread's, which alone calls it. It is the run of the engine, too, as ``backward`` has one."""

    __slots__ = ("_backend", "_index", "_kind", "_told_loss", "_trail", "_where")

    def __init__(self, trail: Trail) -> None:
        self._trail, self._backend = trail, trail.backend
        self._index = -1
        """The last step's; below 0 where it wasn't told here."""
        self._kind: type | None = None
        self._where: tuple[CodeType | None, int, int, Source | None] = (None, 0, 0, None)
        """The user's position at its end, how many frames away that was, and its source."""
        self._told_loss = False

    def usual(self) -> bool:
        """Whether nothing but times and losses of steps is wanted, and nothing else is under way."""
        trail = self._trail
        return (
            trail.level == STEPS
            and trail.wanted == STEPS
            and trail.pending is None
            and trail.watches is None
            and trail.aside is None
            and not (trail.on or trail.interrupted or trail.standing)
        )

    def enter(self, outputs: Any) -> bool:
        """The engine is called, on these tensors; False where that has to be looked into."""
        trail = self._trail
        if not self._backend.optimizers:
            return False
        if not trail.in_backward and len(outputs) == 1 and isinstance(outputs[0], torch.Tensor):
            trail.loss = finite.number(outputs[0])
        trail.in_backward += 1
        return True

    def end(self, result: Any = None, failed: bool = False) -> None:
        """The engine is done."""
        trail = self._trail
        trail.in_backward = max(0, trail.in_backward - 1)
        if not (failed or trail.in_backward):
            self._backend.backward_passes += 1

    def close(self, optimizer: Any, frame: FrameType, now: int) -> None:
        """An optimizer's step, called by ``frame``, is over, and the program's step with it."""
        trail, kind = self._trail, type(optimizer)
        code, lasti, hops = position(frame)
        known_code, known_lasti, _, source = self._where
        loss, trail.loss = trail.loss, None
        took, trail._started = now - trail._started, now
        trail.steps += 1
        if (
            code is known_code
            and lasti == known_lasti
            and kind is self._kind
            and (loss is not None) is self._told_loss
        ):
            self._index = self._backend.runtime.recorder.again(self._index, took, loss)
            if self._index >= 0:
                return
        source = None if code is None else source_at(code, lasti)
        self._where, self._kind, self._told_loss = (
            (code, lasti, hops, source),
            kind,
            loss is not None,
        )
        name = f"{kind.__name__}.step"
        self._index = self._backend.runtime.recorder.step(
            kind="eager",
            framework="torch",
            name=name,
            source=source,
            duration_ns=took,
            graph=None,
            forward_nodes=0,
            backward_nodes=0,
            devices=(),
            loss=loss,
        )
        trail.closed = name, source
        self._backend.tiers.begin()
