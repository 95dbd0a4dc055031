"""The program's files, for a client that has others, or none."""

from __future__ import annotations

import hashlib
import os
import tokenize
from typing import Any

from graphdebug.adapter.session import PASS, Passed, Session
from graphdebug.transport.framing import Message


class Sources:
    """Says with each frame what its file holds, by a checksum, and gives the text; see ``Part``.

    Of a job alone: who launches a program has its files.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._sums: dict[tuple[str, int, int], str] = {}

    def stackTrace_answer(self, arguments: Message, body: Message) -> None:
        """Put the checksums in."""
        for frame in body.get("stackFrames", ()):
            source: dict[str, Any] = frame.get("source") or {}
            path = source.get("path")
            if path and not source.get("sourceReference"):
                found = self._sum(path)
                if found:
                    source["checksums"] = [{"algorithm": "SHA256", "checksum": found}]

    def source_request(self, request: Message) -> Passed | None:
        """The text of a file that is asked for by its path."""
        arguments = request["arguments"]
        path = (arguments.get("source") or {}).get("path")
        if arguments.get("sourceReference") or not path:
            return PASS
        try:
            with tokenize.open(path) as file:
                content = file.read()
        except (OSError, SyntaxError, UnicodeDecodeError) as error:
            self._session.fail(request, f"{path} can't be read where the program runs: {error}")
        else:
            self._session.reply(request, {"content": content, "mimeType": "text/x-python"})
        return None

    def _sum(self, path: str) -> str:
        try:
            found = os.stat(path)
            key = (path, found.st_mtime_ns, found.st_size)
            if key not in self._sums:
                with open(path, "rb") as file:
                    self._sums[key] = hashlib.sha256(file.read()).hexdigest()
            return self._sums[key]
        except OSError:
            return ""
