"""A command of graphdebug's in a terminal that the test types into."""

from __future__ import annotations

import contextlib
import os
import pty
import select
import subprocess
from collections.abc import Iterator

from support.jobs import GRAPHDEBUG


class Terminal:
    """What a person sees, and types."""

    def __init__(self, *words: str) -> None:
        self._ours, theirs = pty.openpty()
        self.process = subprocess.Popen(
            [*GRAPHDEBUG, *words], stdin=theirs, stdout=theirs, stderr=theirs,
            env={**os.environ, "TERM": "xterm", "COLUMNS": "160", "LINES": "40"},
        )  # fmt: skip
        os.close(theirs)

    def until(self, *words: str) -> str:
        """What is shown until one of these words is."""
        shown = ""
        while not any(word in shown for word in words):
            ready, _, _ = select.select([self._ours], [], [], 30)
            assert ready, f"waited for {words}; it showed {shown[-2000:]!r}"
            shown += os.read(self._ours, 65536).decode(errors="replace")
        return shown

    def type(self, keys: str) -> None:
        """Press these keys."""
        os.write(self._ours, keys.encode())

    def quit(self) -> int:
        """Press ``q``; the exit code."""
        self.type("q")
        with contextlib.suppress(OSError):  # a terminal that nobody writes to ends so
            while os.read(self._ours, 65536):
                pass
        return self.process.wait(20)

    def close(self) -> None:
        """End it."""
        self.process.kill()
        self.process.wait()
        os.close(self._ours)


@contextlib.contextmanager
def terminal(*words: str) -> Iterator[Terminal]:
    """A terminal that ends with the block."""
    started = Terminal(*words)
    try:
        yield started
    finally:
        started.close()
