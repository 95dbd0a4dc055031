"""An editor's session with a job that runs: debugpy is fetched from the job's process."""

from __future__ import annotations

from graphdebug.adapter.session import Session
from graphdebug.observation.job import Job
from graphdebug.observation.runtimes import Runtime
from graphdebug.transport.framing import Message


class Attaching:
    """Answers what debugpy's adapter, waiting for a debuggee, asks of the client; see ``Part``."""

    def __init__(self, session: Session, job: Job) -> None:
        self._session = session
        self._job = job

    async def debugpyWaitingForServer_event(self, event: Message) -> None:
        """debugpy's adapter waits for a process of the job."""
        runtime = self._first()
        if runtime is None:
            return self.failed("no process of the job is there any more")
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

    async def configurationDone_request(self, request: Message) -> None:
        """The client has set what it wants: once debugpy sees all threads, who waited goes on.

        debugpy answers a little before it does.
        """
        response = await self._session.forwarded(request)
        await self._job.go()
        self._session.to_client(response)

    def _first(self) -> Runtime | None:
        """A rank, rather than what started the ranks; the first one."""

        def order(runtime: Runtime) -> tuple[bool, bool, int, int]:
            hello = runtime.hello
            assert hello is not None
            return not hello.world_size, not runtime.backends, hello.rank, runtime.number

        return min(self._job.runtimes.here, key=order, default=None)
