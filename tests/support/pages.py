"""A page in a browser over a real debug session: HTTP for requests, server-sent events for events."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from graphdebug.transport.dap import Disconnected, RequestFailed
from support.dap import Session

TYPES = {".html": "text/html", ".js": "text/javascript", ".map": "application/json"}
POLICY = (
    "default-src 'none'; script-src 'self'; connect-src 'self'; worker-src blob:; img-src data:"
)
"""No inline script, no inline style, nothing evaluated: what webviews allow."""

TOLD = (
    "graphdebugStep",
    "graphdebugAlert",
    "graphdebugDropped",
    "stopped",
    "continued",
    "terminated",
)


class Page:
    """Serves files, a session's requests under ``/request``, and its events under ``/events``."""

    def __init__(self, session: Session, *folders: Path) -> None:
        self.session = session
        self.folders = folders
        self.closing = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever)

    @property
    def address(self) -> str:
        """Where a browser finds it."""
        return f"http://127.0.0.1:{self._server.server_port}/"

    def __enter__(self) -> Page:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def events(self) -> Iterator[dict[str, Any]]:
        """The events of the session, from now on, as long as it lasts; those of stops with their frame."""
        entries = self.session.transcript.entries
        seen = len(entries)
        while not self.closing.is_set():
            with contextlib.suppress(TimeoutError):
                self.session.client.wait_until(lambda seen=seen: len(entries) > seen, "", 1)
            for entry in entries[seen:]:
                seen += 1
                name = entry.message.get("event")
                if entry.direction == "received" and name in TOLD:
                    body = dict(entry.message.get("body") or {})
                    if name == "stopped":
                        body["frame"] = self.session.stack(body["threadId"])[0]
                    yield {"event": name, "body": body}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def __init__(self, page: Page, *arguments: Any) -> None:
        self.page = page
        super().__init__(*arguments)

    def log_message(self, format: str, *args: Any) -> None:
        """The tests' output has no room for it."""

    def do_GET(self) -> None:
        if self.path == "/events":
            return self._tell()
        name = "index.html" if self.path == "/" else self.path.lstrip("/")
        found = [folder / name for folder in self.page.folders if (folder / name).is_file()]
        if not found or ".." in name:
            return self._send(HTTPStatus.NOT_FOUND, b"", "text/plain")
        return self._send(HTTPStatus.OK, found[0].read_bytes(), TYPES[found[0].suffix])

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        try:
            body = self.page.session.request(asked["command"], **asked["arguments"])
            answer: dict[str, Any] = {"body": body}
        except (RequestFailed, Disconnected) as error:
            answer = {"message": str(error)}
        self._send(HTTPStatus.OK, json.dumps(answer).encode(), "application/json")

    def _send(self, status: HTTPStatus, content: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Content-Security-Policy", POLICY)
        self.end_headers()
        self.wfile.write(content)

    def _tell(self) -> None:
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        with contextlib.suppress(ConnectionError, Disconnected):
            for event in self.page.events():
                self.wfile.write(f"data: {json.dumps(event)}\n\n".encode())
                self.wfile.flush()
        self.close_connection = True
