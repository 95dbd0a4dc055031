"""A backend in the test's own process: what it needs of a runtime, and what it says."""

from __future__ import annotations

from typing import Any

from graphdebug.protocol.dap import Configuration
from graphdebug.runtime.breakpoints import Breakpoints
from graphdebug.runtime.data_breakpoints import DataBreakpoints
from graphdebug.runtime.node_breakpoints import NodeBreakpoints
from graphdebug.runtime.recorder import Recorder


class Listening:
    """A runtime, as far as a backend needs one."""

    def __init__(self) -> None:
        self.sent: list[Any] = []
        self.recorder = Recorder(self._send)
        self.configuration = Configuration()
        self.breakpoints = Breakpoints()
        self.node_breakpoints = NodeBreakpoints(self._send)
        self.data_breakpoints = DataBreakpoints(print, self._send, lambda: ())
        self.debugged = False
        self.errors: list[Exception] = []

    def _send(self, event: Any, droppable: bool = False) -> bool:
        self.sent.append(event)
        return True

    def give_up(self, backend: Any, what: str, error: Exception) -> None:
        self.errors.append(error)

    def last_step(self) -> tuple[int, int]:
        """How many nodes the last step had: forward and backward."""
        step = self.sent[-1]().step
        return step.forward_nodes, step.backward_nodes

    @property
    def steps(self) -> int:
        """How many there were."""
        return self.recorder.next_step
