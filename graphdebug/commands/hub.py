"""``graphdebug hub``: the hub of a program that made itself attachable. Started by graphdebug alone.

It is told on stdin for which process (``HubArguments``), answers on stdout where it listens
(``HubResponse``, or ``error``), leaves whoever started it, and ends once the process and all that
report to it have gone.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import signal
import sys
import time
from typing import Any

from graphdebug.commands.errors import CommandError
from graphdebug.commands.listening import Listening, attachable
from graphdebug.observation.job import Job
from graphdebug.protocol.dap import Configuration
from graphdebug.protocol.hub import HubArguments, HubResponse
from graphdebug.protocol.observers import RunningSession
from graphdebug.protocol.wire import WireError, from_wire, to_wire
from graphdebug.transport.endpoint import Address, EndpointError
from graphdebug.transport.processes import lives

LOOK_SECONDS = 0.5
"""How often it looks whether its program still runs."""

NOBODY_SECONDS = 120.0
"""How long it waits for its program to come at all."""


def add(subparsers: Any) -> None:
    """Declare the command, which no person uses."""
    subparsers.add_parser("hub").set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run it."""
    try:
        wanted = from_wire(HubArguments, json.load(sys.stdin))
        address = Address.parse(wanted.address) if wanted.address else None
    except (ValueError, WireError, EndpointError) as error:
        return _answer({"error": str(error)})
    with contextlib.suppress(OSError):
        os.setsid()
    if os.fork():
        os._exit(0)  # what was said on stdout comes from the child, whom nobody waits for
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _end)
    return asyncio.run(_serve(wanted, Listening(address)))


def _end(number: int, frame: object) -> None:
    raise SystemExit(128 + number)


def _answer(message: dict[str, Any]) -> int:
    print(json.dumps(message), flush=True)
    with open(os.devnull, "w") as nothing:
        os.dup2(nothing.fileno(), 1)
    return 0


async def _serve(wanted: HubArguments, listening: Listening) -> int:
    job = Job(Configuration(capture="off"))
    session = RunningSession("", "", os.getpid(), "run", wanted.program, wanted.cwd, wanted.started)
    try:
        await job.runtimes.start()
        session = await listening.open(job, session, wanted.pid)
    except (OSError, CommandError) as error:
        cause, remedy = listening.explained(error) if isinstance(error, OSError) else (error, "")
        await job.close()
        return _answer({"error": f"{cause}: {remedy}"})
    invitation = attachable(job.runtimes.invitation(Configuration(capture="off")), session)
    endpoint = (*session.addresses, session.endpoint)[0]
    _answer(dict(to_wire(HubResponse(invitation, endpoint, os.getpid()))))
    begin = time.monotonic()
    try:
        while lives(wanted.pid) or job.runtimes.here:
            if not job.runtimes.all and time.monotonic() - begin > NOBODY_SECONDS:
                break
            await asyncio.sleep(LOOK_SECONDS)
    finally:
        await job.close()
    return 0
