"""Finds what keeps an optimizer's parameters from learning, where it steps.

Told once for each cause, and only where it was so in ``TIMES`` steps in a row, or in all there were: a
parameter that another branch of the model uses now and then, a learning rate that begins at 0, and
gradients that are zeroed every second step are all meant.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from types import FrameType
from typing import TYPE_CHECKING, Any

from graphdebug.protocol.model import AlertKind, Source
from graphdebug.runtime.backends.torch import finite
from graphdebug.runtime.backends.torch.records import Event, Op, TensorInfo
from graphdebug.runtime.backends.torch.troubles import at
from graphdebug.runtime.backends.torch.variables import name_in
from graphdebug.runtime.frames import source_at, source_of, user_frame

if TYPE_CHECKING:
    from graphdebug.runtime.backends.torch.trail import Trail

_Alert = tuple[AlertKind, str, "Source | None"]

TIMES = 3
"""In how many steps in a row a cause is there before it is told."""

_NAMED = 4

_ZEROING = frozenset({"zero_", "_foreach_zero_", "fill_"})
"""Operations that zero gradients by hand."""
_CUTTING = frozenset({"detach", "detach_", "data"})


class _Optimizer:
    """What is known of one optimizer."""

    def __init__(self, source: Source | None) -> None:
        self.source = source
        """Where the program made it."""
        self.causes: dict[str, int] = {}
        """In how many steps in a row each was seen; ``TIMES`` once it was told."""
        self.gradient: weakref.ref[Any] | None = None
        """The first gradient at the last step."""
        self.version = 0
        self.steps = 0
        self.lacking: set[int] = set()
        """The parameters that got no gradient in all the steps that are counted for that."""

    def lacks(self, step: _Step) -> None:
        """Leave to this step only what lacked a gradient before, too."""
        now = {id(item) for item in step.without}
        self.lacking &= now
        if not self.lacking:
            self.lacking = now
            if self.causes.get("without") != TIMES:
                self.causes["without"] = 0
        step.without = [item for item in step.without if id(item) in self.lacking]


class _Step:
    """What a step of an optimizer had to do with, and what there is to say of it."""

    def __init__(self, optimizer: Any, frame: FrameType | None) -> None:
        self._name, self._frame = f"{type(optimizer).__name__}.step", frame
        parameters = [item for group in optimizer.param_groups for item in group["params"]]
        self.given = [item for item in parameters if item.grad is not None]
        self.frozen = [item for item in parameters if not item.requires_grad]
        self.without = [item for item in parameters if item.grad is None and item.requires_grad]
        rates = [group.get("lr") for group in optimizer.param_groups]
        numbers = all(isinstance(rate, (int, float)) for rate in rates)
        self.stands = bool(self.given) and numbers and not any(rates)
        """Whether its learning rate is 0."""

    @property
    def is_zero(self) -> bool:
        """Whether all gradients are."""
        return bool(self.given) and all(finite.all_zero(item.grad) for item in self.given)

    def is_frozen(self) -> str:
        """Parameters that don't require grad."""
        return (
            f"{self._names(self.frozen)} can't learn: requires_grad is False, but the optimizer has it. "
            "Leave it out of the optimizer, or set requires_grad"
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
        self._check(
            known, "frozen", bool(step.frozen), lambda: ("parameter", step.is_frozen(), made)
        )
        known.lacks(step)
        without = bool(step.without and self.passes)
        self._check(known, "without", without, lambda: self._without(step, made))
        self._check(known, "rate", step.stands, lambda: ("parameter", step.has_no_rate(), source))
        zero = not step.stands and step.is_zero
        self._check(known, "zero", zero, lambda: ("gradient", step.has_zeros(), source))
        kept = self._kept(known, step.given)
        self._check(known, "kept", kept, lambda: ("gradient", step.adds_up(), source))
        self.zeroed, self.passes = False, 0

    def finish(self) -> None:
        """The program ends."""
        for alert in self._waiting.values():
            self._tell(alert)

    # -- causes

    def _check(self, known: _Optimizer, cause: str, now: bool, alert: Callable[[], _Alert]) -> None:
        """Count a cause; tell it when it was there often enough, or at the program's end."""
        count, key = known.causes.get(cause, 0), (known, cause)
        if count >= TIMES:
            return
        known.causes[cause] = count + 1 if now else 0
        self._waiting.pop(key, None)
        if now and count + 1 == TIMES:
            self._tell(alert())
        elif now and count + 1 == known.steps:
            self._waiting[key] = alert()

    def _tell(self, alert: _Alert) -> None:
        kind, text, source = alert
        self._trail.backend.runtime.recorder.alert(kind, text, source=source)

    def _without(self, step: _Step, made: Source | None) -> _Alert:
        why, line = self._cut(step.without)
        return "gradient", f"{step.got_none()}: {why}", line or made

    def _kept(self, known: _Optimizer, given: list[Any]) -> bool:
        """Whether the first gradient is that of the step before, with no more than sums added."""
        if not given:
            known.gradient = None
            return False
        first = given[0].grad
        before = known.gradient() if known.gradient is not None else None
        version, passes = known.version, self.passes
        known.gradient, known.version = weakref.ref(first), first._version
        if before is not first or self.zeroed or not passes:
            return False
        if first is None:
            return False
        only_sums = first._version - version <= passes
        return only_sums or not any(op.name in _ZEROING for op in self._ops())

    def _cut(self, without: list[Any]) -> tuple[str, Source | None]:
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
        return (
            "the loss doesn't depend on them. Use them, or optimize the model that is trained",
            None,
        )

    def _ops(self) -> Iterator[Op]:
        """Those of the step before its first backward pass, and those after it."""
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
