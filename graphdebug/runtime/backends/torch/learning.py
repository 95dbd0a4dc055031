"""Finds what keeps an optimizer's parameters from learning, where it steps.

Told once for each cause, and only where it was so in ``TIMES`` steps in a row, or in all there were: a
learning rate that begins at 0, and gradients that are zeroed every second step are meant. Parameters
without a gradient that no line is to blame for have ``LONG`` steps, since experts take turns.
"""

from __future__ import annotations

import weakref
from collections import Counter
from collections.abc import Callable, Iterator
from types import FrameType
from typing import TYPE_CHECKING, Any, NamedTuple

from graphdebug.protocol.model import AlertKind, Source
from graphdebug.runtime.backends.torch import finite
from graphdebug.runtime.backends.torch.records import Event, Op, Pass, TensorInfo
from graphdebug.runtime.backends.torch.troubles import at
from graphdebug.runtime.backends.torch.variables import name_in
from graphdebug.runtime.frames import source_at, source_of, user_frame

if TYPE_CHECKING:
    from graphdebug.runtime.backends.torch.trail import Trail


class _Alert(NamedTuple):
    kind: AlertKind
    text: str
    source: Source | None
    sure: bool = True
    """Whether it can't be meant."""


TIMES, LONG = 3, 20
"""In how many steps in a row a cause is there before it is told: one that can't be meant, any."""

_NAMED = 4

_ZEROING = frozenset({"zero_", "_foreach_zero_", "fill_"})
"""Operations that zero gradients by hand."""
_LESSENING = frozenset({"mul_", "__imul__", "_foreach_mul_", "copy_"})
"""Operations that do, or let them fade, before the backward pass; after it they clip."""
_CUTTING = frozenset({"detach", "detach_", "data"})
_UNUSED = "the loss doesn't depend on them. Use them, or optimize the model that is trained"


class _Optimizer:
    """What is known of one optimizer."""

    def __init__(self, source: Source | None) -> None:
        self.source = source
        """Where the program made it."""
        self.causes: dict[str, int] = {}
        """In how many steps in a row each was seen."""
        self.told: set[str] = set()
        self.learned = False
        """Whether a gradient was ever other than 0."""
        self.gradient: weakref.ref[Any] | None = None
        """The first gradient at the last step."""
        self.steps = 0
        self.clean = False
        """Whether it learns, and nothing is being counted against it."""
        self._still: dict[str, set[int]] = {}
        """The parameters that a cause concerns in all the steps that are counted for it."""

    def settle(self) -> None:
        """All causes were looked at."""
        self.clean = self.learned and not self._still and not any(self.causes.values())

    def still(self, cause: str, items: list[Any]) -> list[Any]:
        """Those of the parameters that a cause concerns now that it concerned before, too."""
        if not items:
            self._still.pop(cause, None)
            return items
        now = {id(item) for item in items}
        both = self._still.get(cause, now) & now
        if not both:
            both, self.causes[cause] = now, 0
        self._still[cause] = both
        return [item for item in items if id(item) in both]


quickly: Callable[[Any], tuple[list[Any], list[Any], list[Any]] | None] | None = None
"""The native tier's ``_parameters``, while that runs: None where it has to be done here."""


def _parameters(groups: Any) -> tuple[list[Any], list[Any], list[Any]]:
    """Those that have a gradient, that can't learn, and that learn without a gradient."""
    if quickly is not None and (found := quickly(groups)) is not None:
        return found
    given, frozen, without = [], [], []
    for group in groups:
        for item in group["params"]:
            learns, got = item.requires_grad, item.grad is not None
            if got:
                given.append(item)
            elif learns:
                without.append(item)
            if not learns:
                frozen.append(item)
    return given, frozen, without


