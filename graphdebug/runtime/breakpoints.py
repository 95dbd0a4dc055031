"""The client's breakpoints, as the runtime sees them: what it may have to stop at itself."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping, Sequence
from types import CodeType
from typing import Any

from graphdebug.protocol.runtime import Breakpoint
from graphdebug.runtime.frames import absolute

_HIT = re.compile(r"\s*(==|>=|<=|>|<|%)?\s*(\d+)\s*")
_BRACES = re.compile(r"\{([^{}]*)\}")

NAMES: dict[str, Any] = {"rank": 0}
"""What conditions know where the program has no such name."""


class Breakpoints:
    """All breakpoints by file and line.

    Replaced whole, file by file, by the link's thread; read by any thread without a lock, since each
    file's dictionary is never changed in place. ``version`` grows with each change.
    """

    def __init__(self) -> None:
        self._files: dict[str, dict[int, Breakpoint]] = {}
        self._hits: dict[tuple[str, int], int] = {}
        self.version = 0

    def replace_all(self, files: Mapping[str, Sequence[Breakpoint]]) -> None:
        """Set the breakpoints of all files."""
        for path in self._files.keys() - {absolute(path) for path in files}:
            self.replace(path, ())
        for path, breakpoints in files.items():
            self.replace(path, breakpoints)

    def replace(self, path: str, breakpoints: Sequence[Breakpoint]) -> None:
        """Set the breakpoints of one file; hit counts of those that stay as they were are kept."""
        path = absolute(path)
        files = dict(self._files)
        before = files.pop(path, {})
        if breakpoints:
            files[path] = {item.line: item for item in breakpoints}
        self._files = files
        now = files.get(path, {})
        for key in [key for key in self._hits if key[0] == path]:
            if now.get(key[1]) is None or now[key[1]] != before.get(key[1]):
                del self._hits[key]
        self.version += 1

    @property
    def files(self) -> Mapping[str, Mapping[int, Breakpoint]]:
        """Path to line to breakpoint."""
        return self._files

    def at(self, path: str, line: int) -> Breakpoint | None:
        """The breakpoint of a line; ``path`` as ``frames.absolute`` spells it."""
        file = self._files.get(path)
        return file.get(line) if file else None

    @property
    def counts(self) -> dict[tuple[str, int], int]:
        """How often each line with a hit condition was hit so far."""
        return dict(self._hits)

    def hit(
        self,
        path: str,
        breakpoint: Breakpoint,
        names: Mapping[str, Any],
        globals_: dict[str, Any],
        counts: dict[tuple[str, int], int] | None = None,
    ) -> bool:
        """Count one execution of a line; whether it stops there (a log point never does).

        ``names`` are what a condition sees as locals. An expression that can't be evaluated is
        false, as in debugpy. ``counts``: counted here instead, for what is only looked at again.
        """
        if breakpoint.condition and not is_true(breakpoint.condition, names, globals_):
            return False
        if not breakpoint.hit_condition:
            return True
        key = (path, breakpoint.line)
        hits = self._hits if counts is None else counts
        count = hits[key] = hits.get(key, 0) + 1
        return meets_hit_condition(breakpoint.hit_condition, count)

    def log_text(
        self, breakpoint: Breakpoint, names: Mapping[str, Any], globals_: dict[str, Any]
    ) -> str:
        """A log point's message with its expressions filled in."""

        def fill(match: re.Match[str]) -> str:
            try:
                return str(_value(match[1], names, globals_))
            except Exception as error:
                return f"<{type(error).__name__}: {error}>"

        return _BRACES.sub(fill, breakpoint.log_message or "")


def is_true(condition: str, names: Mapping[str, Any], globals_: Mapping[str, Any]) -> bool:
    """Whether a condition holds; one that can't be evaluated doesn't, as in debugpy."""
    try:
        return bool(_value(condition, names, globals_))
    except Exception:
        return False


def _value(expression: str, names: Mapping[str, Any], globals_: Mapping[str, Any]) -> Any:
    return eval(_compiled(expression.strip()), {**NAMES, **globals_, **names})


@functools.lru_cache(maxsize=1024)
def _compiled(expression: str) -> CodeType:
    return compile(expression, "<breakpoint>", "eval")


def meets_hit_condition(condition: str, count: int) -> bool:
    """DAP's hitCondition as debugpy reads it: ``5``, ``== 5``, ``>= 5``, ``% 5`` and so on.

    What can't be read stops each time, as a breakpoint without it.
    """
    match = _HIT.fullmatch(condition)
    if match is None:
        return True
    number = int(match[2])
    return {
        None: count == number,
        "==": count == number,
        ">": count > number,
        ">=": count >= number,
        "<": count < number,
        "<=": count <= number,
        "%": number != 0 and count % number == 0,
    }[match[1]]
