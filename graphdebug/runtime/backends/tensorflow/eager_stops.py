"""Stops at eager operations by name, before they run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from graphdebug.protocol.runtime import NodeBreakpoint
from graphdebug.runtime import debugger
from graphdebug.runtime.backends.tensorflow.operations import COMPILED, Operation
from graphdebug.runtime.frames import locals_of, source_of, user_frame

if TYPE_CHECKING:
    from graphdebug.runtime.backends.tensorflow import TensorFlow

TITLE = "Operation"
"""What stops are called, in a few letters."""


class EagerStops:
    """Called on the threads that run operations, while breakpoints on nodes by name are set."""

    def __init__(self, backend: TensorFlow) -> None:
        self._backend = backend
        self._runtime = backend.runtime

    def before(self, operation: Operation) -> None:
        """An operation is about to run."""
        if operation.kind.startswith(COMPILED):
            return
        names = (operation.kind, operation.name) if operation.name else (operation.kind,)
        matching = self._runtime.node_breakpoints.matching(*names)
        if matching and debugger.attached() and not debugger.suspended():
            self._look(matching, operation)

    def _look(self, matching: tuple[NodeBreakpoint, ...], operation: Operation) -> None:
        frame = user_frame()
        if frame is None:
            return
        runtime, phase = self._runtime, self._backend.calls.phase
        scope, shown_as = frame.f_globals, operation.name or operation.kind
        names = {
            "inputs": operation.inputs,
            "attributes": operation.attributes,
            "node": shown_as,
            "op_type": operation.kind,
            "phase": phase,
        }
        hit = runtime.node_breakpoints.hit(matching, names, {**scope, **locals_of(frame)})
        if not hit:
            return
        source, step = source_of(frame), runtime.recorder.next_step
        called = f"{operation.name} ({operation.kind})" if operation.name else operation.kind
        runtime.node_stops.stop(
            "function breakpoint",
            source,
            step,
            f"{called} in {phase}, before it runs (step {step})",
            lambda: debugger.show(source.path, source.line, shown_as, names, scope),
            inside=False,
            title=TITLE,
            hit=hit,
        )
