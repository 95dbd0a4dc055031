"""Data breakpoints on tensors: looked at before and after each operation, pass and optimizer step.

torch counts the writes to a tensor (``_version``), with its views'; ``written`` tells which of them
reached it. Nothing is done, and nothing here is called, while no data breakpoint is set.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from types import CodeType, FrameType, MethodWrapperType
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch.utils.weak import TensorWeakRef

from graphdebug.protocol.model import Source
from graphdebug.protocol.runtime import DataBreakpoint
from graphdebug.runtime import debugger
from graphdebug.runtime.backends.torch import naming, tensors
from graphdebug.runtime.backends.torch.records import tensors as tensors_in
from graphdebug.runtime.backends.torch.written import Memory, version, written
from graphdebug.runtime.breakpoints import meets_hit_condition
from graphdebug.runtime.data_breakpoints import KINDS, Target, bound_at
from graphdebug.runtime.frames import source_of, user_frame

if TYPE_CHECKING:
    from graphdebug.runtime.backends.torch.observer import TorchBackend

TITLE = "Data breakpoint"
GONE = "no longer watched: the tensor that {} named is gone"
UNSEEN = "code that isn't seen (compiled, another thread's, or C++)"
NO_GRADIENT = "it doesn't require a gradient, and never gets one"

Given = list[tuple[Any, int]]
"""The tensors that an operation was given, with their versions."""


class Facts(NamedTuple):
    """What a tensor was like when it was last looked at."""

    memory: Memory
    shape: tuple[int, ...]
    dtype: Any
    device: Any
    gradient: tuple[int, int]


class Hit(NamedTuple):
    """A data breakpoint that stops."""

    watched: Watched
    text: str
    frame: FrameType | None = None
    """Of a name that was bound anew: its function's."""
    line: int | None = None
    """The line that bound it."""


