"""Finds where NaN and Inf come about in one thread: in forward, in backward, in the optimizer.

The rule
--------
An operation *made* a NaN or an Inf where its inputs were finite, or a NaN where they held none. What an
operation got from outside (data, a constant, ``torch.full(-inf)``), a fill with a number that isn't
finite (``masked_fill(mask, -inf)``) and the garbage of ``torch.empty`` are none that it made.

It is a *fault* once it does harm: it reached what ``backward`` was called on, a gradient that the
optimizer gets, a parameter, or a number that the program reads (``loss.item()``). So ``log(0)`` in a
branch that ``torch.where`` doesn't take is none, unless its gradient is NaN, which it is wherever one
is asked for. Infinite gradients of a loss that ``GradScaler`` scaled are none until they reach a
parameter.

Each operation's result is summed as soon as it is there, but for those that only move numbers. Of a
backward pass, the Nodes that can make NaN from finite numbers without an overflow are hooked; all are
where the pass is new, where an operation of the step made an Inf, and in 16 bits. Parameters are looked
at when the optimizer has stepped. Tensors of other devices than the CPU aren't waited for.
"""

from __future__ import annotations

import math
import weakref
from types import FrameType
from typing import TYPE_CHECKING, Any

import torch

from graphdebug.protocol.model import Source
from graphdebug.runtime import debugger
from graphdebug.runtime.backends.torch import finite, modes
from graphdebug.runtime.backends.torch.harmless import (
    GARBAGE,
    MOVING_OPERATIONS,
    odd_number,
    of_a_scaler,
)
from graphdebug.runtime.backends.torch.makers import Makers
from graphdebug.runtime.backends.torch.records import NodeFacts, Op, Pass, tensors
from graphdebug.runtime.backends.torch.troubles import WORDS, Trouble, at, remedy
from graphdebug.runtime.backends.torch.variables import locals_of, name_in
from graphdebug.runtime.frames import source_at, source_of, user_frame

if TYPE_CHECKING:
    from graphdebug.runtime.backends.torch.trail import Trail

NAN = "graphdebug.nan"
"""The exception filter that stops where a NaN or an Inf comes about."""

TITLE = "NaN or Inf"

NEVER, MOVES, MAKES = range(3)
"""Whether an operation's results are looked at: never, while a NaN is followed, always."""

_MARKS_LIMIT = 1024
_TOLD_LIMIT = 64
_READ = (torch.Tensor, torch.nn.Parameter)
_CHAIN = 4
_CHAIN_WALK = 32


def level(op: Op, result: Any) -> int:
    """How an operation's results are looked at."""
    if not op.plain or op.name in GARBAGE:
        return NEVER
    if not any(finite.asked(tensor) for tensor in tensors(result)):
        return NEVER
    return MOVES if op.name in MOVING_OPERATIONS else MAKES


