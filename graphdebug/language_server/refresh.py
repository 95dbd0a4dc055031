"""Asks the client to ask again for what it shows, not more often than anyone can read."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from graphdebug.language_server.server import Server

HINT_SECONDS = 0.25
LENS_SECONDS = 1.0


class Refresh:
    """Of inlay hints and inline values when what lines make has changed, of lenses at new steps."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._shown: dict[str, object] = {}

    def changed(self) -> None:
        """There may be something new in a session."""
        live = self._server.live
        self._plan("hints", HINT_SECONDS, live.state(), self._ask_for_hints)
        self._plan("lenses", LENS_SECONDS, (live.state(), live.newest()), self.lenses)

    def close(self) -> None:
        """Ask for nothing any more."""
        for timer in self._timers.values():
            timer.cancel()

    def lenses(self) -> None:
        """The lenses may have moved."""
        workspace = self._server.client_capabilities.workspace
        if workspace and workspace.code_lens and workspace.code_lens.refresh_support:
            self._server.workspace_code_lens_refresh(None)

    def _ask_for_hints(self) -> None:
        workspace = self._server.client_capabilities.workspace
        if workspace and workspace.inlay_hint and workspace.inlay_hint.refresh_support:
            self._server.workspace_inlay_hint_refresh(None)
        if workspace and workspace.inline_value and workspace.inline_value.refresh_support:
            self._server.workspace_inline_value_refresh(None)

    def _plan(self, what: str, seconds: float, state: object, ask: Callable[[], None]) -> None:
        if what in self._timers or self._shown.get(what) == state:
            return

        def due() -> None:
            del self._timers[what]
            self.changed()  # with what came meanwhile

        self._shown[what] = state
        self._timers[what] = asyncio.get_running_loop().call_later(seconds, due)
        ask()