class Watched:
    """One data breakpoint."""

    def __init__(self, breakpoint: DataBreakpoint, target: Target, fail: Callable[[str], None]):
        self.id, self.breakpoint = breakpoint.id, breakpoint
        self.target = target
        text = (breakpoint.condition or "").strip()
        self.kind = text if text in KINDS or not text else "expression"
        self.gone = False
        self._condition = condition(text) if self.kind == "expression" else None
        self._asks_gradient = "grad" in text
        self._hit_condition = breakpoint.hit_condition
        self._hits = 0
        self._fail, self._failed = fail, False
        self._current = target.tensor
        self._facts: Facts | None = None
        self._absent = False
        self._holds = None if self.kind in ("nan", "expression") else False
        self._last: int | None = None

    @property
    def for_gradient(self) -> bool:
        """Whether it has to do with backward passes."""
        return self.kind in ("grad", "no grad")

    def tensor(self, frame: FrameType | None) -> Any:
        """What it watches, seen from a frame; None where there is none in sight."""
        value = self.target.value(frame)
        if value is None and not self.target.named and not self.gone:
            self.gone = True
            self._fail(GONE.format(self.target.label))
        return value if isinstance(value, torch.Tensor) else None

    def look(self, frame: FrameType, by: str, given: Given | None) -> Hit | None:
        """Compare with what it was; ``given``: what the operation ``by`` had, None where none is over."""
        tensor = self.tensor(frame)
        if tensor is None:
            self._absent = self._absent or self._facts is None
            self._step(frame)
            return None
        anew = self._current() is not tensor
        bound = anew and (self._facts is not None or self._absent)
        if anew:
            self._current = TensorWeakRef(tensor)
        known, self._facts = self._facts, facts(tensor, self._asks_gradient)
        if known == self._facts and not (anew or given or self._holds is None):
            self._step(frame)
            return None
        wrote = (
            known is not None
            and not anew
            and written(tensor, known.memory, self._facts.memory, given)
        )
        what = self._what(tensor, known, bound, f"written by {by}" if wrote else "", frame)
        place = self._place(frame) if bound and what else (None, None)
        self._step(frame)
        if not what or not self._counts():
            return None
        if bound and place[1] is None:
            what += ", before this line ran"
        header = tensors.header(tensor)
        return Hit(self, f"{self.target.label} {what}; it is {header}", *place)

    def _what(
        self, tensor: Any, known: Facts | None, bound: bool, wrote: str, frame: FrameType
    ) -> str:
        """What happened that it stops for; empty for nothing."""
        assert self._facts is not None
        how = "was bound to another tensor" if bound else f"was {wrote}" if wrote else ""
        if self.kind == "":
            return how
        if self.kind in Facts._fields:
            if known is None or getattr(known, self.kind) == getattr(self._facts, self.kind):
                return ""
            before, after = (_spelled(getattr(item, self.kind)) for item in (known, self._facts))
            return f"changed its {self.kind} from {before} to {after}"
        if self.for_gradient:
            return ""
        touched = known is not None and known.gradient != self._facts.gradient
        if not (how or touched or self._holds is None):
            return ""
        held, self._holds = False if bound else self._holds, self.holds(tensor, frame)
        if held is not False or not self._holds:
            return ""
        how = how or "got another gradient"
        if self.kind == "nan":
            return f"{how}, and holds {_not_finite(tensor)}"
        return f"{how}, and its condition is true"

    def holds(self, tensor: Any, frame: FrameType) -> bool:
        """Whether the condition is true; one that raises isn't, and that is said once."""
        try:
            return ask(self.kind, self._condition, self.target.label, tensor, frame)
        except Exception as error:
            if not self._failed:
                self._failed = True
                self._fail(f"its condition counts as false: {type(error).__name__}: {error}")
            return False

    def passed(self, tensor: Any, text: str) -> Hit | None:
        """A backward pass did what it is about."""
        if not self._counts():
            return None
        return Hit(self, f"{self.target.label} {text}; it is {tensors.header(tensor)}")

    def _counts(self) -> bool:
        self._hits += 1
        return not self._hit_condition or meets_hit_condition(self._hit_condition, self._hits)

    def _place(self, frame: FrameType) -> tuple[FrameType | None, int | None]:
        """The line that bound the name, where its function has gone on since."""
        around = self.target.frame(frame)
        if around is None or self._last is None:
            return None, None
        return around, bound_at(around.f_code, self.target.label, self._last, around.f_lasti)

    def _step(self, frame: FrameType) -> None:
        around = self.target.frame(frame) if self.target.named else None
        if around is not None:
            self._last = around.f_lasti


class Watches:
    """All data breakpoints that are set. Called by the threads that run operations."""

    def __init__(self, backend: TorchBackend, watched: Sequence[Watched]) -> None:
        self._backend = backend
        self.watched = tuple(watched)

    def before(self, frame: FrameType, args: Any = (), kwargs: Any = None) -> Given:
        """Something begins that ``frame`` called; the tensors that it is given."""
        try:
            self._look(frame, UNSEEN, None)
            given = (args, tuple(kwargs.values())) if kwargs else args
            return [(tensor, version(tensor)) for tensor in tensors_in(given)]
        except Exception as error:
            self._backend.fail("a data breakpoint", error)
            return []

    def after(self, frame: FrameType, func: Any, given: Given) -> None:
        """It is over: an operation, or what ``func`` names."""
        try:
            self._look(frame, func if isinstance(func, str) else _name(func), given)
        except Exception as error:
            self._backend.fail("a data breakpoint", error)

    def _look(self, frame: FrameType, by: str, given: Given | None) -> None:
        found = [watched.look(frame, by, given) for watched in self.watched if not watched.gone]
        hits = [hit for hit in found if hit is not None]
        if hits:
            self.stop(frame, hits)

    def stop(self, inner: FrameType, hits: Sequence[Hit]) -> bool:
        """Stop in the innermost frame of the user's from ``inner`` on; whether there was one."""
        frame = user_frame(inner)
        if frame is None:
            return False
        if debugger.suspended():
            return True  # the user evaluates, and wrote it
        source = source_of(frame)
        show: Callable[[], None] = lambda: debugger.stop_at(frame)  # noqa: E731
        first = hits[0]
        if first.frame is not None and first.line not in (None, first.frame.f_lineno):
            source, show = _bound_there(first.frame, first.line or 0)
        runtime = self._backend.runtime
        runtime.node_stops.stop(
            "data breakpoint",
            source,
            runtime.recorder.next_step,
            "; ".join(hit.text for hit in hits),
            show,
            inside=False,
            title=TITLE,
            hit=tuple(hit.watched.id for hit in hits),
        )
        return True