class Watch:
    """One thread's, which alone calls it."""

    __slots__ = (
        "__dict__", "at_zero", "following", "last_pass", "on", "open", "spoilt_loss", "suspects"
    )  # fmt: skip
    """What the native tier reads stands at a fixed place."""

    on: bool
    """Whether it looks at all."""
    following: bool
    """Whether a result of this step held one, whatever made it, or one that was told is still there."""

    def __init__(self, trail: Trail) -> None:
        self._trail = trail
        self._marks: dict[int, tuple[weakref.ref[Any], Trouble]] = {}
        self._told: set[Any] = set()
        self._spoilt: dict[int, weakref.ref[Any]] = {}
        self.configure()
        self.open = False
        """Whether an operation of this step made one."""
        self.following = False
        self._carried = False
        """Whether only the latter."""
        self.suspects: list[Trouble] = []
        """What Nodes of this step made."""
        self.last_pass: Pass | None = None
        """The last run of the engine in this step."""
        self.spoilt_loss = False
        """Whether what it was called on wasn't finite."""
        self.at_zero = False
        """Whether what it was called on was 0: there is nothing left to learn."""
        self.read_out: Source | None = None
        """Where the program took a number, that autograd had followed, out of a tensor in this step."""

    def configure(self) -> None:
        """The configuration changed; called on the link's thread."""
        self.on = bool(self._trail.backend.runtime.configuration.nan_watch)

    @property
    def stops(self) -> bool:
        """Whether it stops."""
        return bool(self._trail.backend.runtime.stops.filtered(NAN)) and not debugger.suspended()

    # -- operations

    def made(self, op: Op, args: Any, kwargs: Any, result: Any, caller: FrameType) -> None:
        """An operation ran that is to be looked at."""
        if not self.on or self._trail.updating or not finite.idle():
            return
        if self._carried and op.watch == MOVES and not any(map(self._mark, tensors(args))):
            return
        single = type(result) is torch.Tensor
        if single and not self.following and finite.finite(result):
            return
        for tensor in (result,) if single else tensors(result):
            if finite.asked(tensor) and not finite.finite(tensor):
                kind = finite.kind(tensor)
                if kind:
                    given = [*tensors((args, tuple((kwargs or {}).values())))]
                    self._bad(op, kind, given, (args, kwargs), tensor, caller)
                    continue
            self._marks.pop(id(tensor), None)

    def _bad(
        self,
        op: Op,
        kind: finite.Kind,
        given: list[Any],
        called: Any,
        result: Any,
        caller: FrameType,
    ) -> None:
        trail, frame = self._trail, _user(caller, op)
        source = source_at(op.code, op.lasti) if op.code is not None else None
        trouble = Trouble(kind, op.name, source, trail.at)
        inputs = [item for item in given if item is not result]
        bad = [(item, held) for item in inputs if (held := finite.kind(item))]
        before = self._mark(result) if len(inputs) < len(given) else None
        scaled = of_a_scaler(caller)
        parents = [found for item, _ in bad if (found := self._mark(item)) is not None]
        parents = sorted([*parents, *([before] if before else [])], key=_comes_first)
        meant = not given or odd_number(called) or scaled
        spread = kind == "inf" or any(held == "nan" for _, held in bad)
        self.following, self._carried = True, False
        if meant or (bad and spread) or (parents and (spread or parents[0].root.made)):
            trouble.made, trouble.told = False, scaled
            trouble.parent = parents[0] if parents else None
            if bad and not parents:
                trouble.why = _words(bad[0][0], frame)
                trouble.told = scaled or self._is_spoilt(bad[0][0])
            return self._put(result, trouble)
        words = "; ".join(_words(item, frame) for item in inputs[:3])
        clean = "held Inf, but no NaN" if bad else "were finite"
        trouble.why = f"from inputs that {clean}: {words}" if inputs else "in place"
        if made_of := chain(self._trail, [item.grad_fn for item in inputs]):
            trouble.why += f"; before it {made_of}"
        trouble.exploded = kind == "inf" and any(map(finite.exploded, inputs))
        self._put(result, trouble)
        self.open = True
        if trail.in_backward:
            self.suspects.append(trouble)
        if self.stops and frame is not None:
            trouble.shown = {"inputs": tuple(inputs), "output": result}
            if result.requires_grad or trail.in_backward:
                shown = {**_locals(frame), **trouble.shown}
                self.stop(trouble, self.told(trouble, ""), shown, frame)

    def _mark(self, tensor: Any) -> Trouble | None:
        found = self._marks.get(id(tensor))
        return found[1] if found is not None and found[0]() is tensor else None

    def _is_spoilt(self, tensor: Any) -> bool:
        """Whether it is a parameter that held one before, which was said then."""
        found = self._spoilt.get(id(tensor))
        return found is not None and found() is tensor

    def _put(self, tensor: Any, trouble: Trouble) -> None:
        if len(self._marks) >= _MARKS_LIMIT:
            self._marks = {key: item for key, item in self._marks.items() if item[0]() is not None}
            if len(self._marks) >= _MARKS_LIMIT:
                self._marks.clear()
        self._marks[id(tensor)] = weakref.ref(tensor), trouble

    # -- where they do harm

    def read(self, tensor: Any, number: Any, caller: FrameType) -> None:
        """The program reads a number out of a tensor."""
        trail = self._trail
        if not self.on or type(tensor) not in _READ or trail.in_backward or trail.updating:
            return
        if self.read_out is None and not trail.after_backward and tensor.requires_grad:
            frame = user_frame(caller)
            self.read_out = source_of(frame) if frame is not None else None
        trouble = self._mark(tensor) if type(number) is float and number - number else None
        if trouble is not None and trouble.root.made:
            self.fault(trouble, "the program reads it", user_frame(caller))

    def entered(self, outputs: Any, number: float | None) -> bool:
        """The engine is called; whether what it is called on, which may be one number, is finite."""
        if not self.on or not finite.idle():
            return True
        self.spoilt_loss = False
        self._trail.broadcasts.entered()
        if number is not None and math.isfinite(number):
            self.at_zero = number == 0
            return True
        found = [item for item in outputs if isinstance(item, torch.Tensor)]
        self.at_zero = all(map(finite.is_zero, found))
        if finite.all_finite(found):
            return True
        clean = True
        for output in found:
            if kind := finite.kind(output):
                clean, frame, self.spoilt_loss = False, user_frame(), True
                trouble = self._mark(output)
                if trouble is None:
                    source = source_of(frame) if frame is not None else None
                    why = "it came in with data, or out of a compiled function"
                    trouble = Trouble(kind, "the loss", source, None, made=False, why=why)
                self.fault(trouble, "it is in what backward is called on", frame)
        return clean

    def stepped(self, optimizer: Any, frame: FrameType, source: Source | None) -> None:
        """An optimizer has stepped."""
        if not self.on or not self._trail.recording or not finite.idle():
            return
        with torch._C.DisableTorchFunction():
            self._stepped(optimizer, frame, source)
            self._trail.learning.stepped(optimizer, frame, source)

    def _stepped(self, optimizer: Any, frame: FrameType, source: Source | None) -> None:
        parameters = [item for group in optimizer.param_groups for item in group["params"]]
        parameters = [item for item in parameters if _updated(item)]
        if finite.all_finite(parameters):
            return
        bad = [item for item in parameters if finite.kind(item)]
        fresh = [item for item in bad if not self._is_spoilt(item)]
        self._spoilt.update((id(item), weakref.ref(item)) for item in fresh)
        if not fresh:
            return
        user = user_frame(frame)
        name = name_in(user, fresh[0]) or "a parameter"
        kind = finite.kind(fresh[0])
        where = f"it is in the parameter {name} after {type(optimizer).__name__}.step"
        spoilt = [item for item in parameters if item.grad is not None and finite.kind(item.grad)]
        if spoilt:
            return self.gradients_spoilt(spoilt, where)
        rate = ", ".join(f"lr {group.get('lr', '?')}" for group in optimizer.param_groups[:3])
        gradient = finite.said(fresh[0].grad)
        why = f"from finite gradients ({name}.grad: {gradient}; {rate}). Lower the learning rate, or clip"
        name = f"{type(optimizer).__name__}.step"
        self.fault(Trouble(kind, name, source, why=why), where, user)

    def gradients_spoilt(self, leaves: list[Any], harm: str) -> None:
        """The gradients of these aren't finite."""
        frame = user_frame()
        if self.suspects:
            return self.fault(self.suspects[0], harm, frame)
        event, ids = self.last_pass, {id(leaf) for leaf in leaves}
        fed = (
            next((fed for leaf, fed in event.feeds.items() if leaf in ids), None) if event else None
        )
        if event is None or fed is None or self.spoilt_loss:
            return
        maker = Makers(event.path()).of(NodeFacts(*fed, None))
        source = maker.source if maker is not None else None
        why = "or a Node before it in backward did: it is the nearest to the loss whose gradient shows it"
        kind = finite.kind(leaves[0].grad if leaves[0].grad is not None else leaves[0])
        self.fault(Trouble(kind, fed[0], source, event, fed[1], why=why), harm, frame)

    def over(self) -> None:
        """The step is over."""
        self.open = False
        self.last_pass = self.read_out = None
        if not (self._marks or self.following or self.suspects):
            return
        for _, trouble in self._marks.values():
            trouble.shown = {}
        if self._marks:
            self._marks = {key: item for key, item in self._marks.items() if item[0]() is not None}
        # What was told may be carried on, as a recurrent state is; it is no second one then.
        told = any(trouble.root.told for _, trouble in self._marks.values())
        self.following = self._carried = told
        self.suspects.clear()

    # -- saying so

    def fault(self, trouble: Trouble, harm: str, frame: FrameType | None) -> None:
        """It did harm: say so, once for each place, and stop there where a filter asks for it."""
        root = trouble.root
        if root.told:
            return
        root.told = True
        key: Any = (root.kind, root.name, root.source)
        if root.exploded and root.source is not None:
            key = ("exploded", root.source.path, root.source.function)
        text = self.told(root, f"{trouble.way()}; {harm}{at(source_of(frame)) if frame else ''}")
        if key not in self._told and len(self._told) < _TOLD_LIMIT:
            self._told.add(key)
            alert = self._trail.backend.runtime.recorder.alert
            alert(root.kind or "nan", text, source=root.source, node=self._index(root))
        if self.stops and frame is not None and not root.stopped:
            later = f"; stopped later, at {harm}" if root.source != source_of(frame) else ""
            self.stop(root, text + later, root.shown, frame)

    def told(self, trouble: Trouble, rest: str) -> str:
        """What happened, in words."""
        word = WORDS[trouble.kind or "nan"]
        if trouble.made:
            first = f"{trouble.name}{at(trouble.source)} made {word} {trouble.why}"
        else:
            where = f"{trouble.name}{at(trouble.source)}"
            first = f"{word} came in at {where}, which didn't make it: {trouble.why}"
        return f"{first}{rest}{remedy(trouble) if trouble.made else ''}"

    def stop(self, trouble: Trouble, text: str, shown: dict[str, Any], frame: FrameType) -> None:
        """Stop at the line of what made it."""
        runtime = self._trail.backend.runtime
        source = trouble.source or source_of(frame)
        trouble.stopped = True
        step = runtime.recorder.next_step

        def show() -> None:
            debugger.show(source.path, source.line, trouble.name, shown, frame.f_globals)

        with modes.aside(self._trail):
            runtime.node_stops.stop(
                "exception", source, step, f"{text} (step {step})", show, inside=False,
                title=TITLE, filter=NAN,
            )  # fmt: skip

    def _index(self, trouble: Trouble) -> int | None:
        """Which node of the step it is."""
        event, count = trouble.event, 0
        if event is None:
            return None
        for earlier in event.path():
            if earlier is event and isinstance(event, Op):
                return count
            if isinstance(earlier, Op):
                count += 1
            elif isinstance(earlier, Pass):
                for executed in earlier.executed:
                    if earlier is event and (executed.name, executed.seq) == (
                        trouble.name,
                        trouble.seq,
                    ):
                        return count
                    count += 1
        return None


