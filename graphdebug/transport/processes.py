"""Whether another process still runs."""

from __future__ import annotations

import os


def lives(pid: int) -> bool:
    """Whether a process runs; one that nobody waited for yet doesn't."""
    if os.name == "nt":
        return True  # where signal 0 isn't a question
    try:
        os.kill(pid, 0)
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] not in ("Z", "X")
    except ProcessLookupError:
        return False
    except OSError:
        return True
