"""Finds where NaN and Inf come about in eager code of one thread: in forward, in backward, in an update.

An operation *made* a NaN or an Inf where its inputs were finite, or a NaN where they held none. What came
from outside (data, constants) is none that it made. It is told once it does harm: it reached what a tape's
gradient is asked of, a gradient, a variable that is trained, or a number that the program reads.

The tensors of the open step are kept (``eager_trail``), and none of them is looked at until harm is done:
only losses, gradients and variables are. With the filter ``graphdebug.nan`` each result that a tape follows
is looked at as it comes.
"""

from __future__ import annotations

import math
import weakref
from collections.abc import Iterable, Sequence
from types import FrameType
from typing import TYPE_CHECKING, Any

from graphdebug.runtime import debugger
from graphdebug.runtime.backends.tensorflow import finite
from graphdebug.runtime.backends.tensorflow.operations import function_named
from graphdebug.runtime.backends.tensorflow.troubles import Trouble, at
from graphdebug.runtime.backends.tensorflow.variables import (
    called,
    handle_of,
    is_variable,
    name_in,
    value_of,
)
from graphdebug.runtime.frames import locals_of, source_of, user_frame

if TYPE_CHECKING:
    from graphdebug.runtime.backends.tensorflow.eager_kept import Kept
    from graphdebug.runtime.backends.tensorflow.eager_trail import Trail

NAN = "graphdebug.nan"
"""The exception filter that stops where a NaN or an Inf comes about."""

TITLE = "NaN or Inf"
_GARBAGE = (
    "Empty",
    "OptionalGetValue",
    "IteratorGetNext",
    "IteratorGetNextSync",
    "EagerPyFunc",
    "PyFunc",
)
_WRITES = ("Assign", "ResourceApply", "ResourceSparseApply", "ResourceScatter")
_READS = ("ReadVariableOp", "ResourceGather")
_TOLD_LIMIT = 64
_MARKS_LIMIT = 1024
UNKNOWN = (
    "; which of its nodes did isn't known, since nothing inside of it was watched: with the filter "
    "graphdebug.nan each call is"
)
_SCALER = "LossScaleOptimizer"
"""Of Keras: it expects gradients to overflow, and leaves out the step."""


