"""Stops at autograd Nodes while the engine runs them, at the lines whose operations made them."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch

from graphdebug.protocol.model import Source
from graphdebug.runtime import debugger
from graphdebug.runtime.backends.torch import modes
from graphdebug.runtime.backends.torch.node_locals import node_locals
from graphdebug.runtime.backends.torch.records import Pass
from graphdebug.runtime.backends.torch.stopping_nodes import Past, Stopping
from graphdebug.runtime.frames import module_globals, source_of, user_frame
from graphdebug.runtime.node_stops import Move

if TYPE_CHECKING:
    from graphdebug.runtime.backends.torch.trail import Trail

TITLE = "Backward"
OVER = "Backward over"
"""What stops are called, in a few letters."""

_running = torch._C._current_autograd_node


class BackwardStops:
    """Those of one thread, which alone calls this. Passes may run within passes."""

    def __init__(self, trail: Trail) -> None:
        self.trail = trail
        self.past = Past()
        self.move: Move = ""
        """What the user did at the last stop."""

    @property
    def stepping(self) -> bool:
        """Whether the user steps to the next Node, or into the pass."""
        backward = self.trail.backend.runtime.configuration.backward
        return self.move == "step" or (backward and debugger.stepping_in())

    def begin(
        self, event: Pass, nodes: Sequence[Any], seqs: Sequence[int | None]
    ) -> StoppingPass | None:
        """A pass is going to run; None where nothing of it stops.

        ``seqs``: the sequence numbers of those Nodes that operations of earlier steps may have made.
        """
        runtime = self.trail.backend.runtime
        if not debugger.attached() or debugger.suspended():
            return None
        stopping = Stopping(runtime, self.past, event, seqs)
        wanted = stopping.of_the_user() if self.stepping else stopping.at
        return StoppingPass(self, event, stopping, nodes, wanted) if wanted else None

    def over(self, failed: bool) -> None:
        """No pass runs any more: a step out of the last one ends where it was called."""
        move, self.move = self.move, ""
        if not move or failed or (frame := user_frame()) is None:
            return
        runtime = self.trail.backend.runtime
        runtime.node_stops.stop(
            "step",
            source_of(frame),
            runtime.recorder.next_step,
            f"the backward pass is over{self.trail.step_text()}",
            lambda: debugger.stop_at(frame),
            inside=False,
            title=OVER,
        )


class StoppingPass:
    """One run of the engine that may stop: with hooks on the Nodes that may, and no others.

    It holds the Nodes, which the engine holds as long, until ``end``.
    """

    def __init__(
        self,
        stops: BackwardStops,
        event: Pass,
        stopping: Stopping,
        nodes: Sequence[Any],
        wanted: Sequence[int],
    ) -> None:
        self._stops, self._event, self._stopping = stops, event, stopping
        self._runtime = stops.trail.backend.runtime
        self._nodes = list(nodes)
        self._handles: list[Any] = []
        self._hooked: set[int] = set()
        self._single_threaded: Any = None
        if any(item.device.type != "cpu" for at in wanted for item in nodes[at]._input_metadata):
            # The engine runs these in threads of its own, where nothing of the user's is on the stack.
            self._single_threaded = torch.autograd.set_multithreading_enabled(False)
        try:
            self._hook(wanted)
        except Exception:
            self.end()
            raise

    def end(self) -> None:
        """The engine is done: take the hooks out."""
        for handle in self._handles:
            handle.remove()
        self._handles.clear()
        self._nodes.clear()
        if self._single_threaded is not None:
            self._single_threaded.__exit__(None, None, None)

    def _hook(self, wanted: Sequence[int]) -> None:
        for at in wanted:
            if at not in self._hooked:
                self._hooked.add(at)
                hook = functools.partial(self._runs, at)
                self._handles.append(self._nodes[at].register_prehook(hook))

    def _runs(self, at: int, gradients: Any) -> None:
        """A Node is about to run, with these gradients."""
        trail = self._stops.trail
        if trail.standing:
            return
        try:
            if debugger.attached():
                self._look(at, gradients)
        except Exception as error:
            trail.backend.fail("a stop in backward", error)

    def _look(self, at: int, gradients: Any) -> None:
        runtime, name = self._runtime, self._event.nodes[at].name
        maker = self._stopping.makers[at]
        source = maker.source if maker is not None else None
        names = node_locals(_running(), name, gradients)
        place = source or _caller()
        if place is None:
            return
        scope = module_globals(source.path) if source is not None else {}
        lines = runtime.breakpoints if runtime.configuration.backward else None
        breakpoint = lines.at(source.path, source.line) if lines and source else None
        by_name = runtime.node_breakpoints.hit(
            runtime.node_breakpoints.matching(name), names, scope
        )
        hit = False
        if lines and source and breakpoint:
            hit = lines.hit(source.path, breakpoint, names, scope)
            if breakpoint.log_message:
                stops = by_name or self._stops.stepping  # then debugpy logs, in the frame shown
                if hit and not stops:
                    runtime.log(lines.log_text(breakpoint, names, scope), source)
                hit = False
        if not (hit or by_name or (source is not None and self._stops.stepping)):
            return
        if debugger.stepping_in():
            debugger.end_step()
        made = f", made by {maker.name}" if maker is not None and source is not None else ""
        with modes.aside(self._stops.trail):
            self._stops.move = runtime.node_stops.stop(
                "breakpoint" if hit else "function breakpoint" if by_name else "step",
                place,
                runtime.recorder.next_step,
                f"{name} in backward{made}{self._stops.trail.step_text()}",
                lambda: debugger.show(place.path, place.line, name, names, scope),
                title=TITLE,
                hit=by_name,
            )
        stepping = self._stops.move == "step"
        self._hook(self._stopping.of_the_user() if stepping else self._stopping.at)


def _caller() -> Source | None:
    """The line that called backward, for a Node that no line made; None in a thread that has none."""
    frame = user_frame()
    return None if frame is None else source_of(frame)
