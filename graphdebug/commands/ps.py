"""``graphdebug ps``: the programs of this user on this machine that can be attached to."""

from __future__ import annotations

import argparse
import json
import time
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from graphdebug.commands.finding import described
from graphdebug.protocol.hub import JobRank, JobResponse
from graphdebug.protocol.observers import RunningSession
from graphdebug.protocol.wire import to_wire
from graphdebug.transport.registry import running

Job = tuple[RunningSession, JobResponse]


def add(subparsers: Any) -> None:
    """Declare the command."""
    parser = subparsers.add_parser(
        "ps",
        help="list the programs that can be attached to",
        description="The programs of this user on this machine that can be attached to, with "
        "graphdebug attach PID or from an editor.",
    )
    parser.add_argument("--json", action="store_true", help="one JSON object a line; no tokens")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run it."""
    jobs = attachable()
    if arguments.json:
        for session, job in jobs:
            print(json.dumps({"endpoint": session.endpoint, **to_wire(job)}))
    elif jobs:
        Console().print(table(jobs))
    else:
        print("nothing can be attached to; `graphdebug run --listen PROGRAM` starts what can")
    return 0


def attachable() -> list[Job]:
    """The jobs that answer, the oldest first."""
    sessions = [session for session in running() if session.attachable]
    return [(session, job) for session, job in described(sessions) if job is not None]


def table(jobs: list[Job]) -> Table:
    """A row for each job."""
    shown = Table(box=None, padding=(0, 1), expand=False)
    for name in ("pid", "command", "ranks", "step", "devices", "since", "clients"):
        shown.add_column(name, justify="right" if name in ("pid", "ranks", "step") else "left")
    for _, job in jobs:
        here = ranks(job)
        shown.add_row(
            str(job.pid),
            Text(job.program, overflow="ellipsis", no_wrap=True),
            str(len(here)),
            steps(here),
            devices(here),
            since(job.started),
            ", ".join(f"{client.kind} {client.name}" for client in job.clients) or "none",
        )
    return shown


def ranks(job: JobResponse) -> list[JobRank]:
    """The processes that are here: the ranks, where a launcher started some."""
    here = [rank for rank in job.ranks if not rank.ended]
    return [rank for rank in here if rank.ranked] or here


def steps(here: list[JobRank]) -> str:
    """Of one, or from the slowest to the fastest."""
    made = sorted({rank.steps for rank in here})
    return " to ".join(f"{number:,}" for number in (made[:1] + made[-1:])[: len(made)]) or "0"


def devices(here: list[JobRank]) -> str:
    """Those that hold memory; the processor alone where none does."""
    found = sorted({device for rank in here for device in rank.devices})
    return " ".join(found) or "cpu"


def since(started: float) -> str:
    """How long ago, in the unit that suits."""
    seconds = max(0, int(time.time() - started))
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"
