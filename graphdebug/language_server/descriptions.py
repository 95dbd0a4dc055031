"""Tensors, nodes and times in few words, as Variables has them."""

from __future__ import annotations

from collections.abc import Sequence

from graphdebug.protocol.model import Node, Step, Tensor

SHOWN = 3
"""Outputs of one node that are shown; of more, their number."""


def tensor(item: Tensor) -> str:
    """``float32 (64, 10) cpu``; ``?`` for a size that a static graph leaves open."""
    sizes = ["?" if size < 0 else str(size) for size in item.shape]
    shape = f"({sizes[0]},)" if len(sizes) == 1 else f"({', '.join(sizes)})"
    return f"{item.dtype} {shape} {item.device}"


def tensors(items: Sequence[Tensor]) -> str:
    """Some tensors; nothing for none."""
    shown = ", ".join(tensor(item) for item in items[:SHOWN])
    more = len(items) - SHOWN
    return f"{shown}, and {more} more" if more > 0 else shown


def duration(nanoseconds: int) -> str:
    """``1.3 ms``; nothing where it wasn't measured."""
    for unit, size in (("s", 1e9), ("ms", 1e6), ("us", 1e3)):
        if nanoseconds >= size:
            return f"{nanoseconds / size:.3g} {unit}"
    return f"{nanoseconds} ns" if nanoseconds else ""


def nodes(count: int, phase: str = "") -> str:
    """``1 node``, ``16 backward nodes``."""
    return f"{count} {phase + ' ' if phase else ''}node{'' if count == 1 else 's'}"


def step(item: Step) -> str:
    """``step 41: SGD.step, 1.3 ms, 59 nodes, 16 backward nodes, cpu``."""
    parts = [item.name, duration(item.duration_ns), nodes(item.forward_nodes)]
    if item.backward_nodes:
        parts.append(nodes(item.backward_nodes, "backward"))
    parts.append(", ".join(item.devices))
    if item.rank:
        parts.append(f"rank {item.rank}")
    if item.alerts:
        parts.append(f"{item.alerts} alert{'' if item.alerts == 1 else 's'}")
    return f"step {item.index}: {', '.join(filter(None, parts))}"


def made(items: Sequence[Node]) -> tuple[Tensor, ...]:
    """What a line made when its nodes ran last: the outputs of the last forward one that has any."""
    for node in reversed(items):
        if node.phase in ("forward", "graph") and node.outputs:
            return node.outputs
    return ()
