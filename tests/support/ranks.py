"""Jobs of several ranks, under the debugger and without it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

from support.dap import Session

ENVIRONMENT = {"OMP_NUM_THREADS": "1", "PYDEVD_DISABLE_FILE_VALIDATION": "1"}
"""No warnings of torchrun's and pydevd's."""

LAUNCHER = "torch.distributed.run"


def torchrun(ranks: int, program: str, *args: str, options: tuple[str, ...] = ()) -> dict[str, Any]:
    """What ``launch`` takes to run a program as so many ranks on this machine."""
    own = ["--standalone", "--nproc-per-node", str(ranks), *options]
    return {"module": LAUNCHER, "args": [*own, program, *args]}


def undisturbed(ranks: int, program: str, place: Path, *args: str) -> str:
    """What the program writes to ``place`` without a debugger, and without torchrun."""
    job = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": free_port(), "WORLD_SIZE": str(ranks)}
    processes = [
        subprocess.Popen(
            [sys.executable, program, str(place), *args],
            env={**os.environ, **ENVIRONMENT, **job, "RANK": str(rank), "LOCAL_RANK": str(rank)},
        )
        for rank in range(ranks)
    ]
    assert [process.wait(90) for process in processes] == [0] * ranks
    return place.read_text()


def free_port() -> str:
    """A port that nobody listens at."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return str(free.getsockname()[1])


def states(session: Session) -> dict[int, str]:
    """Each rank's state, as ``graphdebugState`` tells."""
    found = session.request("graphdebugState")["ranks"]
    return {rank["rank"]: rank["state"] for rank in found}


def rank_of(session: Session, thread: int) -> int:
    """The rank that the process of a stopped thread has."""
    expression = "int(__import__('os').environ['RANK'])"
    frame = session.stack(thread, startFrame=0, levels=1)[0]["id"]
    return int(session.evaluate(expression, frameId=frame)["result"])


def stops(session: Session, count: int) -> dict[int, int]:
    """Wait for so many ranks to stop: the thread of each."""
    threads = [session.wait_for_stop()["threadId"] for _ in range(count)]
    return {rank_of(session, thread): thread for thread in threads}
