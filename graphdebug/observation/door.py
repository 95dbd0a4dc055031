"""Lets those in who hold the token, and nobody else; see ``protocol.hub`` for who comes.

Until the token has been shown, one who connected costs a few kilobytes and a few seconds at most: one
message is read, of limited size, and of those that keep silent the oldest goes when there are many.
Who is refused is told nothing. Each refusal is a line in the log, or a number in one where there are
many; neither what was sent nor the token is ever in it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import ssl
import struct
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from graphdebug.transport.connections import Fault, StreamConnection
from graphdebug.transport.endpoint import Listener, same_token
from graphdebug.transport.framing import BODY_LIMIT, Message

INTRODUCTION_SECONDS = 5.0
"""How long one who connected may take to show the token, TLS included."""

INTRODUCTION_BYTES = 4096
"""How long the message with the token may be."""

STRANGERS = 64
"""How many may be here who haven't shown it yet. When one more comes, the oldest has to go."""

DELAY_SECONDS = 0.1
"""How long a refusal waits after the first wrong try; twice as long after each one more."""
LONGEST_DELAY_SECONDS = 2.0
FORGIVEN_SECONDS = 60.0
"""Without a wrong try for so long, the next one is the first again."""

CUT = {"TCP_KEEPIDLE": 4, "TCP_KEEPINTVL": 2, "TCP_KEEPCNT": 3, "TCP_USER_TIMEOUT": 10_000}
"""When the other side counts as out of reach: seconds, seconds, probes, milliseconds."""

LINES_A_MINUTE = 20
"""Refusals that get a line of their own."""

Admit = Callable[[Message, StreamConnection, asyncio.StreamReader, asyncio.StreamWriter],
                 Awaitable[None]]  # fmt: skip
"""Serves one who may come in, to the end: the first message, the connection, and its streams."""

Log = Callable[[str], None]


class Door:
    """Listens at some addresses; all methods are called on the loop.

    ``roles`` names, by the first message's ``command`` or ``event``, who may come, with what token, and
    who serves them then.
    """

    def __init__(self, roles: Mapping[str, tuple[str, Admit]], log: Log) -> None:
        self._roles = dict(roles)
        self._refusals = Refusals(log)
        self._servers: list[asyncio.Server] = []
        self._accepting: list[asyncio.Task[None]] = []
        self._listeners: list[Listener] = []
        self._strangers: dict[asyncio.Task[Any], str] = {}
        """Who is at the other end of each."""
        self._serving: set[asyncio.Task[Any]] = set()

    async def listen(self, listener: Listener, tls: ssl.SSLContext | None = None) -> None:
        """Let them come there, too. The listener is closed with the door."""
        self._listeners.append(listener)
        if tls is not None:
            listener.socket.setblocking(False)
            self._accepting.append(asyncio.ensure_future(self._accept(listener.socket, tls)))
            return
        unix = listener.endpoint.startswith("unix:")
        start: Any = asyncio.start_unix_server if unix else asyncio.start_server
        self._servers.append(await start(self._serve, sock=listener.socket, backlog=128))

    async def close(self) -> None:
        """Let nobody come any more, and end the connections of those that are here."""
        for server in self._servers:
            server.close()
        serving = [*self._accepting, *self._serving, *self._strangers]
        for task in serving:
            task.cancel()
        await asyncio.gather(*serving, return_exceptions=True)
        for listener in self._listeners:
            listener.close()
        self._refusals.flush()

    async def _accept(self, listener: socket.socket, tls: ssl.SSLContext) -> None:
        """Take those who are to speak TLS; asyncio's server wouldn't count them before they do."""
        while True:
            try:
                sock, address = await asyncio.get_running_loop().sock_accept(listener)
            except OSError:
                await asyncio.sleep(DELAY_SECONDS)  # no descriptor is free; some soon are
                continue
            peer = f"{address[0]}:{address[1]}"
            task = asyncio.ensure_future(self._secure(sock, tls, peer))
            self._enter(task, peer)
            task.add_done_callback(lambda done: self._strangers.pop(done, None))

    async def _secure(self, sock: socket.socket, tls: ssl.SSLContext, peer: str) -> None:
        """Agree on keys; who did is served like any other."""
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader()
        protocol = asyncio.StreamReaderProtocol(reader, self._serve)
        try:
            await loop.connect_accepted_socket(
                lambda: protocol, sock, ssl=tls, ssl_handshake_timeout=INTRODUCTION_SECONDS
            )
        except asyncio.CancelledError:
            sock.close()
            raise
        except OSError as error:
            sock.close()
            if not isinstance(error, ConnectionResetError):  # else a probe for an open port
                self._refusals.add("it doesn't speak TLS, or trusts another certificate", peer)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        connection = StreamConnection(reader, writer)
        _notice_a_cut(writer.get_extra_info("socket"))
        try:
            first, admit = await self._introduction(task, connection, writer)
            if first is not None and admit is not None:
                self._serving.add(task)
                connection.limit(BODY_LIMIT)
                await admit(first, connection, reader, writer)
        except (OSError, asyncio.CancelledError):
            pass  # it has gone, or the door is closed
        finally:
            self._serving.discard(task)
            with contextlib.suppress(OSError, asyncio.CancelledError):
                await connection.close()

    async def _introduction(
        self, task: asyncio.Task[Any], connection: StreamConnection, writer: asyncio.StreamWriter
    ) -> tuple[Message | None, Admit | None]:
        """The first message and who serves it; neither, where nobody does."""
        peer = _peer(writer)
        self._enter(task, peer)
        try:
            connection.limit(INTRODUCTION_BYTES)
            messages = connection.messages()
            try:
                first = await asyncio.wait_for(anext(messages, None), INTRODUCTION_SECONDS)
            except asyncio.TimeoutError:
                self._refusals.add("it sent no token in time", peer)
                return None, None
            if first is None:
                return None, None  # a probe for an open port
            why, admit = self._known(first, writer)
            if admit is None or isinstance(first, Fault):
                await asyncio.sleep(self._refusals.add(why, peer))
                return None, None
            return first, admit
        except asyncio.CancelledError:
            writer.transport.abort()  # who is silent needn't say farewell
            raise
        finally:
            self._strangers.pop(task, None)

    def _enter(self, task: asyncio.Task[Any], peer: str) -> None:
        """One more is here; who has been silent for longest makes room."""
        if len(self._strangers) >= STRANGERS:
            oldest = next(iter(self._strangers))
            self._refusals.add("silent while many others came", self._strangers.pop(oldest))
            oldest.cancel()
        self._strangers[task] = peer

    def _known(
        self, first: Message | Fault, writer: asyncio.StreamWriter
    ) -> tuple[str, Admit | None]:
        """Who serves one who begins so; else why nobody does."""
        if isinstance(first, Fault):
            return "what it sent is no message", None
        token, admit = self._roles.get(str(first.get("command") or first.get("event")), ("", None))
        if admit is None:
            return "what it sent first isn't what clients begin with", None
        given = first.get("arguments") or first.get("body")
        shown = given.get("token") if isinstance(given, dict) else None
        if not isinstance(shown, str) or not same_token(shown, token):
            return "without the token" if shown is None else "the token is wrong", None
        if _another_user(writer):
            return "it belongs to another user", None
        return "", admit


