"""``python -m debugpy.adapter``, which takes what it reads from a socket in pieces as they come.

debugpy's own asks the system for a byte at a time to find the end of a header, and between two of its
threads each byte may cost a change of threads: of a step over that was a quarter. Started by ``upstream``;
``guarded`` takes ``buffer`` from here. Where debugpy isn't as this was written for, it reads as it does.
"""

from __future__ import annotations

import contextlib
import runpy
import socket
import sys
from typing import Any

CHUNK = 65536


class Reader:
    """What debugpy reads messages from: ``readline`` and ``read`` of a binary file, on a socket.

    Nothing is locked while one waits for bytes, so that another thread may close it (which is why
    debugpy doesn't use ``io.BufferedReader``).
    """

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._buffer = b""

    def readline(self) -> bytes:
        """Up to and with the next newline; what there is, or nothing, at the end."""
        while b"\n" not in self._buffer and (data := self._socket.recv(CHUNK)):
            self._buffer += data
        return self._take(self._buffer.find(b"\n") + 1 or len(self._buffer))

    def read(self, size: int) -> bytes:
        """As many bytes at most, and one at least; none at the end."""
        return self._take(size) if self._buffer else self._socket.recv(size)

    def _take(self, size: int) -> bytes:
        taken, self._buffer = self._buffer[:size], self._buffer[size:]
        return taken

    def close(self) -> None:
        """The stream closes the socket."""


def buffer() -> None:
    """Let debugpy's streams on sockets read by ``Reader``."""
    with contextlib.suppress(ImportError, AttributeError):
        from debugpy.common.messaging import JsonIOStream

        original = JsonIOStream.from_socket

        def from_socket(cls: Any, sock: socket.socket, *args: Any, **kwargs: Any) -> Any:
            stream = original.__func__(cls, sock, *args, **kwargs)
            if stream._reader is stream._writer:  # as long as both are the socket's file
                stream._reader = Reader(sock)
            return stream

        JsonIOStream.from_socket = classmethod(from_socket)


def main() -> None:
    """Run it."""
    buffer()
    sys.argv[0] = "debugpy.adapter"
    runpy.run_module("debugpy.adapter", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
