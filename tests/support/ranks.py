"""Jobs of several ranks, under the debugger and without it."""

from __future__ import annotations

import functools
import os
import socket
import subprocess
import sys
import tempfile
from typing import Any

from support.dap import Session

ENVIRONMENT = {"OMP_NUM_THREADS": "1", "PYDEVD_DISABLE_FILE_VALIDATION": "1"}
"""No warnings of torchrun's and pydevd's."""

LAUNCHER = "torch.distributed.run"


def torchrun(ranks: int, program: str, *args: str, options: tuple[str, ...] = ()) -> dict[str, Any]:
    """What ``launch`` takes to run a program as so many ranks on this machine."""
    own = ["--standalone", "--nproc-per-node", str(ranks), *options]
    return {"module": LAUNCHER, "args": [*own, program, *args]}


@functools.cache
def undisturbed(ranks: int, program: str, *args: str) -> str:
    """What the program writes to the file that its first argument names, without a debugger.

    Its ranks are forks of one process, so that torch is imported once.
    """
    job = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": free_port(), "WORLD_SIZE": str(ranks)}
    with tempfile.NamedTemporaryFile("r") as place:
        subprocess.run(
            [sys.executable, "-c", _FORKS, str(ranks), program, place.name, *args],
            env={**os.environ, **ENVIRONMENT, **job},
            timeout=120,
            check=True,
        )
        return place.read()


_FORKS = """
import os, runpy, sys
import torch, torch.nn.parallel
ranks, sys.argv = int(sys.argv[1]), sys.argv[2:]
for rank in range(ranks):
    if not os.fork():
        os.environ["RANK"] = os.environ["LOCAL_RANK"] = str(rank)
        runpy.run_path(sys.argv[0], run_name="__main__")
        os._exit(0)
for _ in range(ranks):
    assert os.wait()[1] == 0
"""


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
