"""Observers of running sessions, as a language server or a terminal is one."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from typing import Any

from graphdebug.protocol.observers import OBSERVE, RunningSession
from graphdebug.transport.dap import Client
from graphdebug.transport.endpoint import connect
from graphdebug.transport.registry import running
from support.processes import wait_until


def the_session(timeout: float = 30.0) -> RunningSession:
    """The one session that runs in this sandbox, once it is there."""
    wait_until(lambda: bool(running()), "a session in the registry", timeout)
    (session,) = running()
    return session


@contextlib.contextmanager
def observing(session: RunningSession, token: str | None = None) -> Iterator[Client]:
    """A client of the session that has shown the token."""
    link = connect(session.endpoint, 5)

    def hang_up() -> None:
        with contextlib.suppress(OSError):
            link.shutdown(socket.SHUT_RDWR)
        link.close()

    client = Client(link.makefile("rb"), link.makefile("wb"), hang_up=hang_up, timeout=10)
    arguments: dict[str, Any] = {"token": session.token if token is None else token}
    try:
        client.send(OBSERVE, **arguments)
        yield client
    finally:
        client.close()
