"""npm: the packages of a directory, and its scripts. Whatever tests run with Node goes through here."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SHARED = ROOT / "extension" / "shared"


def install(*directories: Path) -> None:
    """Install what their lock files say, where it isn't there: once, whichever workers ask for it."""
    names = [directory.relative_to(ROOT).as_posix() for directory in directories]
    _run([ROOT / "scripts" / "npm-packages", *names], ROOT)


def browser() -> None:
    """Chromium, where it isn't there."""
    _run([ROOT / "scripts" / "browser"], ROOT)


def script(directory: Path, *command: str) -> str:
    """Run a script of a directory's ``package.json``; what it prints."""
    return _run(["npm", "run", "--silent", *command], directory)


@contextmanager
def one_at_a_time(what: str) -> Iterator[None]:
    """Across processes: pytest's workers."""
    (ROOT / "build").mkdir(exist_ok=True)
    with (ROOT / "build" / f"{what}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _run(command: list[str | Path], directory: Path) -> str:
    run = subprocess.run(
        command, cwd=directory, capture_output=True, text=True, timeout=300,
        env={**os.environ, "PYTHON": sys.executable},
    )  # fmt: skip
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout
