"""The open documents, and what is known of each."""

from __future__ import annotations

import os

from lsprotocol import types
from pygls import uris

from graphdebug.language_server.findings import Findings
from graphdebug.language_server.shift import Shift
from graphdebug.language_server.text import Text


class Document:
    """An open document.

    ``findings`` are those of the last text that Python could read, whose lines may have moved since:
    ``shift`` says where they are now.
    """

    def __init__(self, item: types.TextDocumentItem, encoding: str) -> None:
        self.uri = item.uri
        self.path = os.path.realpath(uris.to_fs_path(item.uri) or item.uri)
        self.version = item.version
        self.text = Text(item.text, encoding)
        self.findings = Findings()
        self.error = ""
        """Why Python can't read the text that was analysed last; empty where it can."""
        self._analysed: list[str] = self.text.lines
        self._shifts: dict[int, tuple[list[str], list[str], Shift]] = {}

    def change(self, params: types.DidChangeTextDocumentParams) -> None:
        """The client changed it."""
        for change in params.content_changes:
            self.text.change(change)
        self.version = params.text_document.version

    def found(self, lines: list[str], findings: Findings) -> None:
        """Lines that it has, or had, were analysed."""
        self.error = findings.error
        if findings.error and (self.findings.blocks or self.findings.functions):
            return  # while a line is being typed, what was known of the others stands
        self.findings = findings
        self._analysed = lines

    @property
    def shift(self) -> Shift:
        """From the lines that ``findings`` are about to the lines as they are now."""
        return self.shift_from(self._analysed)

    def then(self, line: int) -> int | None:
        """The line that ``findings`` know as what is ``line`` now."""
        return Shift(self.text.lines, self._analysed).now(line)

    def shift_from(self, lines: list[str]) -> Shift:
        """From another version of the text to the lines as they are now."""
        known = self._shifts.get(id(lines))
        if known is None or known[0] is not lines or known[1] is not self.text.lines:
            known = lines, self.text.lines, Shift(lines, self.text.lines)
            if len(self._shifts) > 8:
                self._shifts.clear()
            self._shifts[id(lines)] = known
        return known[2]
