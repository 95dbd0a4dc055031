"""At lines of static graphs: debug with breakpoints that stop inside, or read what they do."""

from __future__ import annotations

from lsprotocol import types

from graphdebug.analysis import Block
from graphdebug.language_server import documentation, launching
from graphdebug.language_server.diagnostics import SOURCE
from graphdebug.language_server.documents import Document
from graphdebug.language_server.server import Server

STOP_INSIDE = "graphdebug.stopInside"
OPEN_DOCUMENTATION = "graphdebug.openDocumentation"


def register(server: Server) -> None:
    """Add the feature, and the commands that the actions are."""

    @server.feature(
        types.TEXT_DOCUMENT_CODE_ACTION,
        types.CodeActionOptions(code_action_kinds=[types.CodeActionKind.QuickFix]),
    )
    def code_actions(params: types.CodeActionParams) -> list[types.CodeAction | types.Command]:
        document = server.documents.get(params.text_document.uri)
        if document is None or not _wanted(params.context):
            return []
        blocks = _blocks(document, params.range)
        commands = []
        if any(block.can_stop_inside for block in blocks):
            title = 'Debug with breakpoints that stop inside the graph ("staticGraphs": "node")'
            commands.append(types.Command(title, STOP_INSIDE, arguments=[document.uri]))
        if blocks:
            title = "What breakpoints in static graphs do"
            commands.append(types.Command(title, OPEN_DOCUMENTATION))
        if not _literals(server):
            return list(commands)
        own = [item for item in params.context.diagnostics if item.source == SOURCE]
        return [
            types.CodeAction(
                command.title,
                types.CodeActionKind.QuickFix,
                diagnostics=own or None,
                command=command,
            )
            for command in commands
        ]

    @server.command(STOP_INSIDE)
    async def stop_inside(uri: str) -> None:
        """Put a configuration that stops inside graphs into the launch file."""
        await launching.add_configuration(server, uri)

    @server.command(OPEN_DOCUMENTATION)
    async def open_documentation() -> None:
        """Open what is said of breakpoints in static graphs."""
        await documentation.open_it(server)


def _wanted(context: types.CodeActionContext) -> bool:
    """Whether the client asks for quick fixes, be it among all."""
    kind = types.CodeActionKind.QuickFix
    return context.only is None or any(only in ("", kind) for only in context.only)


def _literals(server: Server) -> bool:
    """Whether the client takes more than commands."""
    document = server.client_capabilities.text_document
    actions = document.code_action if document is not None else None
    return actions is not None and actions.code_action_literal_support is not None


def _blocks(document: Document, place: types.Range) -> list[Block]:
    """The blocks that a selection touches, by their lines or where they are shown."""
    first, last = place.start.line + 1, place.end.line + 1
    found = []
    for block in document.findings.blocks:
        head = document.shift.now(block.head)
        spans = [(document.shift.now(s.first), document.shift.now(s.last)) for s in block.lines]
        spans.append((head, head))
        if any(a and b and a <= last and b >= first for a, b in spans):
            found.append(block)
    return found
