"""Programs that were made attachable, and the commands that look at them."""

from __future__ import annotations

import contextlib
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import psutil

from graphdebug.commands.finding import target
from graphdebug.protocol.observers import RunningSession
from graphdebug.transport.dap import Client
from graphdebug.transport.registry import running
from support.processes import wait_until
from support.sandbox import Sandbox

GRAPHDEBUG = (sys.executable, "-m", "graphdebug")


class Job:
    """``graphdebug run --listen`` with a program whose streams are ours."""

    def __init__(self, *words: str, host: str = "", **environment: str) -> None:
        """``host``: the network namespace that it runs in."""
        there = ("ip", "netns", "exec", host) if host else ()
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 (closed in end)
        self.process = subprocess.Popen(
            [*there, *GRAPHDEBUG, "run", *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            env={**os.environ, **environment},
        )
        self.pid = self.process.pid
        self.sandbox: Sandbox
        """Where it runs, where that isn't the test's."""

    def read(self) -> str:
        """The next line that the program writes."""
        assert self.process.stdout is not None
        return self.process.stdout.readline().rstrip("\n")

    def stands(self) -> dict[str, Any]:
        """The next line, which is JSON."""
        line = self.read()
        assert line, f"the program ended: {self.errors()}"
        found: dict[str, Any] = json.loads(line)
        return found

    def tell(self, text: str = "") -> None:
        """Write a line to the program."""
        assert self.process.stdin is not None
        self.process.stdin.write(text + "\n")
        self.process.stdin.flush()

    def errors(self) -> str:
        """What it, and the hub, wrote to stderr so far."""
        size = os.fstat(self._errors.fileno()).st_size
        return os.pread(self._errors.fileno(), size, 0).decode(errors="replace")

    def refusals(self) -> list[str]:
        """The lines of the hub about those that it refused."""
        return [line for line in self.errors().splitlines() if "refused" in line]

    @property
    def session(self) -> RunningSession:
        """How it is found, once it is."""
        wait_until(lambda: any(s.pid == self.pid for s in running()), "the job", 30)
        return next(session for session in running() if session.pid == self.pid)

    @property
    def port(self) -> int:
        """Where it listens on TCP."""
        (address,) = self.session.addresses
        match = re.fullmatch(r"t(?:cp|ls):.*:(\d+)", address)
        assert match is not None
        return int(match[1])

    def hub(self) -> psutil.Process:
        """The process that clients come to."""
        return psutil.Process(self.pid)

    def end(self) -> None:
        """End what still runs."""
        if self.process.poll() is None:
            self.process.terminate()  # the hub passes it on, and removes what it made
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(10)
        if self.process.poll() is None:
            for child in self.hub().children(recursive=True):
                with contextlib.suppress(psutil.NoSuchProcess):
                    child.kill()
            self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe is not None
            with contextlib.suppress(OSError):
                pipe.close()
        self._errors.close()


@contextlib.contextmanager
def job(*words: str, **environment: str) -> Iterator[Job]:
    """A job that ends with the block."""
    started = Job(*words, **environment)
    try:
        yield started
    finally:
        started.end()


@contextlib.contextmanager
def debugging(
    session: RunningSession,
    breakpoints: Mapping[str, Sequence[int]] | None = None,
    **configuration: Any,
) -> Iterator[Client]:
    """A debug session with a job, without a process of its own; it just hangs up at the end."""
    link = target(session).debug()

    def hang_up() -> None:
        with contextlib.suppress(OSError):
            link.shutdown(socket.SHUT_RDWR)
        link.close()

    client = Client(link.makefile("rb"), link.makefile("wb"), hang_up=hang_up)
    try:
        client.request("initialize", adapterID="graphdebug", pathFormat="path")
        attach = client.send("attach", **configuration)
        client.wait_for_event("initialized")
        for path, lines in (breakpoints or {}).items():
            wanted = [{"line": number} for number in lines]
            client.request("setBreakpoints", source={"path": path}, breakpoints=wanted)
        client.request("configurationDone")
        attach.wait()
        yield client
    finally:
        client.close()


def command(*words: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """One of graphdebug's commands, run to its end."""
    return subprocess.run(
        [*GRAPHDEBUG, *words], capture_output=True, text=True, timeout=60, check=False, **options
    )


def published() -> list[RunningSession]:
    """The sessions of this test; others may run beside it."""
    return [session for session in running() if _ours(session.endpoint)]


def listed() -> list[dict[str, Any]]:
    """What ``graphdebug ps`` lists of them."""
    done = command("ps", "--json")
    assert done.returncode == 0, done.stderr
    jobs = [json.loads(line) for line in done.stdout.splitlines()]
    return [job for job in jobs if _ours(job["endpoint"])]


def _ours(endpoint: str) -> bool:
    return endpoint.startswith(f"unix:{os.environ['XDG_RUNTIME_DIR']}/")


def undisturbed(program: Path | str, *arguments: str, lines: int = 0) -> str:
    """What a program writes without us, given so many empty lines."""
    done = subprocess.run(
        [sys.executable, str(program), *arguments],
        input="\n" * lines, capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    return done.stdout
