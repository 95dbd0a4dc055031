"""``graphdebug attach``: a job that runs, in this terminal or for an editor."""

from __future__ import annotations

import argparse
from typing import Any

from graphdebug.commands import finding
from graphdebug.commands.errors import CommandError
from graphdebug.commands.finding import Target


def add(subparsers: Any) -> None:
    """Declare the command."""
    parser = subparsers.add_parser(
        "attach",
        help="look at a program that runs, or let an editor debug it",
        description="Shows the steps of a job, live, and pauses it on request. The job runs on when "
        "this ends, in whatever way. ENDPOINT is HOST:PORT, unix:PATH, "
        "ssh://[USER@]HOST[:PORT]/[PID], or a process id.",
    )
    parser.add_argument("endpoint", nargs="?", metavar="ENDPOINT|PID", help="which job")
    parser.add_argument(
        "--adapter", action="store_true", help="speak the Debug Adapter Protocol on stdio"
    )
    parser.add_argument(
        "--connection-file", metavar="FILE", help="the job's file, which has the token; mode 0600"
    )
    parser.add_argument(
        "--capture", choices=("steps", "nodes", "values"), default="steps",
        help="how much of each step is recorded while this looks (steps)",
    )  # fmt: skip
    parser.set_defaults(run=run, parser=parser)


def run(arguments: argparse.Namespace) -> int:
    """Run it."""
    if arguments.adapter:
        return _adapter(arguments)
    found = _target(arguments)
    from graphdebug.commands.watching import watch

    return watch(found, arguments.capture)


def _adapter(arguments: argparse.Namespace) -> int:
    from graphdebug.commands.bridge import bridge, refuse

    try:
        link = _target(arguments).debug()
    except CommandError as error:
        refuse(": ".join(line.strip() for line in str(error).splitlines()))
        raise
    return bridge(link)


def _target(arguments: argparse.Namespace) -> Target:
    endpoint = arguments.endpoint
    if endpoint is None and arguments.connection_file is None:
        return _offered(arguments.adapter)
    if endpoint is not None and endpoint.isdigit():
        return _process(int(endpoint))
    if endpoint is not None and endpoint.startswith("ssh://"):
        from graphdebug.commands.tunnel import through

        return through(endpoint)
    return finding.at_endpoint(endpoint or "", arguments.connection_file)


def _offered(silent: bool) -> Target:
    """The only job, or the one that is chosen."""
    from graphdebug.commands import ps

    jobs = ps.attachable()
    if not jobs:
        raise CommandError(
            "nothing can be attached to", "start it with `graphdebug run --listen PROGRAM`"
        )
    if len(jobs) == 1:
        return finding.target(jobs[0][0])
    import sys

    from rich.console import Console

    Console(stderr=True).print(ps.table(jobs))
    if silent or not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise CommandError("there are several jobs", "say which: graphdebug attach PID")
    print("pid: ", end="", file=sys.stderr, flush=True)
    chosen = sys.stdin.readline().strip()
    for session, job in jobs:
        if chosen == str(job.pid):
            return finding.target(session)
    raise CommandError(f'there is no job "{chosen}"', "choose a pid of the list")


def _process(pid: int) -> Target:
    found = finding.of_process(pid)
    if found is None:
        from graphdebug.commands.injecting import injected

        return injected(pid)
    return found