def chain(trail: Trail, nodes: list[Any]) -> str:
    """The operations that made these Nodes and those behind them, nearest first, in words."""
    found: dict[str, None] = {}
    makers, nodes = Makers(trail.at.path()), [node for node in nodes if node is not None]
    for node in nodes:  # it grows
        maker = makers.of(NodeFacts(node.name(), node._sequence_nr() - trail.base, None))
        if maker is not None and maker.source is not None:
            found[f"{maker.name}{at(maker.source)}"] = None
        nodes += [item for item, _ in node.next_functions if item is not None]
        if len(nodes) > _CHAIN_WALK:
            break
    return ", ".join(list(found)[:_CHAIN])


def _comes_first(trouble: Trouble) -> bool:
    return not trouble.root.made


def _user(caller: FrameType, op: Op) -> FrameType | None:
    frame: FrameType | None = caller
    for _ in range(op.hops):
        frame = frame.f_back if frame is not None else None
    return frame


def _locals(frame: FrameType) -> dict[str, Any]:
    return {} if frame.f_code.co_name == "<module>" else locals_of(frame)


def _words(tensor: Any, frame: FrameType | None) -> str:
    name = name_in(frame, tensor) if frame is not None else ""
    return f"{name}: {finite.said(tensor)}" if name else finite.said(tensor)


def _updated(parameter: Any) -> bool:
    gradient = parameter.grad
    return gradient is not None and gradient.layout is torch.strided
