"""One process of the session that debugpy debugs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from graphdebug.adapter.upstream import Upstream
from graphdebug.observation.runtimes import Runtime


class Debugged:
    """The way to it, and what is known of it. Threads are named by the client's ids."""

    def __init__(self, number: int, upstream: Upstream, pid: int | None = None) -> None:
        self.number = number
        """0 for the first one; never given again."""
        self.upstream = upstream
        self.pid = pid
        """None where that isn't known yet."""
        self.runtime: Runtime | None = None
        """The one in it, where that was there first: on another machine the number may be the same."""
        self.rank: int | None = None
        """In a distributed job; None outside of one, or where it isn't known yet."""
        self.device = ""
        """What it computes on, once that is known."""
        self.variables: dict[str, str] = {}
        """Those of its environment that launchers set for each rank."""
        self.threads: set[int] = set()
        """Those that run."""
        self.stopped: set[int] = set()
        """Those that the client knows to be stopped."""
        self.breakpoints: dict[int, int] = {}
        """The client's numbers of breakpoints, by this process's."""
        self.initialized: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Done when it can be configured, cancelled when it has gone before."""
        self.waiting: Callable[[int], None] | None = None
        """Told of the port where debugpy waits for it, if it has still to come there."""
        self.ended = False

    @property
    def label(self) -> str:
        """What the names of its threads begin with, where there are several processes."""
        if self.rank is not None:
            return " ".join(filter(None, (f"rank {self.rank}", self.device)))
        return "launcher" if self.number == 0 else f"process {self.pid}"
