"""One thread's open step: what happened in it so far, and when it is over."""

from __future__ import annotations

import time
from types import (
    BuiltinFunctionType,
    CodeType,
    FrameType,
    FunctionType,
    GetSetDescriptorType,
    MethodDescriptorType,
    WrapperDescriptorType,
)
from typing import TYPE_CHECKING, Any, NamedTuple

import torch

from graphdebug.protocol.model import Phase, Source, StepKind
from graphdebug.runtime.backends.torch import naming
from graphdebug.runtime.backends.torch.description import describe
from graphdebug.runtime.backends.torch.positions import Place, comes_round, place, position
from graphdebug.runtime.backends.torch.records import COMPILED, Event, Op, infos, tensors
from graphdebug.runtime.frames import source_at

if TYPE_CHECKING:
    from graphdebug.runtime.backends.torch.backend import TorchBackend

OFF, STEPS, NODES, VALUES = range(4)
LEVELS = {"off": OFF, "steps": STEPS, "nodes": NODES, "values": VALUES}

EVENTS_LIMIT = 50_000
"""Events remembered to recognise later steps by; what is beyond is forgotten and observed anew."""

STEP_LIMIT = 100_000
"""Events of one step; the nodes of a longer one are not recorded."""

clock = time.perf_counter_ns
sequence = torch._C._autograd._get_sequence_nr


PLAIN = (torch.Tensor, torch.nn.Parameter)
"""The classes of tensors whose attributes nobody overrides."""

_LASTING = (BuiltinFunctionType, GetSetDescriptorType, MethodDescriptorType, WrapperDescriptorType)


class Pending(NamedTuple):
    """A backward pass that no optimizer follows: the step ends when the program comes round."""

    name: str
    source: Source | None
    place: Place
    seq: int
    differentiated: bool
    """Whether its gradients are going to be differentiated, so that the forward pass goes on."""


class Aside(NamedTuple):
    """A compiled call under way, which nothing of ours may be in the way of."""

    name: str
    taken_out: bool
    """Whether the mode was on."""
    seq: int
    start: int


