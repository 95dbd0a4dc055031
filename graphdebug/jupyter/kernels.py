"""The kernels of a server: the session of each, and the pages that look at it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from graphdebug.jupyter.cells import CellBreakpoints
from graphdebug.jupyter.session import KernelSession
from graphdebug.protocol.dap import Configuration
from graphdebug.protocol.jupyter import (
    CellBreakpointsArguments,
    CellBreakpointsEvent,
    KernelSessionEvent,
)
from graphdebug.protocol.runtime import Invitation
from graphdebug.protocol.wire import to_wire

Listener = Callable[[str, dict[str, Any]], None]
"""Gets each event's name and body."""


class Kernel:
    """One of them. It outlives its sessions, of which there is one from each start to the next."""

    def __init__(self, configuration: Configuration) -> None:
        self.configuration = configuration
        self.session: KernelSession | None = None
        self.breakpoints = CellBreakpoints()
        self._listeners: list[Listener] = []

    async def open(self) -> Invitation:
        """It is about to start, or a kernel that runs already joins."""
        await self.close()
        session = KernelSession(self.configuration, self.breakpoints, self.tell)
        invitation = await session.open()
        self.session = session
        self._tell_session()
        return invitation

    async def close(self) -> None:
        """It has ended, or is about to be started anew."""
        session, self.session = self.session, None
        if session is not None:
            await session.close()
            self._tell_session()

    async def configure(self, configuration: Configuration) -> None:
        """Record something else from now on."""
        self.configuration = configuration
        if self.session is not None:
            await self.session.configure(configuration)
            self._tell_session()

    def set_breakpoints(self, arguments: CellBreakpointsArguments) -> CellBreakpointsEvent:
        """The page tells of the notebook's breakpoints; what each of them does."""
        self.breakpoints.observed = self.session is not None and self.configuration.capture != "off"
        self.breakpoints.static_graphs = self.configuration.static_graphs
        return self.breakpoints.replace(arguments)

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Tell somebody how things are, and then of each event, until what is returned is called."""
        listener("session", self._session_event())
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    @property
    def listened_to(self) -> bool:
        """Whether a page looks at it."""
        return bool(self._listeners)

    def tell(self, event: str, body: dict[str, Any]) -> None:
        """Send an event to all who listen."""
        for listener in list(self._listeners):
            listener(event, body)

    def _tell_session(self) -> None:
        self.tell("session", self._session_event())

    def _session_event(self) -> dict[str, Any]:
        session = None if self.session is None else self.session.id
        body: dict[str, Any] = to_wire(KernelSessionEvent(session, self.configuration))
        return body


class Kernels:
    """All of them, by their id. Called on the server's loop."""

    def __init__(self, configuration: Configuration, log: logging.Logger) -> None:
        self._configuration = configuration
        self._log = log
        self._kernels: dict[str, Kernel] = {}

    def kernel(self, id: str) -> Kernel:
        """The kernel of an id that the server knows."""
        if id not in self._kernels:
            self._kernels[id] = Kernel(self._configuration)
        return self._kernels[id]

    async def starts(self, id: str) -> Invitation | None:
        """A kernel is about to start; None where it can't be observed."""
        try:
            return await self.kernel(id).open()
        except OSError as error:
            self._log.warning("graphdebug: kernel %s is not observed: %s", id, error)
            return None

    async def joins(self, id: str) -> Invitation:
        """A kernel that wasn't started here asks to be observed. Raises OSError."""
        kernel = self.kernel(id)
        invitation = await kernel.open()
        session = kernel.session
        assert session is not None
        session.over = lambda: asyncio.ensure_future(self.ends(id))  # type: ignore[assignment]
        return invitation

    async def ends(self, id: str) -> None:
        """A kernel has ended."""
        kernel = self._kernels.get(id)
        if kernel is not None:
            await kernel.close()
            if not kernel.listened_to:
                self._kernels.pop(id, None)

    async def close(self) -> None:
        """The server ends."""
        for kernel in self._kernels.values():
            await kernel.close()
