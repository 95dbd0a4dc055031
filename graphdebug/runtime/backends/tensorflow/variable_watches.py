"""Data breakpoints on TensorFlow's variables, and on names that are bound to tensors.

Nothing counts the writes to a variable. But while somebody holds the tensor that it held, a write puts
another memory in its place: so the last one is held, and its address compared after each operation. A
compiled function is one operation, which is over then. Nothing here is called while none is set.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from types import CodeType, FrameType
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from graphdebug.protocol.model import Source
from graphdebug.protocol.runtime import DataBreakpoint
from graphdebug.runtime import debugger
from graphdebug.runtime.backends.tensorflow import finite, tensors
from graphdebug.runtime.backends.tensorflow.operations import Operation, function_named
from graphdebug.runtime.backends.tensorflow.variables import handle_of, is_variable, value_of
from graphdebug.runtime.breakpoints import meets_hit_condition
from graphdebug.runtime.data_breakpoints import KINDS, Target, bound_at
from graphdebug.runtime.frames import source_of, user_frame

if TYPE_CHECKING:
    from graphdebug.runtime.backends.tensorflow import TensorFlow

TITLE = "Data breakpoint"
GONE = "no longer watched: the variable that {} named is gone"
UNSEEN = "code that isn't seen (another thread's, or C++)"
NO_GRADIENT = (
    "variables of TensorFlow's have no gradient of their own: tape.gradient returns it, and a breakpoint "
    "there shows it"
)
IMMUTABLE = (
    "TensorFlow's tensors are never written: watch the variable that it was read from, or its name, which "
    "may be bound to another one"
)
SYMBOLIC = "symbolic: it has no value until the graph runs; a breakpoint on its line stops there"
ELSEWHERE = "it is not on the CPU, and asking it would wait for its device"
FIXED = ("dtype", "device")
"""What never changes of a variable."""


class Facts(NamedTuple):
    """What a variable, or a tensor, was like when it was last looked at."""

    address: int
    shape: tuple[int, ...]
    dtype: str
    device: str


class Hit(NamedTuple):
    """A data breakpoint that stops."""

    id: int
    text: str
    frame: FrameType | None = None
    """Of a name that was bound anew: its function's."""
    line: int | None = None
    """The line that bound it."""


class Watched:
    """One data breakpoint."""

    def __init__(self, breakpoint: DataBreakpoint, target: Target, fail: Callable[[str], None]):
        self.breakpoint, self.target = breakpoint, target
        text = (breakpoint.condition or "").strip()
        self.kind = text if text in KINDS or not text else "expression"
        self.gone = False
        self._code = compiled(text) if self.kind == "expression" else None
        self._fail, self._failed = fail, False
        self._hits = 0
        self._current = target.tensor
        self._held: Any = None
        self._facts: Facts | None = None
        self._holds: bool | None = None
        self._absent = False
        self._last: int | None = None

    def look(self, frame: FrameType | None, by: str) -> Hit | None:
        """Compare with what it was; ``by`` is the operation that is over."""
        value = self.target.value(frame)
        if value is None and not self.target.named and not self.gone:
            self.gone = True
            self._fail(GONE.format(self.target.label))
        tensor = _tensor(value)
        if tensor is None:
            self._absent = self._absent or self._facts is None
            self._step(frame)
            return None
        anew = self._current() is not value
        bound = anew and (self._facts is not None or self._absent)
        if anew:
            self._current = self.target.backend.weakly(value)
        before, self._facts = self._facts, facts(tensor)
        wrote = before is not None and not anew and before.address != self._facts.address
        if wrote and is_variable(value):
            wrote = self._is_other(value, tensor)
        # Held on purpose: what is written next gets another address.
        self._held = tensor if is_variable(value) else None
        what = self._what(value, tensor, before, bound, f"written by {by}" if wrote else "", frame)
        place = self._place(frame) if bound and what else (None, None)
        self._step(frame)
        if not what or not self._counts():
            return None
        late = ", before this line ran" if bound and place[1] is None else ""
        text = f"{self.target.label} {what}{late}; it is {tensors.header(value)}"
        return Hit(self.breakpoint.id, text, *place)

    def _is_other(self, variable: Any, tensor: Any) -> bool:
        """Whether it holds other numbers, of a variable that TensorFlow copies for each reader."""
        again = value_of(variable)
        if again is None or facts(again).address == facts(tensor).address:
            return True
        held = self._held
        return held is None or bytes(memoryview(held)) != bytes(memoryview(tensor))

    def _what(
        self,
        value: Any,
        tensor: Any,
        before: Facts | None,
        bound: bool,
        wrote: str,
        frame: FrameType | None,
    ) -> str:
        """What happened that it stops for; empty for nothing."""
        assert self._facts is not None
        how = "was bound to another tensor" if bound else f"was {wrote}" if wrote else ""
        if self.kind == "":
            return how
        if self.kind in Facts._fields:
            if before is None or getattr(before, self.kind) == getattr(self._facts, self.kind):
                return ""
            was, now = getattr(before, self.kind), getattr(self._facts, self.kind)
            return f"changed its {self.kind} from {was} to {now}"
        if not (how or self._holds is None):
            return ""
        held, self._holds = False if bound else self._holds, self._is_so(value, tensor, frame)
        if held is not False or not self._holds:
            return ""
        return f"{how}, and " + (
            f"holds {finite.kind(tensor)}" if self.kind == "nan" else "its condition is true"
        )

    def _is_so(self, value: Any, tensor: Any, frame: FrameType | None) -> bool:
        """Whether its condition is true; one that raises isn't, and that is said once."""
        try:
            return ask(self.kind, self._code, self.target.label, value, tensor, frame)
        except Exception as error:
            if not self._failed:
                self._failed = True
                self._fail(f"its condition counts as false: {type(error).__name__}: {error}")
            return False

    def _counts(self) -> bool:
        self._hits += 1
        wanted = self.breakpoint.hit_condition
        return not wanted or meets_hit_condition(wanted, self._hits)

    def _place(self, frame: FrameType | None) -> tuple[FrameType | None, int | None]:
        """The line that bound the name, where its function has gone on since."""
        around = self.target.frame(frame)
        if around is None or self._last is None:
            return None, None
        return around, bound_at(around.f_code, self.target.label, self._last, around.f_lasti)

    def _step(self, frame: FrameType | None) -> None:
        around = self.target.frame(frame) if self.target.named else None
        if around is not None:
            self._last = around.f_lasti


