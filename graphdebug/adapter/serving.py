"""Starts a session, in the order that makes a cold start short."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from graphdebug.adapter.mapping import Mapped
from graphdebug.adapter.upstream import Upstream
from graphdebug.transport.connections import Connection

if TYPE_CHECKING:
    from graphdebug.observation.job import Job


async def serve(client: Connection, options: Sequence[str], leave_endpoints: bool) -> int:
    """Run one session; the exit code. ``options`` are passed on to debugpy's adapter."""
    upstream = await Upstream.start(options, leave_endpoints)
    # debugpy's adapter starts while we import our own parts.
    from graphdebug.adapter.debug_adapter import DebugAdapter

    return await DebugAdapter(client, upstream).run()


async def serve_job(client: Connection, job: Job) -> None:
    """Run one session of a client that attaches to a job, until it leaves or the program ends."""
    upstream = await Upstream.start_guarded()
    from graphdebug.adapter.debug_adapter import DebugAdapter

    await DebugAdapter(Mapped(client), upstream, job).run()
