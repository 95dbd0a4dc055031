"""One thread's open step: what happened in it so far, and when it is over."""

from __future__ import annotations

import time
from collections import deque
from types import CodeType, FrameType
from typing import TYPE_CHECKING, Any

import torch

from graphdebug.protocol.model import Phase, Source, StepKind
from graphdebug.runtime import debugger
from graphdebug.runtime.backends.torch import naming
from graphdebug.runtime.backends.torch.backward_stops import BackwardStops
from graphdebug.runtime.backends.torch.broadcasts import Broadcasts
from graphdebug.runtime.backends.torch.description import describe
from graphdebug.runtime.backends.torch.forward_stops import ForwardStops
from graphdebug.runtime.backends.torch.learning import Learning
from graphdebug.runtime.backends.torch.past import Ended
from graphdebug.runtime.backends.torch.pending import Aside, Pending
from graphdebug.runtime.backends.torch.plain_steps import PlainSteps
from graphdebug.runtime.backends.torch.positions import (
    Loop,
    Place,
    comes_round,
    loop_around,
    place,
    position,
)
from graphdebug.runtime.backends.torch.raised import Raised
from graphdebug.runtime.backends.torch.records import (
    COMPILED,
    Event,
    Op,
    Totals,
    infos,
    made_by,
    tensors,
)
from graphdebug.runtime.backends.torch.watch import Watch
from graphdebug.runtime.backends.torch.watch import level as level_of
from graphdebug.runtime.frames import source_at
from graphdebug.runtime.past import STEPS_LIMIT

if TYPE_CHECKING:
    from graphdebug.runtime.backends.torch.observer import TorchBackend
    from graphdebug.runtime.backends.torch.watches import Watches

OFF, STEPS, NODES, VALUES = range(4)
LEVELS = {"off": OFF, "steps": STEPS, "nodes": NODES, "values": VALUES}

EVENTS_LIMIT = 50_000
"""Events remembered to recognise later steps by; what is beyond is forgotten and observed anew."""

NODES_LIMIT = 16_384
"""Autograd Nodes of a step that are looked at. Those that Python has seen, torch lets go of one within the
other, which takes 200 bytes of the stack for each: a longer chain would end the process."""

STEP_LIMIT = 100_000
"""Events of one step; the nodes of a longer one are not recorded."""

clock = time.perf_counter_ns
sequence = torch._C._autograd._get_sequence_nr

PLAIN = (torch.Tensor, torch.nn.Parameter)
"""The classes of tensors whose attributes nobody overrides."""

_AROUND = ("iteration", "program", "cell")
"""Steps that are none where all that happens in them are calls of graphs: each of these is one."""


def watched(backend: TorchBackend) -> int:
    """How much is looked at: breakpoints need to know which lines made the nodes, recorded or not."""
    runtime = backend.runtime
    lines = runtime.configuration.backward and runtime.breakpoints.files
    stop = backend.active and (lines or runtime.node_breakpoints)
    return max(backend.level, NODES) if stop and debugger.attached() else backend.level


