"""Lines of the test programs, found by the mark ``# @name`` at their end and never counted."""

from __future__ import annotations

import functools
import os
import re
from pathlib import Path

PROGRAMS = Path(__file__).resolve().parent.parent / "programs"


def program(name: str) -> str:
    """Absolute path of ``tests/programs/<name>``."""
    path = PROGRAMS / name
    assert path.is_file(), f"no test program {path}"
    return str(path)


def line(path: str | os.PathLike[str], name: str) -> int:
    """The 1-based line of ``path`` that is marked ``# @name``."""
    lines = _marked(os.fspath(path))
    assert name in lines, f"no line of {path} is marked '# @{name}'; marked are {sorted(lines)}"
    return lines[name]


def mark_at(path: str | os.PathLike[str], number: int) -> str:
    """The mark of a line; its number where it has none."""
    return next(
        (name for name, line in _marked(os.fspath(path)).items() if line == number), str(number)
    )


@functools.cache
def _marked(path: str) -> dict[str, int]:
    marked: dict[str, int] = {}
    for number, text in enumerate(Path(path).read_text(encoding="utf-8").splitlines(), start=1):
        comment = re.search(r"#\s*((?:@\w+\s*)+)$", text)
        for name in re.findall(r"@(\w+)", comment.group(1)) if comment else ():
            assert name not in marked, f"{path} marks two lines '# @{name}'"
            marked[name] = number
    return marked
