"""What the lines of one file made in one session, kept up with its steps."""

from __future__ import annotations

import os
import tokenize
from collections.abc import Iterable
from dataclasses import dataclass, field

from graphdebug.language_server import descriptions
from graphdebug.language_server.text import split
from graphdebug.protocol.model import Node, Step

CHANGES_KEPT = 8
"""Changes of what a line made that are remembered, the newest."""


@dataclass(frozen=True)
class Change:
    """What a line began to make at some step."""

    step: int
    made: str


@dataclass
class LineRecord:
    """What one line made when it ran last."""

    step: Step
    """The newest step that its nodes are those of."""
    nodes: tuple[Node, ...]
    """Its nodes in that step, forward and backward, in order of execution."""
    changes: list[Change] = field(default_factory=list)
    """How what it makes changed over the steps, oldest first; the last one holds now."""

    @property
    def made(self) -> str:
        """What it made, in few words; empty where it made no tensor."""
        return descriptions.tensors(descriptions.made(self.nodes))


class FileRecord:
    """One file in one session.

    ``text``: the lines that the program read; None where nobody knows, since the file was changed
    after the program had started and before we looked.
    """

    def __init__(self, path: str, started: float) -> None:
        self.path = path
        self.text = _text_before(path, started)
        self._started = started
        self.lines: dict[int, LineRecord] = {}
        self.seen = 0
        """Steps before this one have been looked at."""
        self.revision = 0
        """Grows when what lines made changed."""

    def add(self, step: Step, nodes: Iterable[Node], since: int) -> None:
        """The nodes that lines of this file have in a step, and have had since step ``since``."""
        if not self.lines and _changed_since(self.path, self._started):
            self.text = None  # it may have been imported only after that
        by_line: dict[int, list[Node]] = {}
        for node in nodes:
            if node.source is not None:
                by_line.setdefault(node.source.line, []).append(node)
        for line, found in by_line.items():
            self._add_line(line, LineRecord(step, tuple(found)), since)

    def _add_line(self, line: int, record: LineRecord, since: int) -> None:
        known = self.lines.get(line)
        if known is not None:
            record.changes = known.changes
        self.lines[line] = record
        made = record.made
        if not record.changes or record.changes[-1].made != made:
            record.changes = [*record.changes, Change(since, made)][-CHANGES_KEPT:]
            self.revision += 1


def _changed_since(path: str, time: float) -> bool:
    """Whether a file was written, or removed, after ``time``, in seconds since the epoch."""
    try:
        return os.stat(path).st_mtime > time
    except OSError:
        return True


def _text_before(path: str, started: float) -> list[str] | None:
    """The lines of a file that hasn't changed since; None for another."""
    try:
        if _changed_since(path, started):
            return None
        with tokenize.open(path) as file:
            return split(file.read())
    except (OSError, SyntaxError, ValueError):
        return None
