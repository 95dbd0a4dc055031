"""What a step consists of, as it is kept: shared between all steps that do the same.

The events of a step are a path through a tree. A step that does what one before it did follows the
same path, and nothing new is made; where it differs, a branch begins. So a step's identity is the
event that it ends at. Events hold shapes and positions, never a tensor, a Node or a frame.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from types import CodeType
from typing import Any, NamedTuple

import torch

from graphdebug.protocol.model import Phase
from graphdebug.runtime.signals import raised_by_handler

COMPILED = "torch::compile"
"""The operation that a call of a compiled function is."""

_numbers = itertools.count()


class TensorInfo(NamedTuple):
    """What is remembered of a tensor."""

    shape: tuple[int, ...]
    dtype: Any
    device: Any
    requires_grad: bool


class Totals(NamedTuple):
    """Of all events of a step."""

    forward: int
    backward: int
    devices: tuple[str, ...]
    compiled: bool
    """Whether it consists of calls of compiled functions alone."""


class Event:
    """Something that happened after ``parent`` did; the root is where every step begins."""

    __slots__ = ("branches", "depth", "next", "number", "parent", "totals")

    def __init__(self, parent: Event | None) -> None:
        self.parent = parent
        self.depth: int = parent.depth + 1 if parent is not None else 0
        self.number = next(_numbers)
        self.next: Event | None = None
        self.branches: dict[Any, Event] = {}
        self.totals: Totals | None = None

    def path(self) -> list[Event]:
        """From the first event of the step to this one."""
        found: list[Event] = []
        event = self
        while event.parent is not None:
            found.append(event)
            event = event.parent
        found.reverse()
        return found

    def follow(self, key: Any) -> Event | None:
        """What came next before, under the same key."""
        found = self.branches.get(key)
        if found is not None:
            self.next = found
        return found

    def add_up(self) -> Totals:
        """The totals of the step that ends here."""
        if self.totals is None:
            path = self.path()
            passes = [event.executed for event in path if isinstance(event, Pass)]
            ops = [event for event in path if isinstance(event, Op)]
            made: list[Op | Executed] = [*ops, *itertools.chain.from_iterable(passes)]
            found = dict.fromkeys(str(item.device) for one in made for item in one.outputs)
            compiled = (
                bool(ops) and len(made) == len(ops) and all(op.func is COMPILED for op in ops)
            )
            self.totals = Totals(len(ops), len(made) - len(ops), tuple(found), compiled)
        return self.totals

    def grow(self, key: Any, event: Event) -> None:
        """Remember what came next."""
        self.branches[key] = event
        self.next = event


class Op(Event):
    """One operation, as the program called it."""

    __slots__ = (
        "around",
        "check",
        "code",
        "func",
        "hops",
        "inputs",
        "kind",
        "lasti",
        "name",
        "ns",
        "op_type",
        "outputs",
        "phase",
        "plain",
        "seq_from",
        "seq_to",
        "taken",
        "watch",
    )

    check: Any
    """What the native tier compares with; unset where it hasn't yet."""
    func: Any
    """What was called."""
    name: str
    """Its name."""
    op_type: str
    """Its operation."""
    code: CodeType | None
    lasti: int
    """The user's position."""
    hops: int
    """How many frames outside of its caller that is."""
    around: tuple[tuple[CodeType, int], ...]
    """All positions, innermost last; only where it may be the first in a custom Function."""
    seq_from: int
    seq_to: int
    """The sequence numbers of the autograd Nodes that it made, counted from the step's first."""
    inputs: tuple[TensorInfo, ...]
    taken: tuple[int, ...]
    """The sequence numbers of the Nodes that its inputs came from, as ``seq_from`` counts."""
    outputs: tuple[TensorInfo, ...]
    kind: type
    """The type of its result."""
    plain: bool
    """Whether no tensor of it is of a subclass."""
    phase: Phase
    watch: int
    """Whether its results are looked at for NaN; see ``watch``."""
    ns: int
    """How long it took when it last ran."""


class Executed(NamedTuple):
    """One autograd Node that ran."""

    name: str
    seq: int
    """Its sequence number, counted from the step's first; below 0 where an earlier step made it."""
    inputs: tuple[TensorInfo, ...]
    outputs: tuple[TensorInfo, ...]
    ns: int
    seq_from: int
    seq_to: int
    """The Nodes that it made, where the backward pass is differentiated in turn."""
    forward_code: CodeType | None
    """The code of ``forward``, of a custom Function's Node."""
    taken: tuple[int, ...] = ()
    """Which of the pass's Nodes, in order of execution, its inputs came from."""


