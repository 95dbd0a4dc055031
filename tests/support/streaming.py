"""A program that makes a thousand steps a second in VS Code: what that does to the editor."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import threading
from dataclasses import dataclass
from pathlib import Path

import psutil

from support.code_server import CodeServer, folder
from support.npm import ROOT

PROGRAM = "streams.py"
SETTLE_SECONDS = 90
"""How long the window and the program may take to start and to end."""


@dataclass(frozen=True)
class Streamed:
    """What was seen while it ran."""

    longest_block: float
    """The longest time that the page's main thread was busy at once, in milliseconds; 0 if below 50."""
    blocks: int
    """How often it was busy for more than 50 ms."""
    steps: int
    """Steps that the view counted meanwhile."""
    memory: tuple[float, ...]
    """Resident memory of the extension host, in MiB, taken about every half second."""

    @property
    def growth(self) -> float:
        """From the least of the first third to the least of the last, in MiB."""
        third = max(1, len(self.memory) // 3)
        return min(self.memory[-third:]) - min(self.memory[:third])


def stream(server: CodeServer, place: Path, seconds: float) -> Streamed:
    """Run it with the views open."""
    opened = folder(place, PROGRAM)
    configuration = {
        "name": "stream",
        "type": "graphdebug",
        "request": "launch",
        "program": f"${{workspaceFolder}}/{PROGRAM}",
        "args": [str(seconds + 15)],
        "capture": "steps",
    }
    (opened / ".vscode").mkdir()
    launch = {"version": "0.2.0", "configurations": [configuration]}
    (opened / ".vscode" / "launch.json").write_text(json.dumps(launch))
    driver = subprocess.Popen(
        ["node", "tests/vscode/stream.mjs"],
        cwd=ROOT, stdout=subprocess.PIPE, text=True,
        env={
            **os.environ, "CODE_SERVER": server.address, "FOLDER": str(opened),
            "PROGRAM": PROGRAM, "MILLISECONDS": str(int(1000 * seconds)),
        },
    )  # fmt: skip
    memory: list[float] = []
    over = threading.Event()
    sampler = threading.Thread(target=_sample, args=(server, memory, over))
    try:
        assert driver.stdout is not None
        streaming = driver.stdout.readline()
        assert streaming == "streaming\n", streaming
        sampler.start()
        output, _ = driver.communicate(timeout=seconds + SETTLE_SECONDS)
    finally:
        over.set()
        driver.kill()
        driver.wait()
    sampler.join()
    seen = json.loads(output.splitlines()[-1])
    return Streamed(seen["longest"], seen["blocks"], seen["steps"], tuple(memory))


def _sample(server: CodeServer, memory: list[float], over: threading.Event) -> None:
    while not over.wait(0.5):
        with contextlib.suppress(psutil.NoSuchProcess):
            # What it forks looks like it until it runs something else.
            resident = [
                process.memory_info().rss / 2**20
                for process in server.processes()
                if any("type=extensionHost" in word for word in process.cmdline())
            ]
            memory.extend([max(resident)] if resident else [])
