"""What a thread ran last: its open step so far and the steps before, to walk back through at a stop.

Nothing is kept for it but the events that later steps are recognised by (``records``) and, with
``capture: "values"``, numbers; no tensor, no Node and no frame.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import torch

from graphdebug.protocol.model import Tensor
from graphdebug.runtime.backends.torch.description import describe
from graphdebug.runtime.backends.torch.records import Event, Op, Pass
from graphdebug.runtime.backends.torch.tensors import quiet
from graphdebug.runtime.past import Part, Past, numbers

if TYPE_CHECKING:
    from graphdebug.runtime.backends.torch.trail import Trail

NOTHING_YET = (
    "nothing is recorded of this thread yet: of the first, operations are, of another from its first "
    "backward pass or optimizer step on"
)


class Ended(NamedTuple):
    """A step that is over."""

    step: int
    """Its index within this process."""
    graph: int
    """The number of its description, which was sent."""
    last: Event
    """What it ended with."""
    values: list[Any] | None
    """What was kept of its values."""


def past_of(trail: Trail) -> Past:
    """The record of a thread up to its stop; called in the stopped thread."""
    runtime = trail.backend.runtime
    parts: list[Part] = [
        (item.step, item.graph, describe(item.last, item.values)) for item in trail.ended
    ]
    last = _before_open_pass(trail)
    if last.parent is not None and not trail.partial:
        nodes = describe(last, trail.values or None)
        parts.append((None, runtime.recorder.graph(None, lambda: nodes), nodes))
    return Past(runtime, parts, _value)


def _before_open_pass(trail: Trail) -> Event:
    """The last event that is over: which nodes of an open backward pass ran isn't known before its end."""
    event = last = trail.at
    while trail.in_backward and event.parent is not None:
        if isinstance(event, Pass):
            last = event.parent
        elif not isinstance(event, Op) or event.phase != "backward":
            break
        event = event.parent
    return last


def _value(tensor: Tensor) -> Any:
    """A tensor with the value that was kept."""
    with quiet():
        return torch.tensor(numbers(tensor.value), dtype=getattr(torch, tensor.dtype))