class NodeFacts(NamedTuple):
    """One autograd Node that a run of the engine could reach."""

    name: str
    seq: int
    """As in ``Executed``."""
    forward_code: CodeType | None
    """As in ``Executed``."""


class Pass(Event):
    """One run of the autograd engine. What runs within it follows as events of its own."""

    __slots__ = ("compiled", "executed", "feeds", "makers", "nodes", "plain", "risky", "spots")

    plain: tuple[int, ...] | None
    """The pass's signature, where that is all that tells it from others and nothing of it is watched; then
    the native tier recognises it. None elsewhere."""
    compiled: bool
    """Whether a part of it was compiled."""
    executed: tuple[Executed, ...]
    """In order of execution."""
    feeds: dict[int, tuple[str, int]]
    """The Node that gives a leaf its gradient, name and sequence number, by the leaf's ``id``; those
    nearest to the loss first."""
    risky: tuple[int, ...]
    """Which of its Nodes, in the order in which they are found, are always watched for NaN."""
    nodes: tuple[NodeFacts, ...]
    """All Nodes that it could reach, in the order in which they are found."""
    makers: Any
    """What made each of ``nodes``; None where nobody asked yet. ``stopping_nodes`` keeps it here."""
    spots: Any
    """Which of ``nodes`` breakpoints are on; likewise."""


class Update(Event):
    """An optimizer step begins here."""

    __slots__ = ("key", "last", "passed", "times", "where")

    key: tuple[Any, ...]
    """What tells it from others."""
    where: tuple[CodeType, int, int, Any] | None
    """The user's position when it was over last, how many frames away that was, and its source."""
    last: Event | None
    """Where it ended the last time that it was observed."""
    times: int
    """How often it ended there in a row."""
    passed: int
    """How often it was taken for granted."""


def info(tensor: Any) -> TensorInfo:
    """Describe a tensor, without touching its data."""
    try:
        # A subclass may override even ``shape``; the base class's answer is the same.
        with torch._C.DisableTorchFunction():
            shape = tuple(size if type(size) is int else -1 for size in tensor.shape)
            return TensorInfo(shape, tensor.dtype, tensor.device, tensor.requires_grad)
    except Exception as error:
        if raised_by_handler(error):
            raise
        with torch._C.DisableTorchFunction():
            return TensorInfo(_open(tensor), tensor.dtype, tensor.device, tensor.requires_grad)


def _open(tensor: Any) -> tuple[int, ...]:
    """The shape of a tensor that has no fixed one: nested, or not initialized yet."""
    try:
        return (-1,) * int(tensor.dim())
    except Exception:
        return (-1,)


def tensors(value: Any, depth: int = 3) -> Iterator[Any]:
    """The tensors in an argument or a result."""
    if isinstance(value, torch.Tensor):
        yield value
    elif depth and isinstance(value, (tuple, list)):
        for item in value:
            yield from tensors(item, depth - 1)


def made_by(value: Any, base: int, end: int) -> tuple[int, ...]:
    """The sequence numbers, from ``base`` on, of the Nodes before ``end`` that made these tensors."""
    found = set()
    with torch._C.DisableTorchFunction():
        for tensor in tensors(value):
            # Asking a view that was written to would make a Node.
            if tensor.requires_grad and not (tensor._is_view() and tensor._version):
                node = tensor.grad_fn
                if node is not None and base <= node._sequence_nr() < end:
                    found.add(node._sequence_nr() - base)
    return tuple(sorted(found))


def infos(value: Any) -> tuple[TensorInfo, ...]:
    """Describe the tensors in an argument or a result."""
    return tuple(info(tensor) for tensor in tensors(value))


def executed(value: Any) -> bool:
    """Whether a result holds tensors, and an operation that ran made it.

    Fake tensors, and shapes of symbols, are what compilers and exporters run a program on to see what
    it would do.
    """
    if type(value) is torch.Tensor and not torch._C._len_torch_dispatch_stack():
        return True
    first = next(tensors(value), None)
    if first is None or type(first).__name__ in _NOT_RUN:
        return False
    if not torch._C._len_torch_dispatch_stack():
        return True
    kind = type(first)
    return kind not in (torch.Tensor, torch.nn.Parameter) or -1 not in info(first).shape


_NOT_RUN = ("FakeTensor", "FunctionalTensor")
