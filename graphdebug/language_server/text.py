"""A document's text as LSP sees it: lines, and columns in the units that were agreed on.

pygls splits lines as ``str.splitlines`` does, also at form feeds and the like; editors, and Python,
don't. So documents are kept here.
"""

from __future__ import annotations

import itertools
import re

from lsprotocol import types

_LINE_END = re.compile(r"\r\n|\n|\r")
_CODECS = {"utf-8": "utf-8", "utf-16": "utf-16-le", "utf-32": "utf-32-le"}
_WIDTHS = {"utf-8": 1, "utf-16": 2, "utf-32": 4}


def split(text: str) -> list[str]:
    """The lines of ``text`` without their ends; at least one, which may be empty."""
    return _LINE_END.split(text) if "\r" in text else text.split("\n")


class Text:
    """Some text that an editor changes. ``encoding`` is the position encoding that was agreed on.

    Positions beyond a line's end mean its end, as LSP has it.
    """

    def __init__(self, text: str, encoding: str) -> None:
        self._encoding = encoding
        self._set(text)

    def change(self, change: types.TextDocumentContentChangeEvent) -> None:
        """Apply one change of the client."""
        if not isinstance(change, types.TextDocumentContentChangePartial):
            return self._set(change.text)
        begin = self._offset(change.range.start)
        end = max(begin, self._offset(change.range.end))
        return self._set(self._text[:begin] + change.text + self._text[end:])

    def width(self, text: str) -> int:
        """How many units ``text`` takes."""
        codec = _CODECS[self._encoding]
        return len(text.encode(codec, "surrogatepass")) // _WIDTHS[self._encoding]

    def end(self, line: int) -> types.Position:
        """The end of a line, counted from 1."""
        return types.Position(line - 1, self.width(self.lines[line - 1]))

    def part(self, line: int, begin: int, end: int) -> types.Range:
        """Characters ``begin`` to ``end`` of a line, counted from 1."""
        text = self.lines[line - 1]
        return types.Range(
            types.Position(line - 1, self.width(text[:begin])),
            types.Position(line - 1, self.width(text[:end])),
        )

    def code(self, line: int) -> types.Range:
        """A line, counted from 1, without the space around it."""
        text = self.lines[line - 1]
        return self.part(line, len(text) - len(text.lstrip()), len(text.rstrip()))

    def _set(self, text: str) -> None:
        self._text = text
        self.lines = split(text)

    def _offset(self, position: types.Position) -> int:
        if position.line >= len(self.lines):
            return len(self._text)
        line = self.lines[position.line]
        return self._start(position.line) + self._column(line, position.character)

    def _start(self, line: int) -> int:
        """Where a line, counted from 0, begins."""
        if "\r" in self._text:
            ends = itertools.islice(_LINE_END.finditer(self._text), line)
            return max((match.end() for match in ends), default=0)
        return sum(map(len, self.lines[:line])) + line

    def _column(self, line: str, units: int) -> int:
        """The character that begins ``units`` units into a line, or the one that they cut."""
        if line.isascii():
            return min(units, len(line))
        codec = _CODECS[self._encoding]
        data = line.encode(codec, "surrogatepass")[: units * _WIDTHS[self._encoding]]
        try:
            return len(data.decode(codec, "surrogatepass"))
        except UnicodeDecodeError:
            return len(data.decode(codec, "ignore"))
