"""Opens files in the editor, where it can do that."""

from __future__ import annotations

from lsprotocol import types

from graphdebug.language_server.server import Server


async def show(server: Server, uri: str, line: int) -> bool:
    """Show a line, counted from 1; False where the editor can't."""
    window = server.client_capabilities.window
    if not (window and window.show_document and window.show_document.support):
        return False
    place = types.Position(line - 1, 0)
    params = types.ShowDocumentParams(uri, take_focus=True, selection=types.Range(place, place))
    return (await server.window_show_document_async(params)).success


def say(server: Server, text: str) -> None:
    """A message for the user."""
    server.window_show_message(types.ShowMessageParams(types.MessageType.Info, text))
