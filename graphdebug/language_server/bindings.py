"""``graphdebug/bindings``: what breakpoints on some lines will do, before any program runs.

A request of ours, for editors that show it at the breakpoints; while a program is debugged, its
adapter knows better. ``{textDocument: {uri}, lines: [int]}``, counted from 1, is answered with
``[{line, message}]`` of those lines where a breakpoint doesn't stop each time. The message is worded
as the adapter's: it begins with the kind and a colon.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from graphdebug.language_server.documents import Document
from graphdebug.language_server.server import Server

BINDINGS = "graphdebug/bindings"


def register(server: Server) -> None:
    """Add the feature."""

    @server.feature(BINDINGS)
    def bindings(params: Any) -> list[dict[str, Any]]:
        document = server.documents.get(params.textDocument.uri)
        return [] if document is None else list(_bindings(document, params.lines))


def _bindings(document: Document, lines: list[int]) -> Iterator[dict[str, Any]]:
    for line in lines:
        then = document.then(line)
        if then is not None:
            for block in document.findings.at(then):
                yield {"line": line, "message": f"{block.kind}: {block.reason}"}
