"""Builds the native observer: a program of its own, which outlives the one that asked for it.

``python -I -S native_build.py DIRECTORY STEM COMMAND...``: the compiler's command lacks ``-o FILE``.
Writes ``STEM-DIGEST.so`` into the directory, or ``STEM.failed`` with what the compiler said. Whoever builds
holds a lock; who comes later waits for it, and finds that all is done.
Standard library only, and nothing of graphdebug's: it runs without the program's paths.
"""

from __future__ import annotations

import fcntl
import glob
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile

SAID = 2000
"""Characters of what the compiler said that are kept."""


def main(directory: str, stem: str, command: list[str]) -> None:
    """Build, unless it has been done meanwhile."""
    os.umask(0o077)
    with open(os.path.join(directory, f"{stem}.lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not glob.glob(os.path.join(glob.escape(directory), f"{stem}-*.so")):
            draft = tempfile.mkdtemp(prefix="draft-", dir=directory)
            try:
                _build(directory, stem, command, draft)
            finally:
                shutil.rmtree(draft, ignore_errors=True)


def _build(directory: str, stem: str, command: list[str], draft: str) -> None:
    made = os.path.join(draft, "native.so")
    environment = {**os.environ, "TMPDIR": draft}
    try:
        run = subprocess.run(
            [*command, "-o", made], stdin=subprocess.DEVNULL, capture_output=True, text=True,
            errors="replace", env=environment,
        )  # fmt: skip
        said = run.stderr if run.returncode else ""
    except OSError as error:
        said = str(error)
    if said or not os.path.exists(made):
        text = os.path.join(draft, "failed")
        with open(text, "w", encoding="utf-8") as file:
            file.write(said[:SAID])
        os.replace(text, os.path.join(directory, f"{stem}.failed"))
        return
    with open(made, "rb") as built:
        digest = hashlib.sha256(built.read()).hexdigest()[:32]
    os.replace(made, os.path.join(directory, f"{stem}-{digest}.so"))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3:])
