"""The adapters under test, as processes."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from typing import IO

COMMANDS = {
    "debugpy": (sys.executable, "-m", "debugpy.adapter"),
    "graphdebug": (sys.executable, "-m", "graphdebug", "adapter"),
    "attach": (sys.executable, "-m", "graphdebug", "attach", "--adapter"),
}
"""How each adapter is started to speak on its standard input and output."""

EXIT_TIMEOUT = 5.0
"""Seconds that an adapter has to end once its client is gone."""


class AdapterProcess:
    """An adapter's process; what it writes to stderr is kept in a file."""

    def __init__(
        self,
        name: str,
        environment: Mapping[str, str],
        options: Sequence[str] = (),
    ) -> None:
        """Start it with ``environment`` on top of ours."""
        self.name = name
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 (closed in end)
        self.process = subprocess.Popen(
            [*COMMANDS[name], *options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env={**os.environ, **environment},
        )

    def errors(self) -> str:
        """What it wrote to stderr so far."""
        size = os.fstat(self._errors.fileno()).st_size
        return os.pread(self._errors.fileno(), size, 0).decode(errors="replace")

    def wait(self, timeout: float = EXIT_TIMEOUT) -> int | None:
        """Its exit code, or None if it still runs after ``timeout`` seconds."""
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            return None

    def end(self) -> None:
        """Kill it if it still runs, and free what it held."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self._errors.close()