class Trail:
    """The open step of one thread, the only one that calls its methods.

    ``level`` alone is set by others: to OFF at once, to anything else through ``wanted``.
    """

    def __init__(self, backend: TorchBackend) -> None:
        self.backend = backend
        self.level = self.wanted = backend.level
        self.mode: Any = None
        self.updates: Any = None
        self.on = False
        self.root = self.at = Event(None)
        self.base = sequence()
        self.values: list[Any] = []
        self.pending: Pending | None = None
        self.place: Place | None = None
        self.updating = 0
        self.in_backward = 0
        self.after_backward = False
        self.aside: Aside | None = None
        self.steps = 0
        self.partial = False
        self._started = clock()
        self._grown = 0

    # -- what happens

    def look(self, frame: FrameType | None, func: Any, args: Any, before: int, after: int) -> None:
        """Close the step if this operation, called by ``frame``, belongs to the next one.

        ``before`` and ``after`` are autograd's sequence numbers around it.
        """
        pending = self.pending
        if self.updating or self.in_backward:
            return
        if pending is None:
            if self.backend.trains() and torch.is_grad_enabled():
                self.place = None
                return
            if func is not COMPILED and next(tensors(args), None) is None:
                return
        now = place(frame, naming.name(func))
        if not now.counts:
            return
        if pending is not None:
            made_nodes = after > before and not pending.differentiated
            if made_nodes or comes_round(pending.place, now):
                self.close_pending(before)
                self.place = now
            return
        last, self.place = self.place, now
        if last is not None and comes_round(last, now):
            self.close("iteration", source_at(*now.user[-1]), base=before)
            self.place = now

    def add(
        self,
        func: Any,
        args: Any,
        kwargs: Any,
        result: Any,
        frame: FrameType | None,
        seqs: tuple[int, int],
        ns: int,
        name: str = "",
    ) -> bool:
        """Add an operation that the expected one isn't; whether there was room."""
        inputs, outputs = infos((args, kwargs)), infos(result)
        name = name or naming.name(func)
        func = func if func is COMPILED or _outlives(func) else name
        code, lasti, hops = position(frame)
        seq_from, seq_to = seqs[0] - self.base, seqs[1] - self.base
        key = (func, name, code, lasti, seq_from, seq_to, inputs, outputs)
        found = self.at.follow(key)
        if found is None:
            if self.at.depth >= STEP_LIMIT:
                self.partial = True
                return False
            found = op = Op(self.at)
            op.func, op.name = func, name
            op.op_type = COMPILED if func is COMPILED else naming.op_type(name)
            op.code, op.lasti, op.seq_from, op.seq_to = code, lasti, seq_from, seq_to
            op.around = self._around(frame, seq_from)
            op.inputs, op.outputs, op.kind, op.hops = inputs, outputs, type(result), hops
            op.plain = all(type(item) in PLAIN for item in tensors((args, kwargs, result)))
            op.phase = self._phase(seq_to > seq_from)
            self.remember(self.at, key, op)
        assert isinstance(found, Op)
        found.ns = ns
        self.at = found
        return True

    def enter(self, event: Event, values: list[Any] | None = None) -> None:
        """An event that others are going to follow begins."""
        self.at = event
        if self.level == VALUES:
            self.values.append(values)

    def remember(self, parent: Event, key: Any, event: Event) -> None:
        """Recognise an event that happened after ``parent`` the next time."""
        parent.grow(key, event)
        self._grown += 1

    def close_pending(self, base: int | None = None) -> None:
        """A backward pass without an optimizer was the end of the step."""
        if self.pending is not None:
            self.close(self.pending.name, self.pending.source, base=base)

    def close(
        self,
        name: str,
        source: Source | None,
        kind: StepKind = "eager",
        base: int | None = None,
    ) -> None:
        """The open step is over; the next one's Nodes are numbered from ``base``."""
        now = clock()
        at, graph = self.at, None
        totals = at.add_up()
        if totals.compiled:
            kind = "compiled"
        if self.level >= NODES and not self.partial:
            values = self.values if self.level == VALUES else None
            key = None if values else at.number
            graph = self.backend.runtime.recorder.graph(key, lambda: describe(at, values))
        self.backend.runtime.recorder.step(
            kind=kind,
            framework="torch",
            name=name,
            source=source,
            duration_ns=now - self._started,
            graph=graph,
            forward_nodes=totals.forward,
            backward_nodes=totals.backward,
            devices=totals.devices,
        )
        self.steps += 1
        self._started = now
        self.base = sequence() if base is None else base
        if self._grown > EVENTS_LIMIT:
            self.root, self._grown = Event(None), 0
        self.at, self.values = self.root, []
        self.pending = self.place = None
        self.after_backward = False
        self.level = self.wanted
        self.partial = self.level >= NODES and not self.on

    def wake(self) -> None:
        """Begin again, in the middle of a step, when the level has been raised from OFF."""
        self.level, self.partial = self.wanted, True
        self.at, self.values, self.base = self.root, [], sequence()
        self.pending = self.place = None
        self.after_backward = False
        self._started = clock()

    def finish(self) -> None:
        """The program ends."""
        if self.level == OFF:
            return
        if self.pending is not None:
            self.close_pending()
        elif not self.steps and self.at is not self.root:
            first = next((event for event in self.at.path() if isinstance(event, Op)), None)
            source = source_at(first.code, first.lasti) if first and first.code else None
            self.close("program", source)

    # -- how an operation is described

    def _phase(self, made_nodes: bool) -> Phase:
        if self.in_backward:
            return "backward"
        if self.updating:
            return "forward" if made_nodes else "optimizer"
        return "optimizer" if self.after_backward and not torch.is_grad_enabled() else "forward"

    def _around(self, frame: FrameType | None, seq_from: int) -> tuple[tuple[CodeType, int], ...]:
        """The frames around, where a Node was made that no operation seen so far made."""
        last = self.at
        while not isinstance(last, Op) and last.parent is not None:
            last = last.parent
        if isinstance(last, Op) and last.seq_to == seq_from and not last.around:
            return ()
        return place(frame).user[:-1]


def _outlives(func: Any) -> bool:
    """Whether a function may be remembered: one that closes over something might hold a tensor."""
    if isinstance(func, FunctionType):
        return func.__closure__ is None
    return isinstance(func, _LASTING)
