"""A program run under observation: the runtime comes with it, and nothing else changes."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Sequence

from graphdebug.observation import injection
from graphdebug.observation.runtimes import Runtimes
from graphdebug.protocol.runtime import Invitation

FAREWELL_SECONDS = 2.0
"""How long what the program's processes still had to say may take once it has ended."""


async def run_observed(command: Sequence[str], runtimes: Runtimes, invitation: Invitation) -> int:
    """Run a command on this terminal to its end; its return code, negative for a signal.

    Ctrl-C reaches the program from the terminal, as it would without us; SIGTERM and SIGHUP are
    passed on.
    """
    await runtimes.start()
    try:
        environment = {**os.environ, **injection.environment(invitation, os.environ)}
        process = await asyncio.create_subprocess_exec(*command, env=environment)
        loop = asyncio.get_running_loop()
        with contextlib.suppress(NotImplementedError):
            loop.add_signal_handler(signal.SIGINT, lambda: None)
            for number in (signal.SIGTERM, signal.SIGHUP):
                loop.add_signal_handler(number, _pass_on, process, number)
        code = await process.wait()
        await runtimes.drained(FAREWELL_SECONDS)
        return code
    finally:
        await runtimes.close()


def _pass_on(process: asyncio.subprocess.Process, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(number)


def end_like(code: int) -> int:
    """This process's exit code for a program's; ends by the same signal where that one did."""
    if code >= 0:
        return code
    number = -code
    try:
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        signal.signal(number, signal.SIG_DFL)
    except (ImportError, OSError, ValueError):
        pass  # SIGKILL has no handler, and some systems have no resource limits
    os.kill(os.getpid(), number)
    return 128 + number
