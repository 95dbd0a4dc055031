"""Finds the jobs that can be attached to, and connects to one: what ``ps`` and ``attach`` share."""

from __future__ import annotations

import contextlib
import getpass
import json
import os
import socket
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from graphdebug.commands.errors import CommandError
from graphdebug.protocol.hub import DEBUG, JOB, DebugArguments, JobResponse
from graphdebug.protocol.model import Capture
from graphdebug.protocol.observers import OBSERVE, ObserveArguments, RunningSession
from graphdebug.protocol.wire import WireError, from_wire, to_wire
from graphdebug.transport.dap import Client, RequestFailed
from graphdebug.transport.endpoint import EndpointError, connect
from graphdebug.transport.framing import Message, Parser, encode
from graphdebug.transport.registry import private_file, running

TOKEN_VARIABLE = "GRAPHDEBUG_TOKEN"
"""Holds the token of a job that isn't of this machine."""

CONNECT_SECONDS = 10.0


@dataclass(frozen=True)
class Target:
    """A hub, and what it takes to be let in."""

    endpoint: str
    token: str
    fingerprint: str = ""
    name: str = ""
    """For a person to read."""

    def connect(self) -> socket.socket:
        """A connection on which nothing was said yet. Raises CommandError."""
        try:
            return connect(self.endpoint, CONNECT_SECONDS, self.fingerprint)
        except (OSError, EndpointError) as error:
            why = getattr(error, "strerror", None) or error
            raise CommandError(
                f"no job can be reached at {self.endpoint}: {why}",
                "`graphdebug ps` lists those of this machine",
            ) from None

    def observe(self, capture: Capture | None = None, **options: Any) -> Client:
        """A client that observes. Raises CommandError."""
        link = self.connect()

        def hang_up() -> None:
            with contextlib.suppress(OSError):
                link.shutdown(socket.SHUT_RDWR)
            link.close()

        client = Client(link.makefile("rb"), link.makefile("wb"), hang_up=hang_up, **options)
        arguments = ObserveArguments(self.token, capture, our_name() if capture else "")
        try:
            client.request(OBSERVE, **to_wire(arguments))
        except (ConnectionError, TimeoutError, RequestFailed):
            client.close()
            raise _refused(self.endpoint) from None
        return client

    def debug(self) -> socket.socket:
        """A connection that speaks DAP from now on. Raises CommandError."""
        link = self.connect()
        try:
            arguments = to_wire(DebugArguments(self.token, our_name()))
            request = {"seq": 1, "type": "request", "command": DEBUG, "arguments": arguments}
            link.sendall(encode(request))
            answer = _read_one(link)
        except (OSError, ValueError):
            link.close()
            raise _refused(self.endpoint) from None
        if not answer.get("success"):
            link.close()
            raise CommandError(str(answer.get("message")), "or look on: graphdebug attach")
        return link


def _refused(endpoint: str) -> CommandError:
    return CommandError(
        f"the job at {endpoint} closed the connection: the token is another job's, or it has ended",
        f"take the token from its connection file, with --connection-file or {TOKEN_VARIABLE}",
    )


def _read_one(link: socket.socket) -> Message:
    """The one message that the hub sends before the client's first. Raises OSError, ValueError."""
    parser = Parser()
    link.settimeout(CONNECT_SECONDS)
    while (message := parser.next()) is None:
        data = link.recv(1 << 16)
        if not data:
            raise ConnectionError("closed")
        parser.feed(data)
    link.settimeout(None)
    return message


def our_name() -> str:
    """Who we are, for those who see who is there."""
    return f"{getpass.getuser()}@{socket.gethostname()}, process {os.getpid()}"


def target(session: RunningSession) -> Target:
    """The hub of a session of this machine."""
    return Target(session.endpoint, session.token, name=session.program)


def described(
    sessions: Iterable[RunningSession],
) -> list[tuple[RunningSession, JobResponse | None]]:
    """What each says of itself; None where it doesn't answer, or is no job."""
    sessions = list(sessions)
    with ThreadPoolExecutor(max(1, min(16, len(sessions)))) as pool:
        return list(zip(sessions, pool.map(_describe, sessions), strict=True))


def _describe(session: RunningSession) -> JobResponse | None:
    try:
        client = target(session).observe(timeout=5.0)
    except CommandError:
        return None
    try:
        return from_wire(JobResponse, client.request(JOB))
    except (RequestFailed, ConnectionError, TimeoutError, WireError):
        return None
    finally:
        client.close()


def of_process(pid: int, joined: bool = False) -> Target | None:
    """The hub of the job that a process of this machine belongs to; ``joined``: as one of its ranks."""
    jobs = [session for session in running() if session.attachable]
    for session in jobs:
        if session.pid == pid and not joined:
            return target(session)
    for session, job in described(jobs):
        here = [rank for rank in job.ranks if rank.host == socket.gethostname()] if job else []
        if any(rank.process.pid == pid for rank in here):
            return target(session)
    return None


def at_endpoint(text: str, connection_file: str | None) -> Target:
    """The hub at an address: ``unix:PATH``, ``HOST:PORT``, ``tcp:...`` or ``tls:...``.

    Its token is in the file or the environment, or known to this machine's registry. Raises
    CommandError.
    """
    if connection_file is not None:
        session = _from_file(connection_file)
        endpoint = _endpoint(text, secure=bool(session.fingerprint)) if text else session.endpoint
        return Target(endpoint, session.token, session.fingerprint, session.program)
    candidates = (_endpoint(text), _endpoint(text, secure=True))
    for session in running():
        for candidate in candidates:
            if candidate in (session.endpoint, *session.addresses):
                return Target(candidate, session.token, session.fingerprint, session.program)
    token = os.environ.get(TOKEN_VARIABLE)
    if not token:
        raise CommandError(
            f"the token of the job at {text} isn't known here",
            f"copy its connection file and give it with --connection-file, or set {TOKEN_VARIABLE}",
        )
    return Target(candidates[0], token)


def _endpoint(text: str, secure: bool = False) -> str:
    if text.startswith(("unix:", "tcp:", "tls:")):
        return text
    host, colon, port = text.rpartition(":")
    if not port.isdigit():
        raise CommandError(
            f'"{text}" is no address',
            "HOST:PORT, unix:PATH, ssh://HOST/ or a process id is expected",
        )
    return f"{'tls' if secure else 'tcp'}:{host if colon else '127.0.0.1'}:{port}"


def _from_file(path: str) -> RunningSession:
    try:
        return from_wire(RunningSession, json.loads(private_file(path)))
    except (OSError, ValueError, WireError) as error:
        raise CommandError(
            f"the connection file {path} can't be used: {error}", "it has to be yours: chmod 600"
        ) from None
