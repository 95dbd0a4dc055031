"""An editor's stdio and a job's hub: messages both ways, until one side ends.

Where the editor's machine has another file than the program's, or none, the program's is shown: its
text comes with the session.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import socket
import threading
from collections.abc import Callable
from typing import Any

from graphdebug.transport.framing import FramingError, Message, Parser, encode

CHUNK = 65536

FIRST_REFERENCE = 1 << 30
"""Our numbers for sources; debugpy's are far below."""

Change = Callable[[Message], Message]


def bridge(link: socket.socket) -> int:
    """Pass on until either side has closed; exit code 0."""
    sources = RemoteSources()

    def read_editor() -> None:
        _pass_on(lambda: os.read(0, CHUNK), link.sendall, sources.asked)
        with contextlib.suppress(OSError):
            link.shutdown(socket.SHUT_RDWR)

    threading.Thread(target=read_editor, daemon=True).start()
    _pass_on(lambda: link.recv(CHUNK), _write, sources.answered)
    with contextlib.suppress(OSError):
        link.shutdown(socket.SHUT_RDWR)
    link.close()
    return 0


def refuse(why: str) -> None:
    """Answer the editor's first request with why there is no job: what goes to stderr, few editors show."""
    parser = Parser()
    with contextlib.suppress(OSError, ValueError):
        while data := os.read(0, CHUNK):
            parser.feed(data)
            if (request := parser.next()) is not None:
                error = {"id": 1, "format": why, "showUser": True}
                answer = {"type": "response", "seq": 1, "success": False, "message": why}
                answer |= {"request_seq": request.get("seq"), "command": request.get("command")}
                _write(encode({**answer, "body": {"error": error}}))
                return


def _pass_on(read: Callable[[], bytes], write: Callable[[bytes], object], change: Change) -> None:
    parser = Parser()
    with contextlib.suppress(OSError, FramingError):
        while data := read():
            parser.feed(data)
            while True:
                try:
                    message = parser.next()
                except FramingError:
                    raise
                except ValueError:
                    continue  # this message alone is none
                if message is None:
                    break
                write(encode(change(message)))


def _write(data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(1, view) :]


class RemoteSources:
    """Gives sources that aren't here as they are there a number, by which the editor asks for them.

    ``asked`` is called on one thread, ``answered`` on another; what they share is only added to.
    """

    def __init__(self) -> None:
        self._paths: dict[int, str] = {}
        self._numbers: dict[tuple[str, str], int] = {}

    def answered(self, message: Message) -> Message:
        """What the hub sends, as the editor gets it."""
        if message.get("command") == "stackTrace" and message.get("type") == "response":
            for frame in (message.get("body") or {}).get("stackFrames", ()):
                self._number(frame.get("source") or {})
        return message

    def asked(self, message: Message) -> Message:
        """What the editor sends, as the hub gets it."""
        arguments = message.get("arguments") or {}
        if message.get("command") == "source":
            path = self._paths.get(arguments.get("sourceReference", 0))
            if path is not None:
                return {**message, "arguments": {"source": {"path": path}, "sourceReference": 0}}
        return message

    def _number(self, source: dict[str, Any]) -> None:
        path, sums = source.get("path"), source.get("checksums")
        if not path or not sums or source.get("sourceReference"):
            return
        there = str(sums[0].get("checksum"))
        if _checksum(path) == there:
            return
        key = (path, there)
        if key not in self._numbers:
            self._numbers[key] = FIRST_REFERENCE + len(self._numbers)
            self._paths[self._numbers[key]] = path
        source["sourceReference"] = self._numbers[key]
        source["origin"] = "the program's machine"


def _checksum(path: str) -> str:
    try:
        with open(path, "rb") as file:
            return hashlib.sha256(file.read()).hexdigest()
    except OSError:
        return ""
