"""Whether two paths name the same file."""

from __future__ import annotations

import functools
import os


@functools.lru_cache(maxsize=4096)
def real(path: str) -> str:
    """The path that a file is known by here. A link that is changed later isn't seen again."""
    return os.path.realpath(path)


def same_file(one: str, other: str) -> bool:
    """Whether they do."""
    return one == other or real(one) == real(other)