class Refusals:
    """Counts those that were refused, delays the next, and writes the log."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._tries = 0
        self._last = 0.0
        self._minute = 0.0
        self._lines = 0
        self._unsaid = 0

    def add(self, why: str, peer: str) -> float:
        """Note a refusal; seconds that it is to be delayed by."""
        now = time.monotonic()
        self._tries = 0 if now - self._last > FORGIVEN_SECONDS else self._tries + 1
        self._last = now
        if now - self._minute > 60:
            self.flush()
            self._minute, self._lines = now, 0
        self._lines += 1
        if self._lines <= LINES_A_MINUTE:
            self._log(f"a connection from {peer} was refused: {why}")
        else:
            self._unsaid += 1
        return float(min(LONGEST_DELAY_SECONDS, DELAY_SECONDS * 2 ** min(self._tries, 10)))

    def flush(self) -> None:
        """Write how many got no line of their own."""
        if self._unsaid:
            self._log(f"{self._unsaid} more connections were refused")
            self._unsaid = 0


def _notice_a_cut(sock: socket.socket | None) -> None:
    """Let a connection end some ten seconds after the network in between has gone.

    Without it, a program that is stopped would stay so for hours, for a client that is out of reach.
    """
    if sock is None or sock.family == getattr(socket, "AF_UNIX", None):
        return
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in CUT.items():
        if hasattr(socket, name):  # each system has some of them
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def _peer(writer: asyncio.StreamWriter) -> str:
    address = writer.get_extra_info("peername")
    if isinstance(address, tuple):
        return f"{address[0]}:{address[1]}"
    found = _credentials(writer)
    return "a process of this machine" if found is None else f"process {found[0]} (uid {found[1]})"


def _another_user(writer: asyncio.StreamWriter) -> bool:
    """Whether a unix socket's other end is of a user who has no right here; root has."""
    found = _credentials(writer)
    return found is not None and found[1] not in (0, os.geteuid())


def _credentials(writer: asyncio.StreamWriter) -> tuple[int, int] | None:
    """Process and user at the other end of a unix socket; None where the system doesn't say."""
    sock = writer.get_extra_info("socket")
    if sock is None or sock.family != getattr(socket, "AF_UNIX", None):
        return None
    option = getattr(socket, "SO_PEERCRED", None)
    if option is None:
        return None
    pid, uid, _ = struct.unpack("3i", sock.getsockopt(socket.SOL_SOCKET, option, 12))
    return pid, uid
