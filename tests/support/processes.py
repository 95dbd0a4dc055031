"""Python programs that a test runs itself, beside the adapter."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Run = Callable[..., "subprocess.Popen[str]"]
"""``run(*arguments, **environment)``: this interpreter with those arguments, streams piped."""


@contextmanager
def running() -> Iterator[Run]:
    """A ``Run`` whose programs end with the block."""
    started: list[subprocess.Popen[str]] = []

    def run(*arguments: str, **environment: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **environment},
        )
        started.append(process)
        return process

    try:
        yield run
    finally:
        for process in started:
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                assert pipe is not None
                pipe.close()


def wait_until(condition: Callable[[], bool], what: str, timeout: float = 10.0) -> None:
    """Wait for something that nobody announces, such as a file; TimeoutError if it doesn't come."""
    end = time.monotonic() + timeout
    turn = threading.Event()
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"waited {timeout:g} s for {what}")
        turn.wait(0.005)
