"""Closes a step that is in all but its time and loss as the one before: what most steps are."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import torch

from graphdebug.protocol.model import Source
from graphdebug.runtime.backends.torch.past import Ended

if TYPE_CHECKING:
    from graphdebug.runtime.backends.torch.trail import Trail

NODES = 2
"""The level, as ``trail`` has it."""

_clock = time.perf_counter_ns
_sequence = torch._C._autograd._get_sequence_nr


def repeat(trail: Trail, source: Source | None) -> bool:
    """Close the open step, if the last one ended as it does, at ``source``; else nothing is done."""
    if not trail.ended or trail.level != NODES or trail.wanted != NODES:
        return False
    at, last, closed = trail.at, trail.ended[-1], trail.closed
    loss = trail.loss
    if (
        last.last is not at
        or closed is None
        or closed[1] is not source
        or trail.partial
        or trail.pending is not None
        or (loss is None) is trail.had_loss
    ):
        return False
    now = _clock()
    index = trail.backend.runtime.recorder.again(last.step, now - trail._started, loss)
    if index < 0:
        return False
    trail.ended.append(Ended(index, last.graph, at, None))
    trail.steps += 1
    trail.watch.over()
    trail.broadcasts.over()
    trail._started = now
    begin, trail.base = trail.base, _sequence()
    trail.stops.past.add(begin, trail.base, at)
    trail.at = trail.root
    trail.place = trail.loop = trail.loss = None
    trail.after_backward = trail.in_body = False
    return True
