"""What the analysis of one text found, as it travels from the analysing process."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from graphdebug.analysis import Block, Function


@dataclass(frozen=True)
class Findings:
    """Of one text; its lines count from 1."""

    blocks: tuple[Block, ...] = ()
    """Where breakpoints do less than stop each time."""
    functions: tuple[Function, ...] = ()
    """Its functions, in order."""
    error: str = ""
    """Why Python can't read the text; empty where it can."""

    def at(self, line: int) -> Iterator[Block]:
        """The blocks that ``line`` belongs to."""
        return (
            block
            for block in self.blocks
            if any(span.first <= line <= span.last for span in block.lines)
        )

    def function(self, line: int) -> Function | None:
        """The innermost function around ``line``."""
        around = [f for f in self.functions if f.lines.first <= line <= f.lines.last]
        return max(around, key=lambda function: function.line, default=None)
