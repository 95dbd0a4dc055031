"""Bytes between this process's stdio and a connection, both ways, until one side ends."""

from __future__ import annotations

import contextlib
import os
import socket
import threading

CHUNK = 65536


def bridge(link: socket.socket) -> int:
    """Pass on until either side has closed; exit code 0."""
    reading = threading.Thread(target=_pass_on_input, args=(link,), daemon=True)
    reading.start()
    with contextlib.suppress(OSError):
        while data := link.recv(CHUNK):
            view = memoryview(data)
            while view:
                view = view[os.write(1, view) :]
    with contextlib.suppress(OSError):
        link.shutdown(socket.SHUT_RDWR)
    link.close()
    return 0


def _pass_on_input(link: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := os.read(0, CHUNK):
            link.sendall(data)
    with contextlib.suppress(OSError):
        link.shutdown(socket.SHUT_RDWR)
