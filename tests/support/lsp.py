"""An editor as a language server knows it, over pytest-lsp's client and a real server process."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest_lsp
from lsprotocol import types
from pygls.protocol import default_converter
from pytest_lsp.client import DEFAULT_CLIENT_FEATURES, register_lsp_features

SERVER = (sys.executable, "-m", "graphdebug", "language-server")
EVERYWHERE = types.Range(types.Position(0, 0), types.Position(1_000_000, 0))


class Editor:
    """One client: its open documents, and what the server told or asked it."""

    def __init__(self, client: pytest_lsp.LanguageClient, folder: Path) -> None:
        self.client = client
        self.folder = folder
        self.texts: dict[str, str] = {}
        self.versions: dict[str, int] = {}
        self.published: list[types.PublishDiagnosticsParams] = []
        self.refreshes: list[str] = []
        self.edits: list[types.ApplyWorkspaceEditParams] = []
        self.hold_edits: asyncio.Event | None = None
        """Where set, edits are answered only after it."""
        self._changed = asyncio.Event()
        self._take_over()

    def open(self, path: str | Path, text: str | None = None, language: str = "python") -> str:
        """Open a document; its URI. ``text`` is what the editor has, unsaved."""
        uri = Path(path).as_uri()
        content = Path(path).read_bytes().decode() if text is None else text
        self.texts[uri], self.versions[uri] = content, 1
        item = types.TextDocumentItem(uri, language, 1, content)
        self.client.text_document_did_open(types.DidOpenTextDocumentParams(item))
        return uri

    def change(self, uri: str, *changes: types.TextDocumentContentChangeEvent) -> int:
        """Send changes as they are; the document's new version."""
        self.versions[uri] += 1
        version = self.versions[uri]
        document = types.VersionedTextDocumentIdentifier(version, uri)
        self.client.text_document_did_change(
            types.DidChangeTextDocumentParams(document, list(changes))
        )
        return version

    def close(self, uri: str) -> None:
        """Close a document."""
        document = types.TextDocumentIdentifier(uri)
        self.client.text_document_did_close(types.DidCloseTextDocumentParams(document))

    async def until(self, condition: Callable[[], Any], what: str, timeout: float = 30) -> Any:
        """Wait for what the server sends; the condition's result."""
        try:
            async with asyncio.timeout(timeout) if sys.version_info >= (3, 11) else _limit():
                while not (result := condition()):
                    self._changed.clear()
                    await self._changed.wait()
                return result
        except (asyncio.TimeoutError, TimeoutError):
            raise TimeoutError(f"waited {timeout:g} s for {what}") from None

    async def diagnostics(self, uri: str, version: int | None = None) -> list[types.Diagnostic]:
        """What was published for a version of a document, the present one if none is named."""
        wanted = self.versions[uri] if version is None else version
        found = await self.until(
            lambda: [p for p in self.published if p.uri == uri and p.version == wanted],
            f"the diagnostics of version {wanted} of {uri}",
        )
        return list(found[-1].diagnostics)

    async def hints(self, uri: str, place: types.Range = EVERYWHERE) -> dict[int, types.InlayHint]:
        """The inlay hints by line, counted from 1."""
        params = types.InlayHintParams(types.TextDocumentIdentifier(uri), place)
        found = await self.client.text_document_inlay_hint_async(params) or []
        assert len({hint.position.line for hint in found}) == len(found)
        return {hint.position.line + 1: hint for hint in found}

    async def hints_when(
        self, uri: str, condition: Callable[[dict[int, types.InlayHint]], Any]
    ) -> dict[int, types.InlayHint]:
        """The hints, once they are as they should be; asked for whenever the server says so."""
        while True:
            count = self.refreshes.count("inlayHint")
            if condition(hints := await self.hints(uri)):
                return hints
            await self.until(
                lambda count=count: self.refreshes.count("inlayHint") > count,  # type: ignore[misc]
                f"other hints than {[(n, h.label) for n, h in hints.items()]}",
            )

    async def hover(self, uri: str, line: int, character: int = 0) -> str:
        """The hover's text at a line, counted from 1; empty where there is none."""
        place = types.Position(line - 1, character)
        params = types.HoverParams(types.TextDocumentIdentifier(uri), place)
        found = await self.client.text_document_hover_async(params)
        if found is None:
            return ""
        assert isinstance(found.contents, types.MarkupContent)
        return found.contents.value

    async def until_hover(self, uri: str, line: int, text: str) -> None:
        """Wait until a line's hover says it; asked for whenever the server says that steps came."""
        while True:
            count = len(self.refreshes)
            if text in await self.hover(uri, line):
                return
            await self.until(lambda count=count: len(self.refreshes) > count, text)  # type: ignore[misc]

    async def lenses(self, uri: str) -> dict[str, int]:
        """The titles of the code lenses, and the lines that they stand above, counted from 1."""
        params = types.CodeLensParams(types.TextDocumentIdentifier(uri))
        found = await self.client.text_document_code_lens_async(params) or []
        return {lens.command.title: lens.range.start.line + 1 for lens in found if lens.command}

    async def actions(self, uri: str, line: int, **context: Any) -> list[types.CodeAction]:
        """The code actions at a line, counted from 1."""
        place = types.Position(line - 1, 0)
        found = await self.client.text_document_code_action_async(
            types.CodeActionParams(
                types.TextDocumentIdentifier(uri),
                types.Range(place, place),
                types.CodeActionContext(context.pop("diagnostics", []), **context),
            )
        )
        return [item for item in found or [] if isinstance(item, types.CodeAction)]

    def executing(self, command: types.Command | None) -> asyncio.Future[Any]:
        """Run a command of the server's."""
        assert command is not None
        params = types.ExecuteCommandParams(command.command, command.arguments)
        return asyncio.ensure_future(self.client.workspace_execute_command_async(params))

    def _take_over(self) -> None:
        """Hear what the server says, and do what it asks, as an editor does."""

        @self.client.feature(types.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS)
        def published(params: types.PublishDiagnosticsParams) -> None:
            self.published.append(params)
            self._changed.set()

        for method in (
            types.WORKSPACE_INLAY_HINT_REFRESH,
            types.WORKSPACE_INLINE_VALUE_REFRESH,
            types.WORKSPACE_CODE_LENS_REFRESH,
        ):
            self._hear_refresh(method)

        @self.client.feature(types.WORKSPACE_APPLY_EDIT)
        async def apply(params: types.ApplyWorkspaceEditParams) -> types.ApplyWorkspaceEditResult:
            self.edits.append(params)
            self._changed.set()
            if self.hold_edits is not None:
                await self.hold_edits.wait()
            _apply(params.edit)
            return types.ApplyWorkspaceEditResult(True)

    def _hear_refresh(self, method: str) -> None:
        @self.client.feature(method)
        def refresh(params: Any) -> None:
            self.refreshes.append(method.split("/")[1])
            self._changed.set()


