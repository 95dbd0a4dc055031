"""Errors that the program's own signal handlers raise, wherever Python happens to run them.

A handler may run in the middle of something of ours (``signal.alarm`` for a time limit, say): what it
raises is the program's. Imported by whoever catches errors of ours.
"""

from __future__ import annotations

import signal
from types import CodeType
from typing import Any


def raised_by_handler(error: BaseException) -> bool:
    """Whether it comes out of a handler that is installed now."""
    handlers = _handlers()
    traceback = error.__traceback__ if handlers else None
    while traceback is not None:
        if traceback.tb_frame.f_code in handlers:
            return True
        traceback = traceback.tb_next
    return False


def _handlers() -> set[CodeType]:
    """The code of all of them."""
    found = (_code(signal.getsignal(number)) for number in signal.valid_signals())
    return {code for code in found if code is not None}


def _code(handler: Any) -> CodeType | None:
    """What runs first of a function, a method, ``functools.partial`` of one, or an object to call."""
    handler = getattr(handler, "func", handler)
    handler = getattr(handler, "__func__", handler)
    if callable(handler) and not hasattr(handler, "__code__"):
        handler = type(handler).__call__
    code = getattr(handler, "__code__", None)
    return code if isinstance(code, CodeType) else None
