"""An encrypted connection behind a plain socket, which one thread may read while another one writes.

OpenSSL's own may not be used so: one thread holds it, and passes on what comes, both ways.
"""

from __future__ import annotations

import contextlib
import selectors
import socket
import ssl
import threading
from collections.abc import Callable
from typing import TypeVar

A = TypeVar("A")
R = TypeVar("R")

LINGER_SECONDS = 2.0
"""How long the other side may take to read what it was sent last."""

CHUNK = 65536

LIMIT = 1 << 20
"""Bytes that wait on their way, each way; who sends more has to wait."""


def plain(secure: ssl.SSLSocket) -> socket.socket:
    """The end to use; both connections end with it, and with the other side's leaving."""
    ours, theirs = socket.socketpair()
    thread = threading.Thread(
        target=_serve, args=(secure, theirs), name="graphdebug tls", daemon=True
    )
    # In a program that is debugged no debugger traces or suspends it; see ``runtime.untraced``.
    thread.pydev_do_not_trace = True  # type: ignore[attr-defined]
    thread.is_pydev_daemon_thread = True  # type: ignore[attr-defined]
    thread.start()
    return ours


def _serve(secure: ssl.SSLSocket, local: socket.socket) -> None:
    with secure, local, contextlib.suppress(OSError):
        secure.setblocking(False)
        local.setblocking(False)
        _pass_on(_Way(secure, local), _Way(local, secure))
        local.close()
        # Where the other end still has to write for TLS's sake, before it reads, it finds nobody gone.
        secure.shutdown(socket.SHUT_WR)
        secure.settimeout(LINGER_SECONDS)
        while secure.recv(CHUNK):
            pass


class _Way:
    """What was read at one end and waits to be written at the other."""

    def __init__(self, source: socket.socket, sink: socket.socket) -> None:
        self.source = source
        self.sink = sink
        self.waiting = bytearray()
        self.ended = False

    @property
    def reads(self) -> bool:
        """Whether there is room for more."""
        return not self.ended and len(self.waiting) < LIMIT

    def go(self) -> None:
        """Read and write what can be, without waiting. Raises OSError where nobody takes it."""
        while self.reads and (data := self._read()) is not None:
            self.waiting += data
            self.ended = not data
        while self.waiting and (sent := _now(self.sink.send, self.waiting)):
            del self.waiting[:sent]

    def _read(self) -> bytes | None:
        """What can be read, nothing at its end; None where one would have to wait."""
        try:
            return _now(self.source.recv, CHUNK)
        except OSError:  # the other side is gone, and what came before is still to be passed on
            return b""


def _now(call: Callable[[A], R], argument: A) -> R | None:
    """The call's result; None where it would have to wait."""
    try:
        return call(argument)
    except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
        return None


def _pass_on(*ways: _Way) -> None:
    """Until one end has closed, and the other has what came before."""
    with selectors.DefaultSelector() as selector:
        while not any(way.ended and not way.waiting for way in ways):
            for way in ways:
                way.go()
            for here, back in zip(ways, reversed(ways), strict=True):
                wanted = selectors.EVENT_READ * here.reads
                wanted |= selectors.EVENT_WRITE * bool(back.waiting)
                _want(selector, here.source, wanted)
            if not any(way.ended and not way.waiting for way in ways):
                selector.select()


def _want(selector: selectors.BaseSelector, sock: socket.socket, events: int) -> None:
    known = selector.get_map().get(sock)
    if known is not None and known.events == events:
        return
    if known is not None:
        selector.unregister(sock)
    if events:
        selector.register(sock, events)