@asynccontextmanager
async def editor(
    folder: Path,
    environment: Mapping[str, str],
    capabilities: types.ClientCapabilities | None = None,
) -> AsyncIterator[Editor]:
    """An editor with that folder open and a server of its own."""
    client = pytest_lsp.LanguageClient(converter_factory=_converter)
    own = {types.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS}
    register_lsp_features(
        client, {name: do for name, do in DEFAULT_CLIENT_FEATURES.items() if name not in own}
    )
    found = Editor(client, folder)
    await client.start_io(*SERVER, env={**os.environ, **environment})
    await client.initialize_session(
        types.InitializeParams(
            capabilities=capabilities or everything(),
            workspace_folders=[types.WorkspaceFolder(folder.as_uri(), folder.name)],
        )
    )
    try:
        yield found
    finally:
        await client.shutdown_session()
        await client.stop()


def everything(encodings: tuple[str, ...] = ()) -> types.ClientCapabilities:
    """What VS Code can do, and which position encodings it offers."""
    found = pytest_lsp.client_capabilities("visual-studio-code")
    assert found.general is not None and found.workspace is not None
    found.workspace.inlay_hint = types.InlayHintWorkspaceClientCapabilities(refresh_support=True)
    found.workspace.inline_value = types.InlineValueWorkspaceClientCapabilities(True)
    found.general.position_encodings = list(encodings) or None
    return found


def _converter() -> Any:
    """pygls's; lsprotocol 2025.0.0 takes every code action with a command for a command."""
    converter = default_converter()

    def structure(item: Any, _: Any) -> types.Command | types.CodeAction:
        is_command = isinstance(item.get("command"), str)
        return converter.structure(item, types.Command if is_command else types.CodeAction)

    converter.register_structure_hook(types.Command | types.CodeAction, structure)
    return converter


def _apply(edit: types.WorkspaceEdit) -> None:
    """Insertions, on the disk."""
    changes = dict(edit.changes or {})
    for item in edit.document_changes or ():
        if isinstance(item, types.CreateFile):
            path = Path(item.uri.removeprefix("file://"))
            path.parent.mkdir(exist_ok=True)
            path.touch()
        else:
            assert isinstance(item, types.TextDocumentEdit)
            changes[item.text_document.uri] = list(item.edits)  # type: ignore[arg-type]
    for uri, edits in changes.items():
        path = Path(uri.removeprefix("file://"))
        lines = path.read_text().split("\n")
        for one in edits:
            start = one.range.start
            assert one.range.end == start
            line = lines[start.line]
            lines[start.line] = line[: start.character] + one.new_text + line[start.character :]
        path.write_text("\n".join(lines))


@asynccontextmanager
async def _limit() -> AsyncIterator[None]:
    yield  # Python 3.10 has no asyncio.timeout; pytest-timeout ends the test
