"""Opens what is said of breakpoints in static graphs: a page that the package carries."""

from __future__ import annotations

from pathlib import Path

from graphdebug.language_server.opening import say, show
from graphdebug.language_server.server import Server

PACKAGE = Path(__file__).resolve().parents[1]
PAGE = "docs/breakpoints.md"
PLACES = (PACKAGE / PAGE, PACKAGE.parent / PAGE)
"""Where it lies: in an installed package, and in a checkout."""
ABOUT = "A breakpoint's message starts with what it will do"
"""The line that it is opened at."""


async def open_it(server: Server) -> None:
    """Show it in the editor; where it can't, say where it lies."""
    path = next((path for path in PLACES if path.is_file()), None)
    if path is None:
        return say(server, f"this installation of graphdebug has no {PAGE}")
    lines = path.read_text(encoding="utf-8").splitlines()
    line = next((at for at, text in enumerate(lines, 1) if text.startswith(ABOUT)), 1)
    if not await show(server, path.as_uri(), line):
        say(server, f"it is in {path}, from line {line} on")
    return None
