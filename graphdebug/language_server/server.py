"""The server: its documents, their analyses, and the running sessions; features are added to it."""

from __future__ import annotations

from collections.abc import Callable

from lsprotocol import types
from pygls.lsp.server import LanguageServer

from graphdebug import __version__
from graphdebug.language_server.analyses import Analyses
from graphdebug.language_server.documents import Document
from graphdebug.language_server.findings import Findings
from graphdebug.language_server.live import Live
from graphdebug.language_server.refresh import Refresh
from graphdebug.language_server.synchronization import Protocol


class Server(LanguageServer):
    """One client's server.

    Everything happens on its loop but the analyses, so handlers answer from what is known and wait
    for nothing: what comes later is announced by a notification, or by asking for a refresh.
    """

    def __init__(self) -> None:
        super().__init__("graphdebug", __version__, protocol_cls=Protocol)
        self.documents: dict[str, Document] = {}
        self.analyses = Analyses(self._analysed)
        self.live = Live(self._live_changed)
        self.on_findings: list[Callable[[Document], None]] = []
        """Called when a document's findings have changed, or have gone with it."""
        self._refresh = Refresh(self)

    def opened(self, params: types.DidOpenTextDocumentParams) -> None:
        """The client opened a document."""
        encoding = types.PositionEncodingKind(
            self.server_capabilities.position_encoding or types.PositionEncodingKind.Utf16
        )
        document = Document(params.text_document, encoding.value)
        self.documents[document.uri] = document
        self.analyses.want(document.uri, document.path, document.text.lines, now=True)
        self.live.open(document.path)

    def changed(self, params: types.DidChangeTextDocumentParams) -> None:
        """The client changed one."""
        document = self.documents.get(params.text_document.uri)
        if document is not None:
            document.change(params)
            self.analyses.want(document.uri, document.path, document.text.lines)

    def closed(self, params: types.DidCloseTextDocumentParams) -> None:
        """The client closed one."""
        document = self.documents.pop(params.text_document.uri, None)
        if document is not None:
            self.analyses.forget(document.uri)
            self.live.shut(document.path)
            document.findings = Findings()
            self._tell(document)

    def _analysed(self, uri: str, lines: list[str], findings: Findings) -> None:
        document = self.documents.get(uri)
        if document is not None:
            document.found(lines, findings)
            self._tell(document)
            if self.live.lines(document) is not None:
                self._refresh.lenses()

    def _tell(self, document: Document) -> None:
        for told in self.on_findings:
            told(document)

    def _live_changed(self) -> None:
        self._refresh.changed()

    def close(self) -> None:
        """End what runs beside the client's requests."""
        self._refresh.close()
        self.live.close()
        self.analyses.close()
