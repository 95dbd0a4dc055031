"""Which lines hold code, and whose, as the compiler sees it.

debugpy puts a breakpoint on a line without code onto the nearest line before it that has some; it
finds those lines by compiling the file, and so does this module, so that both agree. Imported by
``analysis`` alone.
"""

from __future__ import annotations

import dis
import warnings
from bisect import bisect_right
from types import CodeType

Owner = tuple[int, str]
"""A code object: its first line and its name."""

_INLINE = ("<listcomp>", "<setcomp>", "<dictcomp>", "<genexpr>")


class CodeLines:
    """The lines of a file that hold code; none are known of text that does not compile."""

    def __init__(self, text: str) -> None:
        self.owners: dict[int, list[Owner]] = {}
        self.error = ""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                code = compile(text, "<analysis>", "exec", dont_inherit=True)
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            self.error = str(error) or type(error).__name__
        else:
            self._add(code, (0, "<module>"))
        self._sorted = sorted(self.owners)

    def landing(self, line: int) -> int | None:
        """The line that debugpy moves a breakpoint on ``line`` to; None where it finds none."""
        if self.error:
            return line
        index = bisect_right(self._sorted, line)
        return self._sorted[index - 1] if index else None

    def _add(self, code: CodeType, owner: Owner) -> None:
        for _, line in dis.findlinestarts(code):
            if not line:  # the line of code that no statement has: None or 0
                continue
            owners = self.owners.setdefault(line, [])
            if owner not in owners:
                owners.append(owner)
        for constant in code.co_consts:
            if isinstance(constant, CodeType):
                inline = constant.co_name in _INLINE
                self._add(
                    constant, owner if inline else (constant.co_firstlineno, constant.co_name)
                )