def _bound_there(frame: FrameType, line: int) -> tuple[Source, Callable[[], None]]:
    """A stop at a line of a frame that has gone on since."""
    source = source_of(frame)
    code = frame.f_code
    shown = {} if code.co_name == "<module>" else dict(frame.f_locals)
    there = Source(source.path, line, source.function)
    return there, lambda: debugger.show(
        code.co_filename, line, code.co_name, shown, frame.f_globals
    )


def unwatchable(value: Any) -> str:
    """Why a tensor can't have a data breakpoint; empty where it can."""
    if type(value).__torch_dispatch__ is not torch.Tensor.__torch_dispatch__:
        return f"a {type(value).__name__} runs code of its own; watch the tensors that it holds"
    if torch._C._functorch.is_functorch_wrapped_tensor(value):
        return "it stands for a tensor inside of a function's transformation, and is gone after it"
    if torch.nn.parameter.is_lazy(value) or value.is_nested:
        return "it has no fixed shape"
    if value.is_inference():
        return "it was made under inference_mode, where torch counts no writes"
    return ""


def wrong(target: Target, text: str, frame: FrameType) -> str:
    """Why a condition can't be asked of a target; may raise what it raises."""
    tensor = target.tensor()
    if tensor is None:
        return GONE.format(target.label)
    if text in ("grad", "no grad"):
        return "" if target.named or tensor.requires_grad else NO_GRADIENT
    if text and text not in KINDS:
        inner = target.frame(frame) or user_frame(frame) or frame
        ask("expression", condition(text), target.label, tensor, inner)
    return ""


def condition(text: str) -> CodeType:
    """A condition, compiled. Raises SyntaxError."""
    return compile(ast.parse(text.strip(), mode="eval"), "<data breakpoint>", "eval")


def ask(kind: str, code: CodeType | None, label: str, tensor: Any, frame: FrameType) -> bool:
    """Whether what a data breakpoint waits for is true now. Raises what its condition raises."""
    with tensors.quiet():
        if kind == "nan":
            if not (tensor.is_floating_point() or tensor.is_complex()):
                return False
            if bool(torch.isfinite(tensor.sum())):  # much faster than asking each
                return False
            return not bool(torch.isfinite(tensor).all())
        assert code is not None
        names = {"torch": torch, **(user_frame(frame) or frame).f_globals}
        names.update(value=tensor, grad=gradient(tensor))
        if label.isidentifier():
            names[label] = tensor
        return bool(eval(code, names))


def gradient(tensor: Any) -> Any:
    """Its gradient, where torch keeps one."""
    with torch._C.DisableTorchFunction():
        kept = tensor.requires_grad and (tensor.is_leaf or tensor.retains_grad)
        return tensor.grad if kept else None


def facts(tensor: Any, gradients: bool) -> Facts:
    """What a tensor is like now."""
    kept = gradient(tensor) if gradients else None
    known = (0, 0) if kept is None else (id(kept), version(kept))
    with torch._C.DisableTorchFunction():
        return Facts(Memory.of(tensor), tensor.shape, tensor.dtype, tensor.device, known)


def _spelled(fact: Any) -> str:
    return str(tuple(fact) if isinstance(fact, tuple) else fact).removeprefix("torch.")


def _not_finite(tensor: Any) -> str:
    with tensors.quiet():
        nan = int(torch.isnan(tensor).sum())
        inf = tensor.numel() - nan - int(torch.isfinite(tensor).sum())
        return f"{nan} NaN and {inf} Inf in {tensor.numel()} elements"


def _name(func: Any) -> str:
    if type(func) is MethodWrapperType:  # a property
        return f"setting .{naming.name(func.__self__)}"
    return naming.name(func)
