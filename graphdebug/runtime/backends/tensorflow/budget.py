"""Which outputs of a run that is going to stop are recorded beyond those of the breakpoints' lines.

All of them would cost more than a run may: large ones are left out, and of loops that run long those
of too many executions. Used by whatever decides what to watch, and ``walks``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from graphdebug.runtime.backends.tensorflow.watches import Slot

if TYPE_CHECKING:
    from graphdebug.runtime.backends.tensorflow.record import Execution

OUTPUT_BYTES = 16 << 10
"""What one output of one execution may take."""

RUN_BYTES = 256 << 20
"""What those of one run may take together."""


@dataclass(frozen=True)
class Candidate:
    """An output that can be recorded."""

    slot: Slot
    bytes: int | None
    """What it takes, where the graph says."""
    looped: bool
    """Whether it runs in a loop."""


SMALL_RUN = 200
"""Executions of a run"""

SMALL_BYTES = 1 << 20
"""and what those of the breakpoints' lines take, whose files may lie there for a while."""


def is_small(executions: int, asked: Iterable[Execution]) -> bool:
    """Whether a run that made so many of them is one."""
    if executions > SMALL_RUN:
        return False
    outputs = (output.bytes for item in asked for output in item.outputs.values())
    return sum(outputs) <= SMALL_BYTES


Ran = Mapping[Slot, "tuple[int, int]"]
"""What each output took at most in an earlier run, and how often its node ran."""


def ran(found: Sequence[Execution]) -> Ran:
    """What a run tells about the next ones."""
    known: dict[Slot, tuple[int, int]] = {}
    for item in found:
        for slot, tensor in item.outputs.items():
            most, count = known.get((item.node, slot), (0, 0))
            known[item.node, slot] = max(most, tensor.bytes), count + 1
    return known


def chosen(candidates: Iterable[Candidate], known: Ran, executions: int) -> frozenset[Slot]:
    """The outputs to record, of nodes that run ``executions`` times at most."""
    left = RUN_BYTES
    slots = set()
    for item in candidates:
        size, count = known.get(item.slot, (item.bytes, 1))
        # How often a loop runs, and what it makes of an open shape, nobody knows before.
        if size is None and item.looped:
            continue
        total = (size or 0) * count
        if (size or 0) <= OUTPUT_BYTES and total <= left and count <= executions:
            left -= total
            slots.add(item.slot)
    return frozenset(slots)


def why(bytes: int, stops: bool) -> str:
    """Why an output was left out. ``stops``: whether the run was going to stop in any case."""
    if not stops:
        return (
            "whether the breakpoint stops only the run could tell, and then its own line alone is "
            "recorded"
        )
    if bytes > OUTPUT_BYTES:
        reason = f"its {bytes:,} bytes are too many"
    else:
        reason = "nobody knew before how much it takes, or it ran too often"
    return f"{reason}, unless a breakpoint is on its line"
