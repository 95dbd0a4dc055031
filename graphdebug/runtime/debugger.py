"""The one file that touches debugpy and pydevd inside the user's process.

Everything here answers quietly where debugpy isn't there, or isn't as this was written for:
``problems`` lists what doesn't fit, and that part stays off.
"""

from __future__ import annotations

import contextlib
import functools
import socket
import sys
from types import CodeType, FrameType, FunctionType
from typing import Any

problems: list[str] = []
"""What of debugpy didn't fit, and what therefore stays off."""


def attached() -> bool:
    """Whether a client debugs this process now."""
    debugpy = sys.modules.get("debugpy")
    if debugpy is None:
        return False
    try:
        return bool(debugpy.is_client_connected())
    except Exception:
        return False


def stop_at(frame: FrameType, name: str) -> None:
    """Stop in ``frame``, one of the user's, at its current line, as a breakpoint there would.

    Returns when the user goes on. A synthetic function at the frame's line asks for the stop, since
    debuggers pass over frames that aren't the user's. (``debugpy.breakpoint`` in library code never
    stops under justMyCode.)
    """
    import debugpy

    code = _stopper(frame.f_code.co_filename, frame.f_lineno, name)
    FunctionType(code, frame.f_globals)(debugpy.breakpoint)


@functools.lru_cache(maxsize=256)
def _stopper(filename: str, line: int, name: str) -> CodeType:
    """The code of a function, at one line of a file, that calls its argument."""
    import ast  # not before it's needed: this module is loaded at the start of each debuggee

    module = ast.parse("def stop(__graphdebug_stop__): __graphdebug_stop__()")
    for node in ast.walk(module):
        if isinstance(node, (ast.stmt, ast.expr, ast.arg)):
            node.lineno = node.end_lineno = line
            node.col_offset = node.end_col_offset = 0
    code = next(
        item
        for item in compile(module, filename, "exec").co_consts
        if isinstance(item, CodeType)
    )
    return code.replace(co_name=name)


def answer_without_delay() -> None:
    """Switch Nagle's algorithm off on the socket that pydevd answers on.

    pydevd sends each message in two parts, so that the second waits for the peer's delayed
    acknowledgement: 44 ms a request, against 1 to 2 ms without. Called by ``bootstrap`` when pydevd
    has been imported, before it connects.
    """
    import pydevd

    try:
        original = pydevd.PyDB.initialize_network
        if "sock" not in original.__code__.co_varnames[1:2]:
            raise TypeError("PyDB.initialize_network takes another first argument")
    except Exception as error:
        _unfit("the slow answer to each request stays", error)
        return

    @functools.wraps(original)
    def initialize_network(self: Any, sock: Any, *args: Any, **kwargs: Any) -> Any:
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return original(self, sock, *args, **kwargs)

    pydevd.PyDB.initialize_network = initialize_network


def present(string_provider: type, resolver: type) -> None:
    """Show values in Variables through these; see ``presentation`` for what they have."""
    if "pydevd" not in sys.modules:
        return
    try:
        from _pydevd_bundle.pydevd_extension_api import (
            StrPresentationProvider,
            TypeResolveProvider,
        )
        from _pydevd_bundle.pydevd_extension_utils import extensions_of_type

        for base, provider in (
            (StrPresentationProvider, string_provider),
            (TypeResolveProvider, resolver),
        ):
            known = extensions_of_type(base)
            if not any(isinstance(item, provider) for item in known):
                known.insert(0, type(provider.__name__, (provider, base), {})())
    except Exception as error:
        _unfit("tensors are shown as debugpy shows them", error)


def _unfit(consequence: str, error: Exception) -> None:
    problems.append(f"debugpy isn't as expected ({error!r}): {consequence}")

