"""While the program is stopped: what each line up to there made in the last step."""

from __future__ import annotations

from lsprotocol import types

from graphdebug.language_server.server import Server


def register(server: Server) -> None:
    """Add the feature."""

    @server.feature(types.TEXT_DOCUMENT_INLINE_VALUE)
    def inline_values(params: types.InlineValueParams) -> list[types.InlineValue]:
        document = server.documents.get(params.text_document.uri)
        live = server.live.lines(document) if document is not None else None
        if document is None or live is None or not live.observed.running:
            return []
        begin = params.range.start.line + 1
        end = min(params.range.end.line, params.context.stopped_location.end.line) + 1
        return [
            types.InlineValueText(document.text.code(line), record.made)
            for line, record in sorted(live.lines.items())
            if begin <= line <= end and record.made
        ]
