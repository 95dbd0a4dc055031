"""Which frames are the user's, and how their files are spelled."""

from __future__ import annotations

import functools
import inspect
import os
import sys
import sysconfig
from types import CodeType, FrameType
from typing import Any

from graphdebug.protocol.model import Source

_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_LIBRARIES = tuple(
    os.path.join(path, "")
    for path in {sysconfig.get_paths()[name] for name in ("stdlib", "platstdlib")}
    | {os.path.realpath(sysconfig.get_paths()["stdlib"]), _PACKAGE}
)


@functools.cache
def absolute(filename: str) -> str:
    """The file as breakpoints spell it: absolute, links resolved."""
    return os.path.realpath(filename)


@functools.cache
def is_user_file(filename: str) -> bool:
    """Whether the user wrote it: neither installed, nor the interpreter's, nor ours, nor generated."""
    if filename.startswith("<") or "site-packages" in filename or "dist-packages" in filename:
        return False
    path = os.path.abspath(filename)
    if path.startswith(_LIBRARIES):
        return False
    name = os.path.basename(path)
    return not name.startswith("__autograph_generated_file")


def user_frame(frame: FrameType | None = None) -> FrameType | None:
    """The innermost frame of the user's, from ``frame`` (the caller's by default) outwards."""
    frame = frame or sys._getframe(1)
    while frame is not None and not is_user_file(frame.f_code.co_filename):
        frame = frame.f_back
    return frame


def source_of(frame: FrameType) -> Source:
    """Where a frame stands."""
    code = frame.f_code
    return Source(absolute(code.co_filename), frame.f_lineno or 0, qualified_name(code))


_SOURCES_LIMIT = 65536
_sources: dict[tuple[int, int], tuple[CodeType, Source]] = {}
"""By the ``id`` of the code: to hash the code itself takes longer than all the rest."""


def source_at(code: CodeType, lasti: int) -> Source:
    """Where the instruction at byte offset ``lasti`` of ``code`` stands."""
    known = _sources.get((id(code), lasti))
    if known is not None and known[0] is code:
        return known[1]
    source = Source(absolute(code.co_filename), line_at(code, lasti), qualified_name(code))
    if len(_sources) >= _SOURCES_LIMIT:
        _sources.clear()
    _sources[id(code), lasti] = code, source
    return source


@functools.lru_cache(maxsize=65536)
def line_at(code: CodeType, lasti: int) -> int:
    """The line of the instruction at byte offset ``lasti``."""
    for start, end, line in code.co_lines():
        if start <= lasti < end and line is not None:
            return line
    return code.co_firstlineno


def qualified_name(code: CodeType) -> str:
    """``co_qualname`` where the interpreter has it, else ``co_name``."""
    return getattr(code, "co_qualname", code.co_name)


def module_globals(path: str) -> dict[str, Any]:
    """The globals of the module that a file is, as ``absolute`` spells it; empty where there is none."""
    for module in list(sys.modules.values()):
        file = getattr(module, "__file__", None)
        if isinstance(file, str) and absolute(file) == path:
            return vars(module)
    return {}


def locals_of(frame: FrameType) -> dict[str, Any]:
    """A copy of a frame's locals.

    Python before 3.13 would keep what it was asked for until the function is over.
    """
    kept = frame.f_locals
    copy = dict(kept)
    if sys.version_info < (3, 13) and frame.f_code.co_flags & inspect.CO_OPTIMIZED:
        kept.clear()
    return copy
