"""Starts a session, in the order that makes a cold start short."""

from __future__ import annotations

from collections.abc import Sequence

from graphdebug.adapter.upstream import Upstream
from graphdebug.transport.connections import Connection


async def serve(client: Connection, options: Sequence[str], leave_endpoints: bool) -> int:
    """Run one session; the exit code. ``options`` are passed on to debugpy's adapter."""
    upstream = await Upstream.start(options, leave_endpoints)
    # debugpy's adapter starts while we import our own parts.
    from graphdebug.adapter.debug_adapter import DebugAdapter

    return await DebugAdapter(client, upstream).run()
