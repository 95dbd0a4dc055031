"""Stops at operations by name, before they run."""

from __future__ import annotations

import functools
from types import FrameType, MethodWrapperType
from typing import TYPE_CHECKING, Any

import torch

from graphdebug.runtime import debugger
from graphdebug.runtime.backends.torch import modes, naming
from graphdebug.runtime.backends.torch.records import executed, tensors
from graphdebug.runtime.backends.torch.variables import locals_of
from graphdebug.runtime.frames import source_of, user_frame

if TYPE_CHECKING:
    from graphdebug.runtime.backends.torch.trail import Trail

TITLE = "Operation"
"""What stops are called, in a few letters."""

_PROPERTIES = frozenset(("T", "mT", "H", "mH", "data", "real", "imag"))
"""Attributes that are operations; the others tell of a tensor, or hand out one that there is."""


class ForwardStops:
    """Those of one thread, which alone calls this."""

    def __init__(self, trail: Trail) -> None:
        self._trail = trail

    def before(self, func: Any, args: Any, kwargs: Any, caller: FrameType) -> None:
        """An operation is about to run, called by ``caller``; breakpoints on nodes by name are set."""
        trail = self._trail
        if trail.standing or trail.updating:
            return
        if type(func) is MethodWrapperType:
            func = func.__self__
            if naming.name(func) not in _PROPERTIES:
                return
        name = naming.name(func)
        op_type = naming.op_type(name)
        runtime = trail.backend.runtime
        matching = runtime.node_breakpoints.matching(name, op_type)
        if matching and _is_operation(op_type) and debugger.attached():
            given = tuple(tensors((args, tuple((kwargs or {}).values()))))
            runs = not given or executed(given)
            if runs and torch._C._get_tracing_state() is None and not debugger.suspended():
                self._look(matching, name, op_type, (args, kwargs or {}, given), caller)

    def _look(
        self,
        matching: Any,
        name: str,
        op_type: str,
        given: tuple[Any, Any, Any],
        caller: FrameType,
    ) -> None:
        frame = user_frame(caller)
        if frame is None:
            return
        trail, runtime = self._trail, self._trail.backend.runtime
        phase = "backward" if trail.in_backward else "forward"
        names = {
            "inputs": given[2],
            "args": given[0],
            "kwargs": given[1],
            "node": name,
            "op_type": op_type,
            "phase": phase,
        }
        scope = frame.f_globals
        hit = runtime.node_breakpoints.hit(matching, names, {**scope, **locals_of(frame)})
        if not hit:
            return
        source, ahead = source_of(frame), int(trail.begins(given[2]))
        with modes.aside(trail):
            runtime.node_stops.stop(
                "function breakpoint",
                source,
                runtime.recorder.next_step + ahead,
                f"{name} ({op_type}) in {phase}, before it runs{trail.step_text(ahead)}",
                lambda: debugger.show(source.path, source.line, name, names, scope),
                inside=False,
                title=TITLE,
                hit=hit,
            )


@functools.lru_cache(maxsize=4096)
def _is_operation(op_type: str) -> bool:
    """Whether it makes tensors; ``aten::size`` and the like don't."""
    if not op_type.startswith("aten::"):
        return op_type.partition("::")[2] not in _TELLING
    schemas = torch._C._jit_get_schemas_for_operator(op_type)
    return any("Tensor" in str(item.type) for schema in schemas for item in schema.returns)


_TELLING = frozenset(
    (
        "setitem",
        "get",
        "size",
        "backward",
        "tolist",
        "numpy",
        "requires_grad_",
        "grad",
        "len",
        "repr",
    )
)
"""Functions without a schema of ATen's that make no tensor."""
