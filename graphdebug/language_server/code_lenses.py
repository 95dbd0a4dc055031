"""Above each function that makes steps: its last step's time, nodes and device."""

from __future__ import annotations

from lsprotocol import types

from graphdebug.language_server import descriptions
from graphdebug.language_server.documents import Document
from graphdebug.language_server.opening import show
from graphdebug.language_server.server import Server

SHOW_STEP = "graphdebug.showStep"


def register(server: Server) -> None:
    """Add the feature, and the command that a click on a lens is."""

    @server.feature(types.TEXT_DOCUMENT_CODE_LENS)
    def code_lenses(params: types.CodeLensParams) -> list[types.CodeLens]:
        document = server.documents.get(params.text_document.uri)
        live = server.live.lines(document) if document is not None else None
        if document is None or live is None:
            return []
        ended = "" if live.observed.running else " (ended)"
        return [
            types.CodeLens(
                range=document.text.code(_above(document, line)),
                command=types.Command(
                    f"{descriptions.step(step)}{ended}", SHOW_STEP, arguments=[document.uri, line]
                ),
            )
            for line, steps in sorted(live.steps.items())
            for step in steps
        ]

    @server.command(SHOW_STEP)
    async def show_step(uri: str, line: int) -> None:
        """Go to the line that ended the step."""
        await show(server, uri, line)


def _above(document: Document, line: int) -> int:
    """The ``def`` of the function around a line; the line itself at the top level."""
    then = document.then(line)
    function = document.findings.function(then) if then is not None else None
    if function is None:
        return line
    return document.shift.now(function.line) or line
