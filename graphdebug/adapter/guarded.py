"""``python -m debugpy.adapter``, whose port for debuggees lets nobody in without the tokens.

debugpy's adapter forgets its token where it is told to ``listen``, and takes whoever comes first for
the program. This process holds on to it: both ends show a token before anything else is said. It opens
no port for further clients, of whom debugpy asks nothing. Started by ``upstream``; imported by nobody.
The names of debugpy that it holds are looked for first: where they are missing it doesn't start.
"""

from __future__ import annotations

import os
import runpy
import sys
from types import ModuleType
from typing import Any

from graphdebug.adapter.buffered import buffer
from graphdebug.adapter.upstream import TOKENS_VARIABLE


def hold(module: ModuleType, name: str, value: str) -> None:
    """Let ``module.name`` be ``value`` from now on, whatever is assigned to it."""
    if not hasattr(module, name):
        sys.exit(
            f"graphdebug: {module.__name__} has no {name}: this debugpy can't be used to attach"
        )

    class Held(ModuleType):
        def __setattr__(self, key: str, given: Any) -> None:
            if key != name:
                super().__setattr__(key, given)

    setattr(module, name, value)
    module.__class__ = Held


def main() -> None:
    """Run it."""
    ours, theirs = os.environ.pop(TOKENS_VARIABLE).split()
    from debugpy import adapter
    from debugpy.adapter import clients, servers  # in this order: they import each other

    clients.listener = None
    clients.serve = lambda host, port: (host, 0)  # nobody comes by a port: our stdio is the client

    buffer()
    hold(adapter, "access_token", ours)
    hold(servers, "access_token", theirs)
    sys.argv[:] = ["debugpy.adapter"]
    runpy.run_module("debugpy.adapter", run_name="__main__", alter_sys=True)


main()
