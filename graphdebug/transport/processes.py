"""Other processes: whether they still run, and how to start some of ours."""

from __future__ import annotations

import os

import graphdebug


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


def running(module: str) -> list[str]:
    """Arguments for Python that run a module as ``-m`` does, in a child that may not find it itself.

    Nothing is left in the environment, which the program would inherit.
    """
    if not graphdebug.libraries:
        return ["-m", module]
    code = (
        f"import runpy, sys; sys.path[:0] = {graphdebug.libraries!r}; "
        f"runpy.run_module({module!r}, run_name='__main__', alter_sys=True)"
    )
    return ["-c", code]