class EagerWatch:
    """One thread's, which alone calls it."""

    def __init__(self, trail: Trail) -> None:
        self._trail = trail
        self._backend = trail.backend
        self._marks: dict[int, tuple[weakref.ref[Any], Trouble]] = {}
        self._parameters: dict[int, weakref.ref[Any]] = {}
        self._spoilt: dict[int, weakref.ref[Any]] = {}
        """Handles of variables that held one before, which was said then."""
        self._loss_spoilt = False

    @property
    def on(self) -> bool:
        """Whether it looks at all."""
        return self._backend.watches_nan

    @property
    def stops(self) -> bool:
        """Whether it stops."""
        return bool(self._backend.runtime.stops.filtered(NAN)) and not debugger.suspended()

    # -- operations

    def made(self, kept: Kept, frame: FrameType | None) -> None:
        """An operation has run."""
        made = kept.event.made
        if made is None:
            return
        if self.stops and self._taped():
            self._look(kept, frame)
        if made.kind.startswith("Assign") and made.phase == "forward" and len(kept.inputs) > 1:
            known = self._parameters.get(id(kept.inputs[0]))
            variable = None if known is None else known()
            if variable is not None and not finite.finite(kept.inputs[1]):
                self._spoil(variable)
                harm = f"it is written to the variable {called(frame, variable)}"
                self.harm(kept.inputs[1], harm, frame)

    def _look(self, kept: Kept, frame: FrameType | None) -> None:
        """Stop at an operation that makes one."""
        for output in kept.outputs:
            held = finite.kind(output)
            if not held:
                continue
            trouble = self._trouble(kept, held, output, self._known(), frame)
            self._mark(output, trouble)
            if trouble.made and frame is not None:
                shown = {"inputs": kept.inputs, "output": output}
                self._stop(trouble, trouble.text(""), shown, frame)

    @staticmethod
    def _taped() -> bool:
        from tensorflow.python.eager import record

        return bool(record.could_possibly_record())

    def forget(self, kept: Kept) -> None:
        """The tensors of an operation aren't kept any longer: what they held is."""
        for output in kept.outputs:
            if held := finite.kind(output):
                self._mark(output, self._trouble(kept, held, output, self._known(), None))

    def _mark(self, tensor: Any, trouble: Trouble) -> None:
        if len(self._marks) < _MARKS_LIMIT:
            self._marks[id(tensor)] = weakref.ref(tensor), trouble

    def mark(self, tensors: Iterable[Any], trouble: Trouble) -> None:
        """What made these not finite is known, of a compiled function's nodes."""
        for tensor in tensors:
            self._mark(tensor, trouble)

    def _known(self) -> dict[int, Trouble]:
        return {key: item for key, (ref, item) in self._marks.items() if ref() is not None}

    # -- where they do harm

    def asked(self, target: Any, frame: FrameType | None) -> None:
        """A tape's gradient is asked of these."""
        bad = [item for item in target if not finite.finite(item)]
        self._loss_spoilt = bool(bad)
        for item in bad:
            if not _scaled(frame):
                self.harm(item, "it is in what tape.gradient is asked of", frame, data=True)

    def differentiated(
        self, sources: Sequence[Any], gradients: Sequence[Any], frame: FrameType | None
    ) -> None:
        """The gradients are there."""
        for source in sources:
            handle = handle_of(source)
            known = self._parameters.get(id(handle))
            if handle is not None and (known is None or known() is not source):
                self._parameters[id(handle)] = weakref.ref(source)
        if self._loss_spoilt or _scaled(frame):
            return
        for source, gradient in zip(sources, gradients, strict=False):
            if gradient is not None and not finite.finite(gradient):
                values = gradient.values if hasattr(gradient, "dense_shape") else gradient
                name = called(frame, source) if is_variable(source) else "a tensor"
                self.harm(values, f"it is in the gradient of {name}", frame)
                return

    def updated(self, name: str, variables: Iterable[Any], frame: FrameType | None) -> None:
        """An optimizer wrote these: what its operations wrote is looked at, not the variables.

        To read one would make a tensor, and TensorFlow numbers tensors and names functions by the count.
        """
        wrote = []
        for kept in reversed(self._trail.kept):
            made = kept.event.made
            if made is None or made.phase != "optimizer":
                break
            if made.kind.startswith(_WRITES):
                wrote.append(kept)
        known = {id(handle_of(item)): item for item in variables}
        for kept in reversed(wrote):
            bad = [item for item in kept.inputs[1:] if not finite.finite(item)]
            handle = handle_of(kept.inputs[0])
            if not bad or self._is_spoilt(handle):
                continue
            self._spoil(handle)
            variable = known.get(id(handle))
            if variable is not None and not self._loss_spoilt:
                harm = f"it is in the variable {called(frame, variable)} after {name}"
                self.harm(bad[0], harm, frame)

    def read(self, tensor: Any) -> None:
        """The program reads a number that isn't finite."""
        frame = user_frame()
        if frame is not None and self._trail.kept:
            troubles = self._troubles(frame)
            found = troubles.get(id(tensor))
            if found is not None and found.root.made:
                self._tell(found, "the program reads it", frame)

    def _spoil(self, variable: Any) -> None:
        handle = handle_of(variable)
        if handle is not None:
            self._spoilt[id(handle)] = weakref.ref(handle)

    def _is_spoilt(self, variable: Any) -> bool:
        handle = handle_of(variable)
        known = self._spoilt.get(id(handle))
        return known is not None and known() is handle

    def harm(self, tensor: Any, harm: str, frame: FrameType | None, data: bool = False) -> None:
        """A tensor that isn't finite is where it does harm; ``data``: even if it came in with data."""
        found = self._troubles(frame).get(id(tensor))
        if found is None:
            if not data:
                return
            source = None if frame is None else source_of(frame)
            why = "it came in with data, or with a variable"
            found = Trouble(finite.kind(tensor), "the loss", source, made=False, why=why)
        if found.root.made or data:
            self._tell(found, harm, frame)

    # -- what made them

    def _troubles(self, frame: FrameType | None) -> dict[int, Trouble]:
        """Of each tensor of the step that isn't finite, what made it so."""
        found = self._known()
        for kept in self._trail.kept:
            for output in kept.outputs:
                held = finite.kind(output) if id(output) not in found else ""
                if held:
                    found[id(output)] = self._trouble(kept, held, output, found, frame)
        return found

    def _trouble(
        self,
        kept: Kept,
        held: finite.Kind,
        output: Any,
        known: dict[int, Trouble],
        frame: FrameType | None,
    ) -> Trouble:
        made = kept.event.made
        assert made is not None
        source, differentiated = made.source, ""
        if made.forward >= 0:
            forward = next(item.made for item in kept.event.path() if item.depth == made.forward)
            if forward is not None:
                source, differentiated = forward.source, forward.kind
        trouble = Trouble(held, made.kind, source, node=kept.event.depth)
        trouble.differentiated = differentiated
        trouble.label = function_named(made.kind)
        trouble.shown = {"inputs": kept.inputs, "output": output}
        inputs = [(item, _tensor(item)) for item in kept.inputs]
        bad = [(item, tensor) for item, tensor in inputs if not finite.finite(tensor)]
        parents = [known[id(item)] for item, _ in bad if id(item) in known]
        parents.sort(key=lambda item: not item.root.made)
        odd = any(isinstance(item, float) and not math.isfinite(item) for item in kept.inputs)
        spread = held == "inf" or any(finite.kind(tensor) == "nan" for _, tensor in bad)
        garbage = made.kind in _GARBAGE or odd
        if made.kind in _READS and kept.inputs:
            return self._came_out_of(trouble, kept.inputs[0], output, frame)
        if garbage or (bad and spread) or (parents and parents[0].root.made):
            trouble.made = False
            trouble.parent = parents[0] if parents else None
            trouble.why = "it came with data, or out of Python"
            if bad and not parents:
                trouble.why = _words(*bad[0], frame)
                trouble.told = self._is_spoilt(bad[0][0])
            return trouble
        clean = "held Inf, but no NaN" if bad else "were finite"
        words = "; ".join(_words(item, tensor, frame) for item, tensor in inputs[:3])
        trouble.why = f"from inputs that {clean}: {words}" if inputs else "out of nothing"
        trouble.why += UNKNOWN if trouble.label else ""
        trouble.exploded = held == "inf" and any(finite.exploded(each) for _, each in inputs)
        return trouble

    def _came_out_of(
        self, trouble: Trouble, handle: Any, output: Any, frame: FrameType | None
    ) -> Trouble:
        """A variable was read that holds one."""
        known = self._parameters.get(id(handle))
        variable = None if known is None else known()
        name = "a variable" if variable is None else called(frame, variable)
        trouble.made, trouble.told = False, self._is_spoilt(handle)
        trouble.why = f"{name}: {finite.said(output)}"
        return trouble

    def over(self) -> None:
        """The step is over."""
        if self._marks:
            self._marks = {key: item for key, item in self._marks.items() if item[0]() is not None}

    # -- saying so

    def _tell(self, trouble: Trouble, harm: str, frame: FrameType | None) -> None:
        root = trouble.root
        if root.told:
            return
        root.told = True
        text = root.text(f"{trouble.way()}; {harm}{at(source_of(frame)) if frame else ''}")
        told, key = self._backend.nan_told, (root.kind, root.name, root.source)
        if key not in told and len(told) < _TOLD_LIMIT:
            told.add(key)
            alert = self._backend.runtime.recorder.alert
            alert(root.kind or "nan", text, source=root.source, node=root.node)
            if self.stops and frame is not None and not root.stopped:
                later = f"; stopped later, at {harm}" if root.source != source_of(frame) else ""
                self._stop(root, text + later, root.shown or {}, frame)

    def _stop(self, trouble: Trouble, text: str, shown: dict[str, Any], frame: FrameType) -> None:
        """Stop at the line of what made it."""
        runtime = self._backend.runtime
        source, step = trouble.source or source_of(frame), runtime.recorder.next_step
        trouble.stopped = True
        if frame.f_code.co_name != "<module>" and source == source_of(frame):
            shown = {**locals_of(frame), **shown}

        def show() -> None:
            debugger.show(source.path, source.line, trouble.name, shown, frame.f_globals)

        runtime.node_stops.stop(
            "exception", source, step, f"{text} (step {step})", show, inside=False,
            title=TITLE, filter=NAN,
        )  # fmt: skip


def _tensor(item: Any) -> Any:
    """The tensor that an operation got; of a variable the value that it has now."""
    return value_of(item) if is_variable(item) else item


def _words(item: Any, tensor: Any, frame: FrameType | None) -> str:
    name = called(frame, item) if is_variable(item) else name_in(frame, item)
    return f"{name}: {finite.said(tensor)}" if name else finite.said(tensor)


def _scaled(frame: FrameType | None) -> bool:
    """Whether the loss was scaled by an optimizer of Keras's that expects it to overflow."""
    scopes = () if frame is None else (frame.f_globals, locals_of(frame))
    return any(type(item).__name__ == _SCALER for scope in scopes for item in list(scope.values()))