class Trail:
    """The open step of one thread, the only one that calls its methods.

    ``configure`` alone is called by others, and sets ``level`` to OFF at once; they also set ``watches``.
    """

    __slots__ = (
        "__dict__", "__weakref__", "after_backward", "aside", "at", "base", "in_backward", "interrupted",
        "level", "loop", "loss", "names_stop", "on", "pending", "place", "standing", "trained", "updating",
        "wanted", "watch", "watches",
    )  # fmt: skip
    """What the native tier reads stands at a fixed place."""

    level: int
    at: Event
    base: int
    loop: Loop | None
    pending: Pending | None
    place: Place | None
    trained: bool
    """Whether the program is known to train, for good."""
    watch: Watch
    watches: Watches | None
    names_stop: bool
    """Whether there are breakpoints on nodes by name."""

    def __init__(self, backend: TorchBackend) -> None:
        self.backend = backend
        self.level = self.wanted = watched(backend)
        self.mode: Any = None
        self.updates: Any = None
        self.watches = backend.watches
        self.on = False
        self.root = self.at = Event(None)
        self.base = sequence()
        self.values: list[Any] = []
        self.pending = None
        self.trained = False
        self.place = None
        self.loop = None
        self.iteration: Source | None = None
        self.in_body = False
        self.updating = 0
        self.in_backward = 0
        self.after_backward = False
        self.aside: Aside | None = None
        self.raised: Raised | None = None
        self.loss: float | None = None
        """What backward was called on in this step."""
        self.closed: tuple[str, Source | None] | None = None
        self.had_loss = False
        """Whether the last step that was closed had one."""
        self.watch = Watch(self)
        self.plain_steps = PlainSteps(self)
        self.broadcasts = Broadcasts(self)
        self.learning = Learning(self)
        self.stops = BackwardStops(self)
        self.forward_stops = ForwardStops(self)
        self.names_stop = bool(backend.runtime.node_breakpoints)
        self.interrupted = False
        """Whether something was raised in the middle of what we did here: it may be done by half."""
        self.standing = False
        """Whether the thread stands at a stop of ours: what runs then, the user evaluates."""
        self.steps = self._rested = 0
        self.ended: deque[Ended] = deque(maxlen=STEPS_LIMIT)
        self.partial = False
        self._started = clock()
        self._grown = 0

    def configure(self) -> None:
        """Look at as much as is wanted now; called on the link's thread."""
        self.wanted = watched(self.backend)
        self.watch.configure()
        self.names_stop = bool(self.backend.runtime.node_breakpoints)
        if self.wanted == OFF:
            self.level = OFF

    @property
    def recording(self) -> bool:
        """Whether operations are looked at."""
        return self.level >= NODES

    @property
    def idle(self) -> bool:
        """Whether nothing is wanted, and nothing that was is still under way."""
        busy = self.on or self.interrupted or self.standing or self.in_backward or self.updating
        return self.level == self.wanted == OFF and not busy

    def step_text(self, ahead: int = 0) -> str:
        """Which step is open, to end a sentence with; nothing where steps aren't recorded."""
        backend = self.backend
        step = backend.runtime.recorder.next_step + ahead
        return f" (step {step})" if backend.level > OFF else ""

    def begins(self, inputs: Any) -> bool:
        """Whether an operation on these tensors, about to run, belongs to the next step."""
        pending = self.pending
        if pending is None or pending.differentiated or self.in_backward:
            return False
        return torch.is_grad_enabled() and any(item.requires_grad for item in inputs)

    # -- what happens

    def look(self, frame: FrameType | None, func: Any, args: Any, before: int, after: int) -> None:
        """Close the step if this operation, called by ``frame``, belongs to the next one.

        ``before`` and ``after`` are autograd's sequence numbers around it.
        """
        if self.updating or self.in_backward:
            return
        if func is not COMPILED and next(tensors(args), None) is None and not self.pending:
            return
        self.trained = self.backend.backward_passes > 0
        watching = not (self.backend.trains() and torch.is_grad_enabled())
        if not (watching or self.pending or self.loop):
            self.place = None
            return
        now = place(frame, naming.name(func))
        if not now.counts:
            return
        if self.pending is not None:
            pending = self.pending
            made_nodes = after > pending.seq and not pending.differentiated
            if made_nodes or comes_round(pending.place, now):
                self.close_pending(before if pending.differentiated else pending.seq)
                self.place = now
        else:
            self._go_round(now, before, watching)

    def _go_round(self, now: Place, before: int, watching: bool) -> None:
        """Close the step if it was an iteration, and another begins or the loop is left."""
        if self.loop is not None and not self.loop.holds(now):
            self.close_iteration(before)
        last, self.place = self.place, now if watching else None
        if last is not None and watching and comes_round(last, now):
            self.loop, self.in_body = loop_around(now), True
            at = now.stack[self.loop.depth] if self.loop is not None else now.user[-1]
            self.iteration = source_at(*at)
            self.close_iteration(before, again=True)
            self.place = now
        if self.loop is not None and not self.loop.tests(now):
            self.in_body = True

    def close_iteration(self, base: int | None = None, again: bool = False) -> None:
        """An iteration is over; ``again`` where another one has begun."""
        loop = self.loop
        if self.in_body:
            self.close("iteration", self.iteration, base=base)
        self.loop, self.in_body = loop if again else None, False

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
        if self.at.depth >= STEP_LIMIT or seqs[0] - self.base > NODES_LIMIT:
            self.partial = True
            return False
        given = (args, tuple(kwargs.values())) if kwargs else (args,)
        inputs, outputs = infos(given), infos(result)
        name = name or naming.name(func)
        func = func if func is COMPILED or naming.outlives(func) else name
        code, lasti, hops = position(frame)
        seq_from, seq_to = seqs[0] - self.base, seqs[1] - self.base
        key = (func, name, code, lasti, seq_from, seq_to, inputs, outputs)
        found = self.at.follow(key)
        if found is None:
            found = op = Op(self.at)
            op.func, op.name = func, name
            op.op_type = COMPILED if func is COMPILED else naming.op_type(name)
            op.code, op.lasti, op.seq_from, op.seq_to = code, lasti, seq_from, seq_to
            op.around = self._around(frame, seq_from)
            op.taken = made_by(given, self.base, seqs[0])
            op.inputs, op.outputs, op.kind, op.hops = inputs, outputs, type(result), hops
            op.plain = all(type(item) in PLAIN for item in tensors((*given, result)))
            op.phase = self._phase(seq_to > seq_from)
            self.broadcasts.look(op)
            op.watch = level_of(op, result)
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
        values = self.values if self.level == VALUES else None
        totals = at.add_up()
        if totals.compiled and name in _AROUND:
            return self._reopen(now, base)
        recorded = self.backend.level
        if recorded == OFF or (recorded == STEPS and name in _AROUND):
            return self._reopen(now, base)
        if recorded == STEPS:  # what is looked at for breakpoints alone isn't told
            totals = Totals(0, 0, (), False)
        if recorded >= NODES and self.level >= NODES and not self.partial:
            key = None if values else at.number
            graph = self.backend.runtime.recorder.graph(key, lambda: describe(at, values))
        index = self.backend.runtime.recorder.step(
            kind=kind,
            framework="torch",
            name=name,
            source=source,
            duration_ns=now - self._started,
            graph=graph,
            forward_nodes=totals.forward,
            backward_nodes=totals.backward,
            devices=totals.devices,
            loss=self.loss,
        )
        if graph is not None:
            self.ended.append(Ended(index, graph, at, values))
        self.steps += 1
        self.backend.tiers.begin()
        self.closed, self.had_loss = (name, source), self.loss is not None
        self.watch.over()
        self.broadcasts.over()
        self._reopen(now, base)

    def _reopen(self, now: int, base: int | None) -> None:
        """The next step begins."""
        self._started = now
        begin, self.base = self.base, sequence() if base is None else base
        self.stops.past.add(begin, self.base, self.at)
        if self._grown > EVENTS_LIMIT + self.at.depth:
            self.root, self._grown = Event(None), 0
        self.at, self.values = self.root, []
        self.pending = self.place = self.loop = self.loss = None
        self.after_backward = self.in_body = False
        self.level = self.wanted
        self.partial = self.level >= NODES and not self.on

    def wake(self) -> None:
        """Begin again, in the middle of a step, when the level has been raised from OFF."""
        self.level, self.partial = self.wanted, True
        self.at, self.values, self.base = self.root, [], sequence()
        self.pending = self.place = self.loop = None
        self.after_backward = self.in_body = False
        self._started = clock()

    def was_held(self, nanoseconds: int) -> None:
        """A debugger held the thread: the open step took no longer for it."""
        self._started += nanoseconds

    def finish(self) -> None:
        """The program ends."""
        if self.level == OFF:
            return
        self.learning.finish()
        self._end("program")

    def cell(self, over: bool) -> None:
        """A cell of a notebook begins, and with it the time of its first step, or is over."""
        if over and self.level != OFF:
            self._end("cell")
            if self.steps != self._rested and self.at is not self.root:
                self._reopen(clock(), None)  # the test that ended a loop is part of no other step
            self._rested = self.steps
        elif self.at is self.root:
            self._started = clock()

    def _end(self, what: str) -> None:
        """Report what is open; ``what``, if it made no step since the last one ended."""
        if self.pending is not None:
            self.close_pending()
        elif self.in_body:
            self.close_iteration()
        elif self.steps == self._rested and self.at is not self.root:
            first = next((event for event in self.at.path() if isinstance(event, Op)), None)
            source = source_at(first.code, first.lasti) if first and first.code else None
            self.close(what, source)

    # -- how an operation is described

    def _phase(self, made_nodes: bool) -> Phase:
        if self.in_backward:
            return "backward"
        if self.updating:
            return "forward" if made_nodes else "optimizer"
        return "optimizer" if self.after_backward and not torch.is_grad_enabled() else "forward"

    def _around(self, frame: FrameType | None, seq_from: int) -> tuple[tuple[CodeType, int], ...]:
        """All positions, where a Node was made that no operation seen so far made."""
        last = self.at
        while not isinstance(last, Op) and last.parent is not None:
            last = last.parent
        if isinstance(last, Op) and last.seq_to == seq_from:
            return ()
        return place(frame).stack
