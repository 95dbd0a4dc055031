"""Adds a configuration that stops inside graphs to the workspace's launch file, through the editor."""

from __future__ import annotations

from pathlib import Path

from lsprotocol import types
from pygls import uris

from graphdebug.language_server import launch_file
from graphdebug.language_server.opening import say, show
from graphdebug.language_server.server import Server
from graphdebug.language_server.text import split


async def add_configuration(server: Server, uri: str) -> None:
    """Add it, show it, and say what to do next."""
    path = _folder(server, uri) / ".vscode" / "launch.json"
    try:
        text = path.read_bytes().decode() if path.exists() else ""
    except (OSError, ValueError) as error:
        return say(server, f"{path} can't be read: {error}")
    wanted = launch_file.insertion(text)
    if launch_file.has_configuration(text):
        say(server, f'{path} has a configuration with "staticGraphs": "node": debug with that one')
    elif wanted is None:
        return say(server, f'{path} isn\'t a launch file; add "staticGraphs": "node" by hand')
    elif await _insert(server, path, text, wanted):
        say(server, f'debug with the configuration "{launch_file.NAME}"')
    else:
        return say(server, f"the editor didn't change {path}")
    await show(server, path.as_uri(), _line_of(path))
    return None


def _folder(server: Server, uri: str) -> Path:
    """The workspace folder that a document is in; its own directory where it is in none."""
    path = Path(uris.to_fs_path(uri) or uri)
    folders = [Path(uris.to_fs_path(folder) or ".") for folder in server.workspace.folders]
    if server.workspace.root_path:
        folders.append(Path(server.workspace.root_path))
    around = [folder for folder in folders if folder in path.parents]
    return max(around, key=lambda folder: len(folder.parts), default=path.parent)


async def _insert(server: Server, path: Path, text: str, wanted: launch_file.Insertion) -> bool:
    """Through the editor, which may have the file open and can undo it; else on the disk."""
    workspace = server.client_capabilities.workspace
    edits = workspace.workspace_edit if workspace is not None else None
    creates = edits is not None and types.ResourceOperationKind.Create in (
        edits.resource_operations or ()
    )
    if not (workspace and workspace.apply_edit) or not (path.exists() or creates):
        path.parent.mkdir(exist_ok=True)
        path.write_bytes((text[: wanted.offset] + wanted.text + text[wanted.offset :]).encode())
        return True
    edit = types.TextEdit(_empty_range(server, text, wanted.offset), wanted.text)
    applied = await server.workspace_apply_edit_async(
        types.ApplyWorkspaceEditParams(_edit(path, edit, creates), label=launch_file.NAME)
    )
    return applied.applied


def _edit(path: Path, edit: types.TextEdit, creates: bool) -> types.WorkspaceEdit:
    uri = path.as_uri()
    if path.exists():
        return types.WorkspaceEdit(changes={uri: [edit]})
    document = types.OptionalVersionedTextDocumentIdentifier(uri)
    create = types.CreateFile(uri, options=types.CreateFileOptions(ignore_if_exists=True))
    return types.WorkspaceEdit(document_changes=[create, types.TextDocumentEdit(document, [edit])])


def _empty_range(server: Server, text: str, offset: int) -> types.Range:
    before = split(text[:offset])
    units = server.workspace.position_codec.client_num_units(before[-1])
    place = types.Position(len(before) - 1, units)
    return types.Range(place, place)


def _line_of(path: Path) -> int:
    """The line of the configuration, where the editor has saved the file."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError):
        return 1
    return next((at for at, text in enumerate(lines, 1) if '"staticGraphs"' in text), 1)
