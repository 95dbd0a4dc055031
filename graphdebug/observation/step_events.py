"""``graphdebugStep`` events: the newest step, not more often than anyone can look."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from graphdebug.protocol.dap import GraphdebugStepEvent
from graphdebug.protocol.model import Step
from graphdebug.protocol.wire import to_wire

EVENT_INTERVAL = 0.1
"""Seconds between two events at least."""

Tell = Callable[[str, dict[str, Any]], None]
"""Sends an event to whoever hears them: name and body."""


class StepEvents:
    """Tells of the newest step, ten times a second at most, and always of the last one."""

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self._newest: Step | None = None
        self._timer: asyncio.TimerHandle | None = None

    def add(self, step: Step) -> None:
        """A step came."""
        self._newest = step
        if self._timer is None:
            self._send()

    def flush(self) -> None:
        """Tell of the last step now."""
        if self._timer is not None:
            self._timer.cancel()
        self._send()

    def _send(self) -> None:
        self._timer = None
        if self._newest is not None:
            self._tell("graphdebugStep", to_wire(GraphdebugStepEvent(self._newest)))
            self._newest = None
            self._timer = asyncio.get_running_loop().call_later(EVENT_INTERVAL, self._send)
