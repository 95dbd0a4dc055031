"""The hub of a job: editors and terminals come to it, and leave; the job goes on.

It runs in ``graphdebug run --listen``, or in the process that ``graphdebug.listen()`` starts.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import time
from collections.abc import Sequence
from dataclasses import replace

from graphdebug.adapter.serving import serve_job
from graphdebug.observation.door import Log
from graphdebug.observation.job import Job
from graphdebug.observation.runtimes import Runtime
from graphdebug.protocol import hub
from graphdebug.protocol.observers import RunningSession
from graphdebug.protocol.runtime import ReportArguments
from graphdebug.protocol.wire import WireError, from_wire, to_wire
from graphdebug.transport.connections import StreamConnection
from graphdebug.transport.endpoint import Address, Listener
from graphdebug.transport.framing import Message

LEAVING_SECONDS = 2.0
"""How long one who comes waits for the one before, who may just be leaving."""


class Hub:
    """Lets clients of a job come. All methods are called on the loop."""

    def __init__(self, job: Job, log: Log) -> None:
        self._job = job
        self._log = log
        self._session: RunningSession | None = None
        self._pid = 0
        self._editor: hub.JobClient | None = None
        self._free = asyncio.Event()
        self._free.set()
        job.observers.questions[hub.JOB] = self._describe

    async def open(
        self,
        session: RunningSession,
        addresses: Sequence[Address] = (),
        tls: tuple[ssl.SSLContext, str] | None = None,
        pid: int | None = None,
        token: str = "",
    ) -> RunningSession:
        """Let them come: at a socket of this user's own, and at ``addresses``.

        Those that other machines can reach need ``tls``: what listens, and its certificate's
        fingerprint. ``pid`` is the program's process, where the session's is another; ``token``
        is one that was agreed upon. Returns how the job is found, which is published. Raises OSError.
        """
        self._pid = pid or session.pid
        self._session, door = await self._job.open(
            replace(session, attachable=True), {hub.DEBUG: self._serve_editor}, self._log, token
        )
        listening = []
        for address in addresses:
            context = tls[0] if tls is not None and address.exposed else None
            listener = Listener.at(address, tls=context is not None)
            await door.listen(listener, context)
            listening.append(listener.endpoint)
        self._session = replace(
            self._session,
            addresses=tuple(listening),
            fingerprint=tls[1] if tls is not None else "",
        )
        self._job.publish(self._session)
        return self._session

    async def _serve_editor(
        self,
        first: Message,
        connection: StreamConnection,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        try:
            name = from_wire(hub.DebugArguments, first.get("arguments")).client
        except WireError:
            name = ""
        answer = {"type": "response", "request_seq": first.get("seq", 0), "command": hub.DEBUG}
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._free.wait(), LEAVING_SECONDS)
        if self._editor is not None:
            since = time.strftime("%H:%M:%S", time.localtime(self._editor.since))
            busy = (
                f"the job is debugged by {self._editor.name or 'another client'} since {since}; "
                "a job has one debugger at a time: disconnect there first"
            )
            return connection.send({**answer, "success": False, "message": busy})
        self._editor = hub.JobClient("editor", name, time.time())
        self._free.clear()
        try:
            connection.send({**answer, "success": True})
            await serve_job(connection, self._job)
        finally:
            self._editor = None
            self._free.set()
        return None

    async def _describe(self) -> Message:
        assert self._session is not None
        await self._job.runtimes.tell("report", ReportArguments())
        ranks = sorted(map(_rank, self._job.runtimes.all), key=lambda item: item.process.rank)
        observers = [
            hub.JobClient("observer", arguments.client, 0.0)
            for arguments in self._job.observers.asking.values()
            if arguments.client
        ]
        editors = [self._editor] if self._editor is not None else []
        return dict(
            to_wire(
                hub.JobResponse(
                    self._session.program,
                    self._pid,
                    self._session.started,
                    tuple(ranks),
                    (*editors, *observers),
                )
            )
        )


def _rank(runtime: Runtime) -> hub.JobRank:
    hello, report = runtime.hello, runtime.report
    assert hello is not None
    return hub.JobRank(
        runtime.rank,
        runtime.steps if report is None else max(report.steps, runtime.steps),
        () if report is None else report.memory,
        () if report is None else report.devices,
        hello.host,
        hello.world_size > 0,
        not runtime.here,
    )