class _Step:
    """What a step of an optimizer had to do with, and what there is to say of it."""

    def __init__(self, optimizer: Any, frame: FrameType | None) -> None:
        self._name, self._frame = f"{type(optimizer).__name__}.step", frame
        self.given, self.frozen, self.without = _parameters(optimizer.param_groups)
        rates = [group.get("lr") for group in optimizer.param_groups]
        numbers = all(isinstance(rate, (int, float)) for rate in rates)
        self.stands = bool(self.given) and numbers and not any(rates)
        """Whether its learning rate is 0."""

    @property
    def is_zero(self) -> bool:
        """Whether all gradients are."""
        # The last is a bias, as a rule, and soon asked.
        return bool(self.given) and all(finite.all_zero(item.grad) for item in reversed(self.given))

    def is_frozen(self) -> str:
        """Parameters that don't require grad."""
        return (
            f"{self._names(self.frozen)} can't learn: requires_grad is False, though the optimizer has "
            "what is frozen. Leave it out of the optimizer, or set requires_grad"
        )

    def got_none(self) -> str:
        """Parameters without a gradient."""
        names = self._names(self.without)
        some = f"{names} got no gradient"
        none = f"none of the optimizer's parameters ({names}) got a gradient"
        return f"{some if self.given or self.frozen else none}, though backward ran"

    def has_no_rate(self) -> str:
        """A learning rate of 0."""
        return (
            f"{self._name} changed nothing: its learning rate is 0. Set lr, or look at what the scheduler "
            "makes of it"
        )

    def has_zeros(self) -> str:
        """Gradients of 0."""
        return (
            f"{self._name} learned nothing: all gradients ({self._names(self.given)}) are zero. Look for a "
            "ReLU whose input is never above 0, a mask, or a factor of 0"
        )

    def adds_up(self) -> str:
        """Gradients that nothing zeroed."""
        return (
            f"gradients add up over steps: nothing zeroed those of {self._names(self.given)} since the "
            "step before. Call zero_grad before backward"
        )

    def _names(self, items: list[Any]) -> str:
        names = [name_in(self._frame, item) or _plain(item) for item in items[:_NAMED]]
        return _listed(names, len(items))


