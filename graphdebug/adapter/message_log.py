"""The adapter's log: every message between it and its clients, to attach to a report of a bug."""

from __future__ import annotations

import itertools
import json
import os
import time
from typing import Any, Literal

From = Literal["client", "adapter"]


class MessageLog:
    """Appends to ``graphdebug.adapter-<pid>.log``, a JSON object a line.

    Each has ``at`` (seconds since 1970), ``session`` (the number of the client in this process),
    ``from`` (``client`` or ``adapter``), and ``message``, or ``fault`` for what came and wasn't one.
    """

    def __init__(self, directory: str) -> None:
        """Make the directory and the file. Raises OSError where that can't be."""
        os.makedirs(directory, exist_ok=True)
        path = os.path.join(directory, f"graphdebug.adapter-{os.getpid()}.log")
        # Unbuffered, since an editor may kill its adapter at any time.
        self._file = open(path, "ab", buffering=0)  # noqa: SIM115 (open while the process lives)
        self._sessions = itertools.count(1)

    def session(self) -> SessionLog:
        """The log of one more client."""
        return SessionLog(self, next(self._sessions))

    def write(self, entry: dict[str, Any]) -> None:
        """Append a line."""
        try:
            self._file.write(json.dumps({"at": time.time(), **entry}).encode() + b"\n")
        except OSError:
            pass  # a full disk is no reason to end the session


class SessionLog:
    """What passes between the adapter and one of its clients."""

    def __init__(self, log: MessageLog, number: int) -> None:
        self._log = log
        self._number = number

    def message(self, sender: From, message: dict[str, Any]) -> None:
        """Note a message."""
        self._log.write({"session": self._number, "from": sender, "message": message})

    def fault(self, reason: str) -> None:
        """Note that the client sent what isn't a message."""
        self._log.write({"session": self._number, "from": "client", "fault": reason})
