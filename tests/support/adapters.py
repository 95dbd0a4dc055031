"""The adapters under test, as processes."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from typing import IO

COMMANDS = {
    "debugpy": (sys.executable, "-m", "debugpy.adapter"),
    "graphdebug": (sys.executable, "-m", "graphdebug", "adapter"),
}
"""How each adapter is started to speak on its standard input and output."""

EXIT_TIMEOUT = 5.0
"""Seconds that an adapter has to end once its client is gone."""


def graphdebug_exists() -> bool:
    """Whether the adapter of this checkout is there at all; it may still be broken."""
    return importlib.util.find_spec("graphdebug.__main__") is not None


class AdapterProcess:
    """An adapter's process; what it writes to stderr is kept in a file."""

    def __init__(
        self,
        name: str,
        environment: Mapping[str, str],
        options: Sequence[str] = (),
        removed: Sequence[str] = (),
    ) -> None:
        """Start it with ``environment`` on top of ours, less the variables ``removed``."""
        self.name = name
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 (closed in end)
        env = {key: value for key, value in os.environ.items() if key not in removed}
        self.process = subprocess.Popen(
            [*COMMANDS[name], *options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env=env | dict(environment),
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