class Learning:
    """One thread's optimizers, at their steps."""

    def __init__(self, trail: Trail) -> None:
        self._trail = trail
        self._known: weakref.WeakKeyDictionary[Any, _Optimizer] = weakref.WeakKeyDictionary()
        self._waiting: dict[tuple[_Optimizer, str], _Alert] = {}
        self.zeroed = False
        """Whether ``zero_grad`` was called since the last step."""
        self.passes = 0
        """Runs of the engine since the last step."""

    def made(self, optimizer: Any, source: Source | None) -> None:
        """The program made an optimizer."""
        self._known[optimizer] = _Optimizer(source)

    def stepped(self, optimizer: Any, frame: FrameType, source: Source | None) -> None:
        """An optimizer has stepped."""
        known = self._known.get(optimizer)
        if known is None:
            known = self._known[optimizer] = _Optimizer(None)
        known.steps += 1
        step = _Step(optimizer, user_frame(frame))
        made = known.source or source
        step.frozen = known.still("frozen", step.frozen)
        step.without = known.still("without", step.without)
        self._check(
            known, "frozen", bool(step.frozen), lambda: _Alert("parameter", step.is_frozen(), made)
        )
        without = bool(step.without and self.passes)
        self._check(known, "without", without, lambda: self._without(step, made))
        self._check(
            known, "rate", step.stands, lambda: _Alert("parameter", step.has_no_rate(), source)
        )
        zero = step.is_zero
        known.learned |= bool(step.given) and not zero
        reached = known.learned and self._trail.watch.at_zero
        zero = zero and not step.stands and not reached
        self._check(known, "zero", zero, lambda: _Alert("gradient", step.has_zeros(), source))
        kept = self._kept(known, step.given)
        self._check(known, "kept", kept, lambda: _Alert("gradient", step.adds_up(), source))
        known.settle()
        self.zeroed, self.passes = False, 0

    def finish(self) -> None:
        """The program ends."""
        for alert in self._waiting.values():
            self._tell(alert)

    # -- causes

    def _check(self, known: _Optimizer, cause: str, now: bool, alert: Callable[[], _Alert]) -> None:
        """Count a cause; tell it when it was there often enough, or at the program's end."""
        if cause in known.told or not (now or known.causes.get(cause)):
            return
        count = known.causes[cause] = known.causes.get(cause, 0) + 1 if now else 0
        self._waiting.pop((known, cause), None)
        if count not in (TIMES, LONG, known.steps) or not now:
            return
        found = alert()
        if count == LONG or (count == TIMES and found.sure):
            known.told.add(cause)
            self._tell(found)
        elif count == known.steps:
            self._waiting[known, cause] = found

    def _tell(self, alert: _Alert) -> None:
        self._trail.backend.runtime.recorder.alert(alert.kind, alert.text, source=alert.source)

    def _without(self, step: _Step, made: Source | None) -> _Alert:
        cut = self._cut(step.without) if self._used(step) else None
        why, line = cut or (_UNUSED, None)
        return _Alert("gradient", f"{step.got_none()}: {why}", line or made, line is not None)

    def _used(self, step: _Step) -> bool:
        """Whether operations took more tensors of these parameters' shapes than got gradients."""
        ops = [op for op in self._ops() if op.phase == "forward"]
        taken = Counter(item.shape for op in ops for item in op.inputs if item.requires_grad)
        given = Counter(tuple(item.shape) for item in step.given)
        shapes = {tuple(item.shape) for item in step.without}
        return any(taken[shape] > given[shape] * self.passes for shape in shapes)

    def _kept(self, known: _Optimizer, given: list[Any]) -> bool:
        """Whether the first gradient is that of the step before, and nothing made it less."""
        if not given:
            known.gradient = None
            return False
        first: Any = given[0].grad
        before = known.gradient() if known.gradient is not None else None
        known.gradient = weakref.ref(first)
        if before is None or before is not first or self.zeroed or not self.passes:
            return False
        return not self._lessened(tuple(first.shape))

    def _lessened(self, shape: tuple[int, ...]) -> bool:
        """Whether operations of this step may have zeroed a gradient, or let it fade.

        Its version wouldn't tell: ``grad.data`` counts for itself.
        """
        event: Event = self._trail.at
        before = True
        for each in event.path():
            before = before and not isinstance(each, Pass)
            if not isinstance(each, Op):
                continue
            fades = each.name in _ZEROING or (before and each.name in _LESSENING)
            if fades and shape in [item.shape for item in each.inputs]:
                return True
        return False

    def _cut(self, without: list[Any]) -> tuple[str, Source | None] | None:
        """Why parameters got no gradient, and the line that is to blame."""
        shapes = {tuple(item.shape) for item in without}
        for op in self._ops():
            if op.phase != "forward" or not _cuts(op):
                continue
            place = source_at(op.code, op.lasti) if op.code is not None else None
            if op.name in _CUTTING:
                return f"{op.name}{at(place)} cuts them off from the loss. Take it out", place
            if shapes & {item.shape for item in op.inputs}:
                return (
                    f"{op.name}{at(place)} uses them where no gradients are recorded. Take the no_grad or "
                    "inference_mode around it out"
                ), place  # fmt: skip
        read = self._trail.watch.read_out
        if read is not None:
            return f"the loss was made of a number that was read{at(read)}. Use the tensor", read
        return None

    def _ops(self) -> Iterator[Op]:
        """Those of the step so far."""
        event: Event = self._trail.at
        return (op for op in event.path() if isinstance(op, Op))


def _cuts(op: Op) -> bool:
    """Whether an operation has an input that autograd follows, and made numbers that it doesn't."""
    follows = any(item.requires_grad for item in op.inputs)
    return follows and all(map(_unfollowed, op.outputs))


def _unfollowed(item: TensorInfo) -> bool:
    return bool(item.dtype.is_floating_point) and not item.requires_grad


def _listed(names: list[str], total: int) -> str:
    text = ", ".join(names[:-1]) + (" and " if len(names) > 1 else "") + names[-1]
    return text if total <= _NAMED else f"{', '.join(names)} and {total - _NAMED} more"


def _plain(parameter: Any) -> str:
    return f"a parameter {tuple(parameter.shape)}"


def line_of(frame: FrameType | None) -> Source | None:
    """The user's line, from ``frame`` outwards."""
    user = user_frame(frame)
    return source_of(user) if user is not None else None
