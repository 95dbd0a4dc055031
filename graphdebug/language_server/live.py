"""The running sessions of this user, found by themselves, and what the lines of a document made."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from graphdebug.language_server import background
from graphdebug.language_server.documents import Document
from graphdebug.language_server.observed import Observed
from graphdebug.language_server.paths import same_file
from graphdebug.language_server.record import FileRecord, LineRecord
from graphdebug.protocol.model import Alert, Step
from graphdebug.transport.registry import running

LOOK_SECONDS = 0.5
"""How often the registry is looked at."""
ENDED_KEPT = 4
"""Sessions that have ended and are still shown, until another one runs the file."""


@dataclass(frozen=True)
class LiveLines:
    """What one session knows of a document, at the lines as they are now."""

    observed: Observed
    lines: dict[int, LineRecord]
    """Of unchanged lines only."""
    alerts: dict[int, list[Alert]]
    steps: dict[int, list[Step]]
    """By the line that ended them: the newest of each name."""


class Live:
    """Looks for sessions, and at the open files in each."""

    def __init__(self, changed: Callable[[], None]) -> None:
        """``changed``: called when there may be something new to show."""
        self._changed = changed
        self._observed: dict[str, Observed] = {}  # by token, in the order of their start
        self._paths: set[str] = set()
        self._task: asyncio.Task[None] | None = None

    def open(self, path: str) -> None:
        """Keep up with what this file's lines make."""
        self._paths.add(path)
        for observed in self._observed.values():
            if observed.running:
                observed.look_at(path)
        if self._task is None:
            self._task = background.start(self._look())

    def shut(self, path: str) -> None:
        """Nobody looks at this file any more."""
        self._paths.discard(path)
        for observed in self._observed.values():
            observed.look_away(path)

    def close(self) -> None:
        """Look no more."""
        if self._task is not None:
            self._task.cancel()
        for observed in self._observed.values():
            observed.close()

    def lines(self, document: Document) -> LiveLines | None:
        """What the newest session that ran the document knows; None where none did."""
        for observed in reversed(self._observed.values()):
            file = observed.files.get(document.path)
            if file is not None and (file.lines or self._steps(observed, document.path)):
                return self._placed(observed, file, document)
        return None

    def unknown(self, document: Document) -> bool:
        """Whether a session runs the document, but from a text that isn't known any more."""
        return any(
            observed.running and (file := observed.files.get(document.path)) is not None
            and file.lines and file.text is None
            for observed in self._observed.values()
        )  # fmt: skip

    def state(self) -> tuple[object, ...]:
        """Another one whenever what lines make has changed."""
        return tuple(
            (token, observed.running, path, file.revision)
            for token, observed in self._observed.items()
            for path, file in observed.files.items()
        )

    def newest(self) -> tuple[int, ...]:
        """Another one whenever there was a step."""
        return tuple(observed.newest for observed in self._observed.values())

    def _placed(self, observed: Observed, file: FileRecord, document: Document) -> LiveLines | None:
        if file.text is None:
            return None
        shift = document.shift_from(file.text)
        alerts: dict[int, list[Alert]] = {}
        for alert in observed.alerts:
            source = alert.source
            if source and same_file(source.path, file.path) and (now := shift.now(source.line)):
                alerts.setdefault(now, []).append(alert)
        steps: dict[int, list[Step]] = {}
        for line, step in self._steps(observed, document.path):
            if now := shift.now(line):
                steps.setdefault(now, []).append(step)
        lines = {now: record for line, record in file.lines.items() if (now := shift.now(line))}
        return LiveLines(observed, lines, alerts, steps)

    def _steps(self, observed: Observed, path: str) -> list[tuple[int, Step]]:
        return [
            (line, step)
            for (step_path, line, _), step in observed.steps.items()
            if same_file(step_path, path)
        ]

    async def _look(self) -> None:
        while True:
            for session in running():
                if session.token not in self._observed:
                    observed = Observed(session, lambda observed: self._changed())
                    self._observed[session.token] = observed
                    for path in self._paths:
                        observed.look_at(path)
            self._drop_ended()
            await asyncio.sleep(LOOK_SECONDS)

    def _drop_ended(self) -> None:
        ended = [key for key, observed in self._observed.items() if not observed.running]
        for key in _oldest(ended, ENDED_KEPT):
            del self._observed[key]


def _oldest(keys: Iterable[str], kept: int) -> list[str]:
    found = list(keys)
    return found[: max(0, len(found) - kept)]
