"""An editor's session with a job that runs: debugpy is fetched from the job's processes.

Of a distributed job all ranks take part, also those that come later; else the process that runs the
program does, and of the others those that ``children`` of the configuration lets join.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from graphdebug.adapter.debugged import Debugged
from graphdebug.adapter.ranks import device
from graphdebug.adapter.session import Session
from graphdebug.adapter.upstream import Upstream
from graphdebug.observation.job import Job
from graphdebug.observation.runtimes import Runtime
from graphdebug.protocol.dap import Configuration
from graphdebug.protocol.runtime import UndebuggedEvent
from graphdebug.transport.framing import Message

JOIN_SECONDS = 10.0
"""How long the client waits for all ranks to have joined; those that take longer join later."""


class Attaching:
    """Answers what debugpy's adapter, waiting for a debuggee, asks of the client; see ``Part``."""

    def __init__(
        self, session: Session, job: Job, configuration: Callable[[], Configuration]
    ) -> None:
        self._session = session
        self._job = job
        self._configuration = configuration
        self._taken: list[Runtime] = []
        self._joining: set[Runtime] = set()
        """Those that are on their way."""
        self._configured = False

    async def debugpyWaitingForServer_event(self, event: Message) -> None:
        """debugpy's adapter waits for a process of the job."""
        runtime = self._first()
        if runtime is None:
            return self.failed("no process of the job is there any more")
        self._taken.append(runtime)
        _describe(self._session.upstream.first, runtime)
        port = event["body"]["port"]
        self._session.start(self._debug(runtime, port))
        return None

    async def _debug(self, runtime: Runtime, port: int) -> None:
        if not await self._job.debug(runtime, port, self._session.upstream.tokens):
            self.failed("the program doesn't answer: it is stopped, or about to end")

    def failed(self, why: str) -> None:
        """debugpy won't come: say so, and end the session."""
        self._session.output(why, "important")
        self._session.event("terminated", {})
        self._session.end()

    def undebugged(self, runtime: Runtime, event: UndebuggedEvent) -> None:
        """debugpy can't be brought into a process."""
        if not self._session.upstream.several and runtime in self._taken[:1]:
            return self.failed(event.message)
        pid = 0 if runtime.hello is None else runtime.hello.pid
        return self._session.output(f"process {pid} isn't debugged: {event.message}", "important")

    async def configurationDone_request(self, request: Message) -> None:
        """The client has set what it wants: the others join, and who waited for it goes on.

        debugpy answers a little before it sees all threads, and before the others have joined.
        """
        response = await self._session.forwarded(request)
        self._configured = True
        joining = [
            asyncio.ensure_future(self._join(runtime))
            for runtime in list(self._job.runtimes.here)
            if self._wanted(runtime)
        ]
        if joining:
            await asyncio.wait(joining, timeout=JOIN_SECONDS)
        await self._job.go()
        self._session.to_client(response)

    def came(self, runtime: Runtime) -> None:
        """A process of the job is there."""
        if self.takes(runtime):
            self._session.start(self._join(runtime))

    def ranked(self, runtime: Runtime) -> None:
        """A process of the job turned out to be a rank, and waits until it has joined."""
        self.came(runtime)
        if self._configured and runtime not in self._joining:
            self._session.start(self._job.let_go(runtime))

    def takes(self, runtime: Runtime) -> bool:
        """Whether a process is to join now."""
        return self._configured and self._wanted(runtime)

    def _wanted(self, runtime: Runtime) -> bool:
        if runtime in self._taken:
            return False
        children = self._configuration().children
        if self._job.runtimes.is_rank(runtime):
            return children.ranks == "join"
        # Where there are ranks, what started them has nothing to show.
        alone = not any(map(self._job.runtimes.is_rank, self._job.runtimes.here))
        return alone and children.programs == "join"

    def _join(self, runtime: Runtime) -> Coroutine[Any, Any, None]:
        """Taken from now on; the rest takes a while."""
        self._taken.append(runtime)
        self._joining.add(runtime)
        return self._joined(runtime)

    async def _joined(self, runtime: Runtime) -> None:
        try:
            await self._add(runtime)
        finally:
            self._joining.discard(runtime)
            await self._job.let_go(runtime)

    async def _add(self, runtime: Runtime) -> None:
        upstreams = self._session.upstream
        upstream = await Upstream.start_guarded()
        one = upstreams.new(upstream, None)
        _describe(one, runtime)

        def waiting(port: int) -> None:
            self._session.start(self._fetch(runtime, port, upstream))

        if not await upstreams.join(one, upstreams.attached, waiting):
            await upstream.close()

    async def _fetch(self, runtime: Runtime, port: int, upstream: Upstream) -> None:
        if not await self._job.debug(runtime, port, upstream.tokens):
            await upstream.close()

    def _first(self) -> Runtime | None:
        """A rank, rather than what started the ranks; the first one."""

        def order(runtime: Runtime) -> tuple[bool, bool, int, int]:
            hello = runtime.hello
            assert hello is not None
            is_rank = self._job.runtimes.is_rank(runtime)
            return not is_rank, not runtime.backends, hello.rank, runtime.number

        return min(self._job.runtimes.here, key=order, default=None)


def _describe(one: Debugged, runtime: Runtime) -> None:
    one.runtime = runtime
    if runtime.hello is not None:
        one.pid = runtime.hello.pid
        one.rank = runtime.rank.rank if runtime.rank.distributed else None
        one.device = device(runtime.last)