class VariableWatches:
    """All that are set. Called by the threads that run operations."""

    def __init__(self, backend: TensorFlow, watched: Sequence[Watched]) -> None:
        self._backend = backend
        self.watched = tuple(watched)

    def before(self, operation: Operation) -> None:
        """An operation is about to run."""
        self._look(lambda item: UNSEEN)

    def after(self, operation: Operation, result: Any, ns: int) -> None:
        """An operation has run."""
        self._look(lambda item: _by(operation, item))

    def _look(self, by: Callable[[Watched], str]) -> None:
        frame = None if debugger.suspended() else user_frame()
        if frame is None:
            return  # where the user evaluates, it is they who wrote it
        found = [item.look(frame, by(item)) for item in self.watched if not item.gone]
        hits = [hit for hit in found if hit is not None]
        if hits:
            self._stop(frame, hits)

    def _stop(self, frame: FrameType, hits: Sequence[Hit]) -> None:
        source = source_of(frame)
        show: Callable[[], None] = lambda: debugger.stop_at(frame)  # noqa: E731
        first = hits[0]
        if first.frame is not None and first.line not in (None, first.frame.f_lineno):
            source, show = bound_there(first.frame, first.line or 0)
        runtime = self._backend.runtime
        runtime.node_stops.stop(
            "data breakpoint",
            source,
            runtime.recorder.next_step,
            "; ".join(hit.text for hit in hits),
            show,
            inside=False,
            title=TITLE,
            hit=tuple(hit.id for hit in hits),
        )


def _by(operation: Operation, item: Watched) -> str:
    """What is to be said of who wrote it, if it was."""
    function = function_named(operation.kind)
    if function:
        return f"{function}, which is over now: it stopped later"
    handle = handle_of(item.target.tensor())
    given = any(each is handle for each in operation.inputs)
    return operation.kind if given or item.target.named else UNSEEN


def bound_there(frame: FrameType, line: int) -> tuple[Source, Callable[[], None]]:
    """A stop at a line of a frame that has gone on since."""
    source, code = source_of(frame), frame.f_code
    shown = {} if code.co_name == "<module>" else dict(frame.f_locals)
    there = Source(source.path, line, source.function)
    return there, lambda: debugger.show(
        code.co_filename, line, code.co_name, shown, frame.f_globals
    )


def unwatchable(value: Any, named: bool) -> str:
    """Why it can't have a data breakpoint; empty where it can."""
    if tensors.symbolic(value):
        return SYMBOLIC
    if not is_variable(value):
        return "" if named and _tensor(value) is not None else IMMUTABLE
    return "" if _tensor(value) is not None else ELSEWHERE


def wrong(target: Target, text: str, frame: FrameType) -> str:
    """Why a condition can't be asked of a target; may raise what it raises."""
    value = target.tensor()
    tensor = _tensor(value)
    if tensor is None:
        return GONE.format(target.label)
    if text in ("grad", "no grad"):
        return NO_GRADIENT
    if text in FIXED and not target.named:
        return f"the {text} of a variable never changes"
    if text and text not in KINDS:
        inner = target.frame(frame) or user_frame(frame) or frame
        ask("expression", compiled(text), target.label, value, tensor, inner)
    return ""


def compiled(text: str) -> CodeType:
    """A condition. Raises SyntaxError."""
    return compile(ast.parse(text.strip(), mode="eval"), "<data breakpoint>", "eval")


def ask(
    kind: str, code: CodeType | None, label: str, value: Any, tensor: Any, frame: FrameType | None
) -> bool:
    """Whether what a data breakpoint waits for is true now. Raises what its condition raises."""
    if kind == "nan":
        return not finite.finite(tensor)
    import tensorflow

    assert code is not None
    around = user_frame(frame) if frame is not None else None
    names = {"tf": tensorflow, **(around.f_globals if around is not None else {})}
    names.update(value=tensor)
    if label.isidentifier():
        names[label] = value
    with tensors.quiet():
        return bool(eval(code, names))


def facts(tensor: Any) -> Facts:
    """What a tensor is like now."""
    array = tensor._numpy_internal() if tensor._shape_tuple() else np.asarray(memoryview(tensor))
    address = int(array.__array_interface__["data"][0])
    return Facts(address, tensor._shape_tuple(), tensor.dtype.name, tensor.device)


def _tensor(value: Any) -> Any:
    """What a variable holds, or a tensor itself; None where that can't be asked without waiting."""
    if value is None or not (is_variable(value) or hasattr(value, "_numpy_internal")):
        return None
    tensor = value_of(value) if is_variable(value) else value
    if tensor is None or "CPU" not in tensor.backing_device:
        return None
    return None if tensor.dtype.name in ("resource", "variant", "string") else tensor
