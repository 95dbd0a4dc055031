"""Stops inside of running graphs, as a client sees them."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from support.dap import Session

ENVIRONMENT = {"TF_CPP_MIN_LOG_LEVEL": "2"}
INSIDE, OVER = "Graph node", "Graph is over"
"""What ``description`` says of a stop at a node, and of one after the last node."""


@dataclass(frozen=True)
class NodeStop:
    """One stop at a node."""

    event: dict[str, Any]
    stack: list[tuple[str, int]]
    """Function and line of each frame, innermost first."""
    seen: Any
    """What ``look`` returned."""

    @property
    def line(self) -> int:
        """The line that it stands on."""
        return self.stack[0][1]


def frames(session: Session) -> list[tuple[str, int]]:
    """Function and line of each frame of the stopped thread, innermost first."""
    return [(frame["name"].rpartition(".")[2], frame["line"]) for frame in session.stack()]


def node_stops(
    session: Session, look: Callable[[Session], Any] = lambda session: None
) -> list[NodeStop]:
    """Continue to the end of the program; its stops at nodes."""
    found = []
    while (event := session.next_stop()) is not None:
        if event.get("description") == INSIDE:
            found.append(NodeStop(event, frames(session), look(session)))
        session.cont()
    return found


def evaluated(expression: str) -> Callable[[Session], str]:
    """Looks at the value of an expression, which is a string."""

    def look(session: Session) -> str:
        result: str = session.evaluate(expression)["result"]
        return result.strip("'")

    return look


@functools.cache
def bare(path: str, *args: str) -> str:
    """What a program writes when nobody debugs it; it is run once."""
    done = subprocess.run(
        [sys.executable, path, *args],
        env={**os.environ, **ENVIRONMENT}, capture_output=True, text=True, timeout=170,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def ended(pid: int, seconds: float = 30) -> bool:
    """Whether a process that isn't ours to wait for ends in time."""
    try:
        process = psutil.Process(pid)
        psutil.wait_procs([process], timeout=seconds)
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def vanish(session: Session) -> None:
    """Kill the session's adapters, and remove what they no longer could."""
    assert session.process is not None
    adapter = psutil.Process(session.process.process.pid)
    for process in (adapter, *adapter.children()):
        process.kill()
    for path in Path(os.environ["TMPDIR"]).glob("graphdebug-*"):
        shutil.rmtree(path)
    shutil.rmtree(Path(os.environ["XDG_RUNTIME_DIR"], "graphdebug"), ignore_errors=True)
