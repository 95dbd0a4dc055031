"""Where the lines of one version of a text stand in another."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import SequenceMatcher

COMPARED = 600
"""Lines between the first and the last change that are compared one by one; of more, none is kept."""


class Shift:
    """Maps the lines of ``before``, counted from 1, to where they stand, unchanged, in ``after``."""

    def __init__(self, before: Sequence[str], after: Sequence[str]) -> None:
        shorter = min(len(before), len(after))
        head = 0
        while head < shorter and before[head] == after[head]:
            head += 1
        tail = 0
        while tail < shorter - head and before[-1 - tail] == after[-1 - tail]:
            tail += 1
        self._head = head
        self._tail = len(before) - tail
        self._moved = len(after) - len(before)
        self._between: dict[int, int] = {}
        middle = before[head : self._tail], after[head : len(after) - tail]
        if max(map(len, middle)) <= COMPARED:
            matcher = SequenceMatcher(None, *middle, autojunk=False)
            for begin, there, size in matcher.get_matching_blocks():
                for number in range(size):
                    self._between[head + begin + number + 1] = head + there + number + 1

    def now(self, line: int) -> int | None:
        """Where ``line`` stands now; None where it was changed or is gone."""
        if line <= self._head:
            return line
        if line > self._tail:
            return line + self._moved
        return self._between.get(line)
