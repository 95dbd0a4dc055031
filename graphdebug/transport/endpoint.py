"""Addresses: ``unix:PATH`` and ``tcp:HOST:PORT``, and the sockets behind them."""

from __future__ import annotations

import contextlib
import hmac
import os
import secrets
import shutil
import socket
import tempfile


class EndpointError(ValueError):
    """An address that can't be understood or reached; says why."""


def connect(endpoint: str, timeout: float) -> socket.socket:
    """A connected socket. Raises EndpointError, or OSError where nobody listens."""
    kind, _, address = endpoint.partition(":")
    if kind == "unix":
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        target: str | tuple[str, int] = address
    elif kind == "tcp":
        host, _, port = address.rpartition(":")
        if not port.isdigit():
            raise EndpointError(f"{endpoint!r}: a port is expected after the last colon")
        sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        target = (host.strip("[]"), int(port))
    else:
        raise EndpointError(f"{endpoint!r}: unix:PATH or tcp:HOST:PORT is expected")
    try:
        sock.settimeout(timeout)
        sock.connect(target)
        sock.settimeout(None)
    except BaseException:
        sock.close()
        raise
    return sock


class Listener:
    """A listening socket that only this user can reach, and its address.

    A unix socket where the system has them, else TCP on loopback. ``path``, in a directory that only
    this user may enter, is where it lies; without one it gets such a directory of its own.
    ``close`` removes both.
    """

    def __init__(self, path: str | None = None) -> None:
        self._directory: str | None = None
        self._path: str | None = None
        if hasattr(socket, "AF_UNIX") and os.name == "posix":
            if path is None:
                self._directory = tempfile.mkdtemp(prefix="graphdebug-")
                path = os.path.join(self._directory, "runtime")
            self._path = path
            self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                self.socket.bind(path)
                os.chmod(path, 0o600)
            except OSError:
                # A directory too deep for a socket's name: loopback and the token serve as well.
                self._remove()
        if self._path is not None:
            self.endpoint = f"unix:{self._path}"
        else:
            self.socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            self.socket.bind(("127.0.0.1", 0))
            self.endpoint = "tcp:{}:{}".format(*self.socket.getsockname())
        self.socket.listen(128)

    def close(self) -> None:
        """Stop listening and remove the socket, and its directory where that is its own."""
        self._remove()

    def _remove(self) -> None:
        self.socket.close()
        if self._path is not None:
            with contextlib.suppress(OSError):
                os.unlink(self._path)
            self._path = None
        if self._directory is not None:
            shutil.rmtree(self._directory, ignore_errors=True)
            self._directory = None


def new_token() -> str:
    """A secret of 256 bits."""
    return secrets.token_hex(32)


def same_token(one: str, other: str) -> bool:
    """Compares in constant time."""
    return hmac.compare_digest(one.encode(), other.encode())
