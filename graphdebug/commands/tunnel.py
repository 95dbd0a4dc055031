"""``ssh://[USER@]HOST[:PORT]/[PID]``: a job of another machine, through the system's own ssh.

ssh reads the files of the jobs there, as their user, and forwards a socket to the one that is wanted. On
the other side nothing but its shell is needed; the token travels inside ssh, and no port is opened.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import shlex
import shutil
import subprocess
import tempfile
import time
from urllib.parse import SplitResult, urlsplit

from graphdebug.commands.errors import CommandError
from graphdebug.commands.finding import Target
from graphdebug.protocol.observers import RunningSession
from graphdebug.protocol.wire import WireError, from_wire

VARIABLE = "GRAPHDEBUG_SSH"
"""Names the ssh to use, with options of its own, where it isn't plain ``ssh``."""

SECONDS = 30.0
"""How long ssh may take, a question for a password aside."""

JOBS = (
    'for d in "${XDG_RUNTIME_DIR:-/run/user/$(id -u)}/graphdebug" '
    '"${TMPDIR:-/tmp}/graphdebug-$(id -u)" "/tmp/graphdebug-$(id -u)"; '
    'do for f in "$d"/*.json; do [ -O "$f" ] && cat "$f" && echo; done; done; true'
)
"""Prints the files of the jobs, of this user alone, one a line."""


def through(address: str) -> Target:
    """The hub at an ``ssh://`` address, as long as this process runs. Raises CommandError."""
    if shutil.which(_command()[0]) is None:
        raise CommandError(
            f"there is no {_command()[0]} here",
            f"install OpenSSH's client, or name one in {VARIABLE}",
        )
    url = urlsplit(address)
    if not url.hostname or url.hostname.startswith("-"):
        raise CommandError(
            f'"{address}" names no host', "ssh://[USER@]HOST[:PORT]/[PID] is expected"
        )
    session = _chosen(_jobs(url), url.path.strip("/"), url.hostname)
    return Target(_forward(url, session), session.token, name=session.program)


def _ssh(url: SplitResult, *options: str) -> list[str]:
    host = f"{url.username}@{url.hostname}" if url.username else str(url.hostname)
    port = ["-p", str(url.port)] if url.port else []
    return [*_command(), *port, *options, "--", host]


def _command() -> list[str]:
    return shlex.split(os.environ.get(VARIABLE, "")) or ["ssh"]


def _jobs(url: SplitResult) -> list[RunningSession]:
    done = subprocess.run(
        [*_ssh(url, "-T"), JOBS],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise CommandError(
            f"ssh doesn't come to {url.hostname}: {_last(done.stderr)}",
            f"see that `ssh {url.hostname}` works without a question",
        )
    found = {}
    for line in done.stdout.splitlines():
        with contextlib.suppress(ValueError, WireError):
            session = from_wire(RunningSession, json.loads(line))
            if session.attachable:
                found[session.endpoint] = session
    return list(found.values())


def _chosen(jobs: list[RunningSession], pid: str, host: str) -> RunningSession:
    wanted = [job for job in jobs if pid in ("", str(job.pid))]
    if not wanted:
        what = f"job {pid}" if pid else "job"
        raise CommandError(
            f"there is no {what} of yours on {host}", "start it with `graphdebug run --listen`"
        )
    if len(wanted) > 1:
        those = ", ".join(f"{job.pid} ({job.program})" for job in wanted)
        raise CommandError(
            f"there are several jobs on {host}: {those}", f"ssh://{host}/PID names one"
        )
    return wanted[0]


def _forward(url: SplitResult, session: RunningSession) -> str:
    directory = tempfile.mkdtemp(prefix="graphdebug-")
    local = os.path.join(directory, "job")
    remote = session.endpoint.partition(":")[2]
    process = subprocess.Popen(
        _ssh(url, "-N", "-T", "-o", "ExitOnForwardFailure=yes", "-L", f"{local}:{remote}"),
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    atexit.register(_end, process, directory)
    end = time.monotonic() + SECONDS
    while not os.path.exists(local):
        if process.poll() is not None or time.monotonic() > end:
            process.kill()
            assert process.stderr is not None
            raise CommandError(
                f"ssh forwards nothing to {url.hostname}: {_last(process.stderr.read())}",
                "its sshd has to allow AllowStreamLocalForwarding",
            )
        time.sleep(0.05)
    return f"unix:{local}"


def _end(process: subprocess.Popen[str], directory: str) -> None:
    process.terminate()
    process.wait()
    shutil.rmtree(directory, ignore_errors=True)


def _last(text: str) -> str:
    return (text.strip().splitlines() or ["it said nothing"])[-1]
