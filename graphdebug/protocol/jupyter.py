"""What the Jupyter server's extension says to the sidebar, and the sidebar to it.

Events come on one websocket for each kernel (``graphdebug/kernels/ID/events``), as
``{"event": name, "body": ...}``: those of ``dap.EVENTS``, and those below. Requests are REST:
``GET graphdebug/kernels/ID/steps?begin=0`` and so on for the requests of ``dap.REQUESTS``, whose
bodies they have, and ``PUT`` for the two below.
"""

from __future__ import annotations

from dataclasses import dataclass

from graphdebug.protocol.dap import Configuration
from graphdebug.protocol.model import Source


@dataclass(frozen=True)
class KernelSessionEvent:
    """``session``: the first event, and again where the kernel was started anew or has gone."""

    session: str | None
    """Another one after each restart; None where the kernel isn't observed."""
    configuration: Configuration
    """What is recorded."""


@dataclass(frozen=True)
class KernelStopEvent:
    """``stop``: what the stop is that the debugger tells of next."""

    source: Source
    """Where it stops."""
    step: int | None
    """The step that it belongs to."""
    title: str
    """What it is called, in a few letters."""
    text: str
    """What it stops at, in one sentence."""


@dataclass(frozen=True)
class CellBreakpoint:
    """A breakpoint in a cell."""

    path: str
    """The file that the kernel compiles the cell as."""
    line: int
    """1-based, in the cell."""
    message: str = ""
    """What it is bound to and why, as DAP's message has it; empty in a request."""


@dataclass(frozen=True)
class CellBreakpointsEvent:
    """``breakpoints``: what each of them does, as far as it is known now."""

    breakpoints: tuple[CellBreakpoint, ...]
    """All of the kernel's notebook."""


@dataclass(frozen=True)
class Cell:
    """A code cell."""

    path: str
    """The file that the kernel compiles it as."""
    source: str
    """Its text."""


@dataclass(frozen=True)
class CellBreakpointsArguments:
    """``PUT breakpoints``: the answer is that of ``breakpoints``."""

    cells: tuple[Cell, ...]
    """The notebook's code cells, in their order."""
    breakpoints: tuple[CellBreakpoint, ...]
    """All breakpoints in them."""


EVENTS = {
    "session": KernelSessionEvent,
    "stop": KernelStopEvent,
    "breakpoints": CellBreakpointsEvent,
}
"""Event names and the dataclasses of their bodies."""
