"""At the end of each line: shape, dtype and device of what it made in the last step."""

from __future__ import annotations

from lsprotocol import types

from graphdebug.language_server.hovers import table
from graphdebug.language_server.server import Server


def register(server: Server) -> None:
    """Add the feature."""

    @server.feature(types.TEXT_DOCUMENT_INLAY_HINT)
    def inlay_hints(params: types.InlayHintParams) -> list[types.InlayHint]:
        document = server.documents.get(params.text_document.uri)
        live = server.live.lines(document) if document is not None else None
        if document is None or live is None:
            return []
        begin, end = params.range.start.line + 1, params.range.end.line + 1
        return [
            types.InlayHint(
                position=document.text.end(line),
                label=record.made,
                kind=types.InlayHintKind.Type,
                tooltip=types.MarkupContent(
                    types.MarkupKind.Markdown, table(record, live.observed.running)
                ),
                padding_left=True,
            )
            for line, record in sorted(live.lines.items())
            if begin <= line <= end and record.made
        ]
