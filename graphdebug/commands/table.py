"""The steps of a program as a table, redrawn at the bottom of the terminal while it runs."""

from __future__ import annotations

import io
import os
import shutil
import sys
from collections import deque
from typing import TextIO

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from graphdebug.protocol.model import Alert, Backend, Step

ROWS = 6
"""Steps shown at once."""


class StepTable:
    """The newest steps, the totals, and the alerts."""

    def __init__(self) -> None:
        self.total = 0
        self.dropped = 0
        self.alerts: list[Alert] = []
        self.backends: dict[str, Backend] = {}
        self._newest: deque[Step] = deque(maxlen=ROWS)

    def add(self, step: Step) -> None:
        """A step was made."""
        self.total += 1
        self._newest.append(step)

    def render(self) -> RenderableType:
        """The table."""
        table = Table(padding=(0, 1), box=None)
        for name, justify in (
            ("step", "right"), ("kind", "left"), ("name", "left"), ("line", "left"),
            ("time", "right"), ("nodes", "right"), ("backward", "right"), ("devices", "left"),
        ):  # fmt: skip
            table.add_column(name, justify=justify, no_wrap=True)  # type: ignore[arg-type]
        for step in self._newest:
            source = step.source
            table.add_row(
                str(step.index),
                step.kind,
                step.name,
                f"{os.path.basename(source.path)}:{source.line}" if source else "",
                duration(step.duration_ns),
                str(step.forward_nodes),
                str(step.backward_nodes),
                " ".join(step.devices),
            )
        return Group(Text(self._title(), "italic"), table)

    def _title(self) -> str:
        parts = [f"graphdebug: {self.total:,} steps"]
        parts += [_observed(item) for item in self.backends.values() if item.active]
        parts += [
            f"{item.name} not observed: {item.reason}"
            for item in self.backends.values()
            if not item.active
        ]
        if self.alerts:
            parts.append(f"{len(self.alerts)} alerts, last: {self.alerts[-1].message}")
        if self.dropped:
            parts.append(f"{self.dropped:,} dropped")
        return " · ".join(parts)


def _observed(item: Backend) -> str:
    why = f", {item.tier_reason}" if item.tier_reason else ""
    tier = f" ({item.tier} tier{why})" if why or item.tier != "python" else ""
    return f"{item.name} {item.version}{tier}"


def duration(nanoseconds: int) -> str:
    """In the unit that suits."""
    for unit, size in (("s", 1e9), ("ms", 1e6), ("us", 1e3)):
        if nanoseconds >= size:
            return f"{nanoseconds / size:.3g} {unit}"
    return f"{nanoseconds} ns"


class Footer:
    """Keeps the last rows of a terminal for a picture, and the rest for the program's output.

    The program writes to the terminal itself, above: the rows are taken out of the scrolled region
    (DECSTBM), so that nothing of what it writes has to pass through here. Each redraw is one write.
    """

    HEIGHT = ROWS + 3

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._size = (0, 0)

    @staticmethod
    def fits(stream: TextIO) -> bool:
        """Whether there is a terminal, and room in it."""
        return (
            stream.isatty()
            and os.environ.get("TERM", "dumb") != "dumb"
            and shutil.get_terminal_size().lines >= 3 * Footer.HEIGHT // 2
        )

    def draw(self, picture: RenderableType) -> None:
        """Redraw."""
        size = self._terminal_size()
        text = "" if size == self._size else self._reserve(size)
        columns, rows = self._size = size
        lines = rendered(picture, columns).splitlines()[: self.HEIGHT]
        lines += [""] * (self.HEIGHT - len(lines))
        top = rows - self.HEIGHT + 1
        body = "".join(f"\x1b[{top + i};1H\x1b[2K{line}" for i, line in enumerate(lines))
        self._write(f"{text}\x1b7\x1b[?7l{body}\x1b[?7h\x1b8")

    def close(self) -> None:
        """Give the rows back, empty."""
        if self._size == (0, 0):
            return
        _, rows = self._size
        top = rows - self.HEIGHT + 1
        clear = "".join(f"\x1b[{top + i};1H\x1b[2K" for i in range(self.HEIGHT))
        self._write(f"\x1b7{clear}\x1b[r\x1b8")

    def _reserve(self, size: tuple[int, int]) -> str:
        """Scroll the text up where it stands in the rows that are taken now."""
        _, rows = size
        down = "\n" * self.HEIGHT
        return f"{down}\x1b[{self.HEIGHT}A\x1b7\x1b[1;{rows - self.HEIGHT}r\x1b8"

    def _terminal_size(self) -> tuple[int, int]:
        try:
            size = os.get_terminal_size(self._stream.fileno())
        except OSError:
            size = shutil.get_terminal_size()
        return size.columns, size.lines

    def _write(self, text: str) -> None:
        try:
            self._stream.flush()
            os.write(self._stream.fileno(), text.encode(errors="replace"))
        except OSError:
            pass  # the terminal has gone; the program goes on


def rendered(picture: RenderableType, columns: int) -> str:
    """What rich makes of it, as text with colours."""
    text = io.StringIO()
    console = Console(file=text, force_terminal=True, width=columns, color_system="standard")
    console.print(picture)
    return text.getvalue()


def standard_error() -> TextIO:
    """Where the table goes: the program has stdout for itself."""
    return sys.stderr
