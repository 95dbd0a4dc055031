"""Information where a breakpoint doesn't stop each time its line runs, once a function or block."""

from __future__ import annotations

import re

from lsprotocol import types

from graphdebug.analysis import Block
from graphdebug.language_server.documents import Document
from graphdebug.language_server.server import Server

SOURCE = "graphdebug"
_DEFINITION = re.compile(r"\s*(?:async\s+)?def\s+(\w+)")
DOES = {
    "boundary": "are bound to the boundary",
    "node": "stop inside the graph",
    "never": "never stop",
    "line": "stop each time",
}


def register(server: Server) -> None:
    """Publish them whenever a document was analysed."""

    def publish(document: Document) -> None:
        found = [diagnostic(document, block) for block in document.findings.blocks]
        server.text_document_publish_diagnostics(
            types.PublishDiagnosticsParams(
                document.uri, [item for item in found if item is not None], document.version
            )
        )

    server.on_findings.append(publish)


def diagnostic(document: Document, block: Block) -> types.Diagnostic | None:
    """At the function's name or at the first line of a block; None where that line was changed."""
    head = document.shift.now(block.head)
    if head is None:
        return None
    return types.Diagnostic(
        range=_shown_at(document, block, head),
        message=f"Breakpoints on {places(document, block)} {DOES[block.kind]}: {block.reason}",
        severity=types.DiagnosticSeverity.Information,
        source=SOURCE,
        code=block.kind,
    )


def places(document: Document, block: Block) -> str:
    """``lines 12-14 and 17``."""
    ranges = []
    for span in block.lines:
        first, last = document.shift.now(span.first), document.shift.now(span.last)
        if first is not None:
            ranges.append(f"{first}-{last}" if last and last > first else str(first))
    several = len(ranges) > 1 or "-" in "".join(ranges)
    listed = " and ".join(filter(None, (", ".join(ranges[:-1]), *ranges[-1:])))
    return f"line{'s' if several else ''} {listed}"


def _shown_at(document: Document, block: Block, head: int) -> types.Range:
    name = _DEFINITION.match(document.text.lines[head - 1])
    if name is not None and name[1] == block.function:
        return document.text.part(head, name.start(1), name.end(1))
    return document.text.code(head)
