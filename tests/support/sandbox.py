"""Processes and files that a test leaves behind, wherever they were reparented to.

A sandbox marks the environment of all that starts in it with an id of its own and gives it private
directories for temporary and runtime files. What carries the id, or lies in the directories, once
the test is over is a leak.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import psutil

from support.processes import wait_until

TAG = "GRAPHDEBUG_TEST_ID"
EXIT_TIMEOUT = 5.0
"""Seconds that processes are given to end after the client is gone."""
EXPECTED_FILES = ("torchinductor_*", "torchelastic_*", "pymp-*", "vscode-*", "ipykernel_*", "dconf")
"""What other projects leave in TMPDIR by design."""


class Sandbox:
    """A place to run processes in, checked for what they leave."""

    def __init__(self) -> None:
        self.id = uuid.uuid4().hex
        # Short: the path of a unix socket has 108 bytes.
        self.root = Path(tempfile.mkdtemp(prefix="gd-", dir="/tmp"))
        self.temp = self.root / "t"
        self.runtime = self.root / "r"
        for directory in (self.temp, self.runtime):
            directory.mkdir(mode=0o700)
        self._before = {process.pid for process in psutil.Process().children(recursive=True)}

    @property
    def environment(self) -> dict[str, str]:
        """The variables that put a process into this sandbox."""
        return {
            TAG: self.id,
            "TMPDIR": str(self.temp),
            "XDG_RUNTIME_DIR": str(self.runtime),
            # What is built lies elsewhere, and is asked for by those who test it (support.tiers).
            "GRAPHDEBUG_TORCH_TIER": os.environ.get("GRAPHDEBUG_TORCH_TIER", "python"),
        }

    def processes(self) -> list[psutil.Process]:
        """What runs in this sandbox, and children of pytest that run in no sandbox."""
        own = {process.pid for process in psutil.Process().children(recursive=True)}
        return [
            process
            for process, tag in _tagged()
            if tag == self.id or (tag is None and process.pid in own - self._before)
        ]

    def leaks(self, timeout: float = EXIT_TIMEOUT) -> list[str]:
        """What is left after ``timeout`` seconds, in words. Processes are then killed."""
        with contextlib.suppress(TimeoutError):
            wait_until(lambda: not self.processes(), "the processes to end", timeout)
        alive = self.processes()
        found = [_describe(process) for process in alive]
        for process in alive:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        return found + [f"file {path}" for path in self._files()]

    def remove(self) -> None:
        """Remove the directories."""
        shutil.rmtree(self.root, ignore_errors=True)

    def _files(self) -> list[Path]:
        registry = self.runtime / "graphdebug"  # which stays, empty, for the next session
        places = (self.temp, self.runtime, *([registry] if registry.is_dir() else []))
        return [
            path
            for directory in places
            for path in sorted(directory.iterdir())
            if path not in places and not any(path.match(pattern) for pattern in EXPECTED_FILES)
        ]


def _tagged() -> Iterator[tuple[psutil.Process, str | None]]:
    """Every live process that may be read, and its tag."""
    for process in psutil.process_iter():
        if process.pid == os.getpid():
            continue
        try:
            if process.status() != psutil.STATUS_ZOMBIE:
                yield process, process.environ().get(TAG)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue


def _describe(process: psutil.Process) -> str:
    try:
        ports = [c.laddr.port for c in process.net_connections("inet") if c.status == "LISTEN"]
        command = " ".join(process.cmdline())[:300]
    except psutil.Error:
        return f"process {process.pid}"
    listening = f", listening on {ports}" if ports else ""
    return f"process {process.pid}{listening}: {command}"
