"""Ids of threads, frames, variables and sources, which each process numbers from 1 for itself.

The client's are those of the first process as they are; those of the others lie in blocks of their own,
below graphdebug's (``references``, ``walks``).
"""

from __future__ import annotations

from typing import Any

BLOCK = 1 << 16
"""Ids of one process that follow each other stay together in blocks of as many."""

FIRST_BLOCK = (1 << 29) // BLOCK
"""The first block that is given away: no process numbers as far."""

_ALWAYS = frozenset(
    ("threadId", "frameId", "variablesReference", "sourceReference", "targetId", "moduleId")
)
"""Keys that ids stand under, wherever they are."""

_LISTS = frozenset(("threads", "stackFrames", "targets", "modules"))
"""Keys of lists whose items have an ``id``. (Those of breakpoints are another matter.)"""


class Ids:
    """Between what each process calls something and what the client calls it."""

    def __init__(self) -> None:
        self._blocks: dict[tuple[int, int], int] = {}
        self._owners: dict[int, tuple[int, int]] = {}

    def outer(self, process: int, id: int) -> int:
        """The client's id for one of a process's."""
        if process == 0 or id <= 0:
            return id
        key = process, id // BLOCK
        block = self._blocks.get(key)
        if block is None:
            block = self._blocks[key] = FIRST_BLOCK + len(self._blocks)
            self._owners[block] = key
        return block * BLOCK + id % BLOCK

    def inner(self, id: int) -> tuple[int, int]:
        """Which process one of the client's ids belongs to, and what it is there."""
        owner = self._owners.get(id // BLOCK)
        if owner is None:
            return 0, id
        return owner[0], owner[1] * BLOCK + id % BLOCK

    def to_client(self, process: int, value: Any) -> Any:
        """A body from a process, with the client's ids."""
        return value if process == 0 else self._outward(process, value, False)

    def _outward(self, process: int, value: Any, listed: bool) -> Any:
        if isinstance(value, list):
            return [self._outward(process, item, listed) for item in value]
        if not isinstance(value, dict):
            return value
        found = {}
        for key, item in value.items():
            if type(item) is int:
                is_id = key in _ALWAYS or (key == "id" and listed)
                found[key] = self.outer(process, item) if is_id else item
            else:
                found[key] = self._outward(process, item, key in _LISTS or key == "module")
        return found

    def to_process(self, arguments: Any) -> tuple[int | None, Any]:
        """Which process a request's arguments mean, and the arguments with its ids.

        None where no id stands in them.
        """
        if not isinstance(arguments, dict):
            return None, arguments
        process: int | None = None
        found = {}
        for key, item in arguments.items():
            owner: int | None = None
            if key in _ALWAYS and type(item) is int and item > 0:
                owner, item = self.inner(item)
            elif key == "source":
                owner, item = self.to_process(item)
            process = owner if process is None else process
            found[key] = item
        return process, found
