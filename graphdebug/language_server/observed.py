"""One running session, looked at live: its newest steps, and what lines of open files made in them."""

from __future__ import annotations

import asyncio
import collections
import contextlib
import time
from collections.abc import Callable
from typing import Any

from graphdebug.language_server import background
from graphdebug.language_server.link import Link, LinkError
from graphdebug.language_server.record import FileRecord
from graphdebug.protocol.dap import (
    GraphdebugAlertEvent,
    GraphdebugNodesArguments,
    GraphdebugStepEvent,
)
from graphdebug.protocol.model import Alert, Node, Step
from graphdebug.protocol.observers import END, RunningSession
from graphdebug.protocol.wire import WireError, from_wire

PAGE = 500
"""Nodes asked for at once: the session's process has other work."""
PAGES = 20
"""Pages of one file's nodes in one step that are asked for at most."""
STEPS = 1000
"""Steps that are looked back on at most when a file is looked at first, or when there were many."""
DETAILS = 6
"""Different records among those steps whose nodes are asked for, the newest."""
ALERTS_KEPT = 100
"""Alerts that are remembered, the newest."""
PAUSE_SECONDS = 0.1
"""How long to leave the session alone after asking, at least."""
SHARE = 4
"""It is left alone this many times as long as the answers took."""

Changed = Callable[["Observed"], None]
"""Is told that there is something new to show."""


class Observed:
    """A session, and what is known of it. It is kept when it has ended, until another one comes."""

    def __init__(self, session: RunningSession, changed: Changed) -> None:
        self.session = session
        self.running = True
        self.files: dict[str, FileRecord] = {}
        self.steps: dict[tuple[str, int, str], Step] = {}
        """The newest step of each kind: by path, line and name of what ended it."""
        self.alerts: collections.deque[Alert] = collections.deque(maxlen=ALERTS_KEPT)
        self.newest = -1
        """Index of the newest step."""
        self._looked_at: set[str] = set()
        self._changed = changed
        self._link = Link(self._heard)
        self._news = asyncio.Event()
        self._over = asyncio.Event()
        self._nodes: dict[tuple[int, str], tuple[Node, ...]] = {}
        self._task = background.start(self._run())

    def look_at(self, path: str) -> None:
        """Keep up with what this file's lines make, from now on."""
        if path not in self.files:
            self.files[path] = FileRecord(path, self.session.started)
        self._looked_at.add(path)
        self._news.set()

    def look_away(self, path: str) -> None:
        """Ask for nothing of this file any more; what is known of it is kept."""
        self._looked_at.discard(path)

    def close(self) -> None:
        """Look no more."""
        self._task.cancel()

    async def _run(self) -> None:
        following = background.start(self._follow())
        try:
            await self._link.run(self.session, self._news.set)
        finally:
            following.cancel()
            self.running = False
            self._changed(self)

    def _heard(self, event: str, body: dict[str, Any]) -> None:
        try:
            if event == "graphdebugStep":
                self.newest = from_wire(GraphdebugStepEvent, body).step.index
                self._news.set()
            elif event == "graphdebugAlert":
                self.alerts.append(from_wire(GraphdebugAlertEvent, body).alert)
                self._changed(self)
            elif event == END:
                self._over.set()
                self._news.set()
        except WireError:
            pass  # another version of graphdebug says it in another way

    async def _follow(self) -> None:
        while True:
            await self._news.wait()
            self._news.clear()
            over = self._over.is_set()
            begin = time.monotonic()
            with contextlib.suppress(LinkError):
                await self._catch_up()
            self._changed(self)
            if over:
                return self._link.close()
            pause = max(PAUSE_SECONDS, SHARE * (time.monotonic() - begin))
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._over.wait(), pause)

    async def _catch_up(self) -> None:
        files = [self.files[path] for path in self._looked_at]
        begin = min((file.seen for file in files), default=self.newest + 1)
        if self.newest < 0:
            self.newest = (await self._link.steps(0, 0)).total - 1
        steps = (await self._link.steps(max(begin, self.newest + 1 - STEPS))).steps
        if not steps:
            return
        self.newest = max(self.newest, steps[-1].index)
        for step in steps:
            if step.source is not None:
                self.steps[step.source.path, step.source.line, step.name] = step
        for file in files:
            for since, step in _distinct(steps, file.seen):
                file.add(step, await self._nodes_of(step, file.path), since)
            file.seen = steps[-1].index + 1

    async def _nodes_of(self, step: Step, path: str) -> tuple[Node, ...]:
        """What lines of a file made in a step; asked for once for all steps that share a record."""
        key = step.detail, path
        known = self._nodes.pop(key, None)
        if known is None:
            known = await self._ask_for_nodes(step, path)
        self._nodes[key] = known  # the one that was used last is dropped last
        if len(self._nodes) > DETAILS * len(self.files):
            del self._nodes[next(iter(self._nodes))]
        return known

    async def _ask_for_nodes(self, step: Step, path: str) -> tuple[Node, ...]:
        found: list[Node] = []
        for _ in range(PAGES):
            wanted = GraphdebugNodesArguments(step.index, len(found), PAGE, path=path)
            answer = await self._link.nodes(wanted)
            found += answer.nodes
            if len(found) >= answer.total or not answer.nodes:
                break
        return tuple(found)


def _distinct(steps: tuple[Step, ...], begin: int) -> list[tuple[int, Step]]:
    """The newest step of each record, from ``begin`` on, oldest first, and since when it held then."""
    newest: dict[int, tuple[int, Step]] = {}
    before = None
    for step in steps:
        if step.index >= begin:
            since = newest[step.detail][0] if step.detail == before else step.index
            newest[step.detail] = since, step
            before = step.detail
    return sorted(newest.values(), key=lambda item: item[1].index)[-DETAILS:]
