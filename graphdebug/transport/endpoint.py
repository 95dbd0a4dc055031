"""Addresses: ``unix:PATH``, ``tcp:HOST:PORT`` and ``tls:HOST:PORT``, and the sockets behind them."""

from __future__ import annotations

import contextlib
import errno
import hmac
import ipaddress
import os
import secrets
import shutil
import socket
import tempfile
from dataclasses import dataclass


class EndpointError(ValueError):
    """An address that can't be understood or reached; says why."""


def connect(endpoint: str, timeout: float, fingerprint: str = "") -> socket.socket:
    """A connected socket. Raises EndpointError, or OSError where nobody listens.

    ``tls:HOST:PORT`` is connected to only where its certificate has this fingerprint or, without one,
    where the system, or the file that SSL_CERT_FILE names, trusts it for that host.
    """
    kind, _, address = endpoint.partition(":")
    if kind == "unix":
        sock: socket.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        target: str | tuple[str, int] = address
    elif kind in ("tcp", "tls"):
        host, _, port = address.rpartition(":")
        if not port.isdigit():
            raise EndpointError(f"{endpoint!r}: a port is expected after the last colon")
        sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        target = (host.strip("[]"), int(port))
    else:
        raise EndpointError(f"{endpoint!r}: unix:PATH, tcp:HOST:PORT or tls:HOST:PORT is expected")
    try:
        sock.settimeout(timeout)
        sock.connect(target)
        if kind == "tls":
            # No program that doesn't ask for them loads these.
            from graphdebug.transport import relay, tls

            sock = tls.secured(sock, str(target[0]), fingerprint)
            return relay.plain(sock)
        sock.settimeout(None)
    except BaseException:
        sock.close()
        raise
    return sock


@dataclass(frozen=True)
class Address:
    """Where to listen, as a person says it: ``PORT``, ``HOST:PORT`` or ``unix:PATH``."""

    host: str = ""
    """Empty for a unix socket."""
    port: int = 0
    """0 for any that is free."""
    path: str = ""
    """Of a unix socket."""

    @classmethod
    def parse(cls, text: str) -> Address:
        """Raises EndpointError."""
        kind, _, rest = text.partition(":")
        if kind == "unix" and rest:
            return cls(path=os.path.abspath(rest))
        host, _, port = text.rpartition(":")
        if not port.isdigit() or int(port) > 65535 or (":" in text and not host):
            raise EndpointError(f'"{text}" is no address: PORT, HOST:PORT or unix:PATH is expected')
        return cls(host.strip("[]") or "127.0.0.1", int(port))

    @property
    def exposed(self) -> bool:
        """Whether other machines can reach it."""
        if not self.host or self.host == "localhost":
            return False
        try:
            return not ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return True  # a name, which may mean anything


class Listener:
    """A listening socket that only this user can reach, and its address.

    A unix socket where the system has them, else TCP on loopback. ``path``, in a directory that only
    this user may enter, is where it lies; without one it gets such a directory of its own.
    ``close`` removes both.
    """

    def __init__(self, path: str | None = None, elsewhere: bool = True) -> None:
        """``elsewhere``: whether loopback serves as well where the path is too long for a socket."""
        self._directory: str | None = None
        self._path: str | None = None
        if hasattr(socket, "AF_UNIX") and os.name == "posix":
            if path is None:
                self._directory = tempfile.mkdtemp(prefix="graphdebug-")
                path = os.path.join(self._directory, "runtime")
            self._path = path
            self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            mask = os.umask(0o177)
            try:
                self.socket.bind(path)
                os.chmod(path, 0o600)
            except OSError:
                if not elsewhere:
                    self.socket.close()
                    raise
                # A directory too deep for a socket's name: loopback and the token serve as well.
                self._remove()
            finally:
                os.umask(mask)
        if self._path is not None:
            self.endpoint = f"unix:{self._path}"
        else:
            self.socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            self.socket.bind(("127.0.0.1", 0))
            self.endpoint = "tcp:{}:{}".format(*self.socket.getsockname())
        self.socket.listen(128)

    @classmethod
    def at(cls, address: Address, tls: bool = False) -> Listener:
        """One at an address that somebody asked for. Raises OSError where it can't be had."""
        if address.path:
            return cls(_unused(address.path), elsewhere=False)
        made = cls.__new__(cls)
        made._directory = made._path = None
        family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
        made.socket = socket.create_server((address.host, address.port), family=family, backlog=128)
        host, port = made.socket.getsockname()[:2]
        host = f"[{host}]" if ":" in host else host
        made.endpoint = f"{'tls' if tls else 'tcp'}:{host}:{port}"
        return made

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


def _unused(path: str) -> str:
    """``path``, where no socket that somebody listens at lies; one that was left is removed."""
    try:
        connect(f"unix:{path}", 1.0).close()
    except FileNotFoundError:
        return path
    except ConnectionRefusedError:
        os.unlink(path)
        return path
    raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE), path)


def new_token() -> str:
    """A secret of 256 bits."""
    return secrets.token_hex(32)


def derived(token: str, purpose: str) -> str:
    """Another secret, which says nothing of this one."""
    return hmac.new(token.encode(), purpose.encode(), "sha256").hexdigest()


def same_token(one: str, other: str) -> bool:
    """Compares in constant time."""
    return hmac.compare_digest(one.encode(), other.encode())
