"""Compiled functions that run as plain Python, while a breakpoint with ``staticGraphs: node`` is in them.

A call runs eagerly as a whole: dynamo isn't switched on for it, so nothing is compiled, recompiled or
forgotten, and the next call without a breakpoint finds everything as it was.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from types import CodeType, FrameType
from typing import TYPE_CHECKING, Any

from graphdebug.runtime.backends.torch.graphs import Graph, lines_of, source_of_code

if TYPE_CHECKING:
    from graphdebug.runtime.backends.torch.observer import TorchBackend

RUNS = (
    "runs eagerly while this breakpoint is set; results may differ in the last bits from the compiled "
    "ones (torch.compile compiles {}, and the compiled call that it is part of runs as plain Python)"
)


class EagerFunctions:
    """Decides, at each call of a compiled function, whether it runs eagerly."""

    def __init__(self, backend: TorchBackend) -> None:
        self._backend = backend
        self._inlined: dict[CodeType, set[CodeType]] = {}
        self._local = threading.local()

    @property
    def wanted(self) -> bool:
        """Whether breakpoints in compiled functions stop inside."""
        return (
            self._backend.runtime.configuration.static_graphs == "node" and _strategy() is not None
        )

    def holds(self, code: CodeType) -> bool:
        """Whether a breakpoint stands in a function."""
        path = source_of_code(code)
        lines = self._backend.runtime.breakpoints.files.get(path) if path else None
        return bool(lines) and not lines_of(code).isdisjoint(lines or ())

    def callback(self, frame: FrameType, callback: Any) -> Any:
        """What dynamo is to call for ``frame``'s call; None where it isn't to look at it."""
        files = self._backend.runtime.breakpoints.files
        if not files or callback is False or not self.wanted:
            return callback
        from graphdebug.runtime.backends.torch.compiled import entry

        code = entry(frame)
        if any(map(self.holds, self._within(code, frame.f_locals.get("fn")))):
            _excuse(frame)
            return None
        return self._watching(callback, frame)

    def refuses(self, codes: Sequence[CodeType]) -> bool:
        """Whether a graph that these functions are in is not to be compiled, since one is to run."""
        if not getattr(self._local, "watching", False) or not any(map(self.holds, codes)):
            return False
        self._local.refused = list(codes)
        return True

    def ran(self, entry: CodeType | None, graphs: Iterable[Graph]) -> None:
        """Remember which functions the graphs of a compiled function are made of."""
        if entry is not None:
            known = self._inlined.setdefault(entry, set())
            for graph in graphs:
                known |= graph.codes

    def _within(self, code: CodeType | None, function: Any) -> set[CodeType]:
        found = set() if code is None else {code} | self._inlined.get(code, set())
        modules = getattr(getattr(function, "__self__", None), "modules", None)
        for module in modules() if callable(modules) else ():
            forward = getattr(getattr(type(module), "forward", None), "__code__", None)
            if isinstance(forward, CodeType):
                found.add(forward)
        return found

    def _watching(self, callback: Callable[..., Any], frame: FrameType) -> Callable[..., Any]:
        """``callback``, but a frame that a breakpoint is in, or in what it would inline, is left alone."""
        local = self._local

        def watching(looked_at: Any, *args: Any, **kwargs: Any) -> Any:
            local.refused, local.watching = None, True
            try:
                result = (
                    None if self.holds(looked_at.f_code) else callback(looked_at, *args, **kwargs)
                )
            finally:
                local.watching = False
            if result is not None and local.refused is None:
                return result
            self._inlined.setdefault(looked_at.f_code, set()).update(local.refused or ())
            _excuse(frame)
            return _strategy()

        watching._torchdynamo_orig_backend = callback  # type: ignore[attr-defined]
        return watching


def _strategy() -> Any:
    """What tells dynamo to leave a frame alone, this once, and what it calls; None where it can't be."""
    try:
        from torch._dynamo.types import ConvertFrameReturn, FrameAction, FrameExecStrategy

        strategy = FrameExecStrategy(FrameAction.SKIP, FrameAction.SKIP)
        return ConvertFrameReturn(frame_exec_strategy=strategy, apply_to_code=False)
    except (ImportError, TypeError, AttributeError):
        return None


def _excuse(frame: FrameType) -> None:
    """A call with ``fullgraph`` counts its graphs and insists on one; this one is not to count."""
    if frame.f_locals.get("fullgraph_count_enabled"):
        from torch._C._dynamo import eval_frame

        eval_frame.set_fullgraph_compiled_frame_count(-1)
