"""What breakpoints in a notebook's cells do.

A cell alone doesn't tell: the function of one is given to ``tf.while_loop`` in another. So the cells
are read as one program, in their order.
"""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import accumulate

from graphdebug.analysis import Analysis, Binding, analyse
from graphdebug.observation.breakpoints import Breakpoints
from graphdebug.protocol.jupyter import (
    Cell,
    CellBreakpoint,
    CellBreakpointsArguments,
    CellBreakpointsEvent,
)

_COMMAND = re.compile(r"(\s*)[%!?]")
"""A line of IPython's that isn't Python's."""

_OF_PYTHON = ("graphdebug", "time", "timeit", "prun", "capture")
"""Cell magics whose cells are Python."""

_LINE = re.compile(r"line (\d+)")


class CellBreakpoints(Breakpoints):
    """The breakpoints of a notebook. Outlives the kernel's sessions."""

    def __init__(self) -> None:
        super().__init__()
        self._cells = _Notebook(())

    def replace(self, arguments: CellBreakpointsArguments) -> CellBreakpointsEvent:
        """The page tells of all cells and all breakpoints; what each of them does."""
        if self._cells.cells != arguments.cells:
            self._cells = _Notebook(arguments.cells)
        known = {item.path for item in self.cells()}
        by_path: dict[str, list[CellBreakpoint]] = {path: [] for path in known}
        for item in arguments.breakpoints:
            by_path.setdefault(item.path, []).append(item)
        for path, items in by_path.items():
            self.answer(path, [{"line": item.line, "verified": True} for item in items])
        return self.event()

    def event(self) -> CellBreakpointsEvent:
        """What each of them does now."""
        return CellBreakpointsEvent(self.cells())

    def cells(self) -> tuple[CellBreakpoint, ...]:
        """All of them."""
        return tuple(CellBreakpoint(bound.path, bound.line, bound.message) for bound in self._all())

    def _analysis(self, path: str) -> Analysis | None:
        return self._cells.analysis(path)


class _Notebook:
    """Cells as one program."""

    def __init__(self, cells: tuple[Cell, ...]) -> None:
        self.cells = cells
        texts = [_as_python(cell.source) for cell in cells]
        ends = list(accumulate(len(text) for text in texts))
        self._starts = [end - len(text) for end, text in zip(ends, texts, strict=True)]
        self._whole = analyse("\n".join(line for text in texts for line in text))

    def analysis(self, path: str) -> Analysis | None:
        """That of one cell's lines; None for one that isn't there."""
        for number, cell in enumerate(self.cells):
            if cell.path == path:
                return _CellAnalysis(self, number)
        return None

    def binding(self, number: int, line: int) -> Binding:
        """What a breakpoint on a line of a cell does."""
        start = self._starts[number]
        found = self._whole.binding(start + line)
        reason = _LINE.sub(lambda match: self._name(number, int(match[1])), found.reason)
        return replace(found, line=found.line - start, reason=reason)

    def _name(self, here: int, line: int) -> str:
        number = max(at for at, start in enumerate(self._starts) if start < line)
        place = f"line {line - self._starts[number]}"
        return place if number == here else f"{place} of code cell {number + 1}"


class _CellAnalysis(Analysis):
    """The lines of one cell, numbered from 1."""

    def __init__(self, notebook: _Notebook, number: int) -> None:
        self._notebook, self._number = notebook, number

    def binding(self, line: int) -> Binding:
        """What a breakpoint on ``line`` does."""
        return self._notebook.binding(self._number, line)


def _as_python(source: str) -> list[str]:
    """The lines of a cell, with what only IPython understands replaced line by line."""
    lines = source.splitlines() or [""]
    if lines[0].startswith("%%"):
        name = lines[0][2:].split(maxsplit=1)[:1]
        if not name or name[0] not in _OF_PYTHON:
            return [""] * len(lines)
        lines[0] = ""
    return [_COMMAND.sub(r"\1pass  #", line, count=1) if _COMMAND.match(line) else line
            for line in lines]  # fmt: skip
