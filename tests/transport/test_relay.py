"""An encrypted connection is read and written at once, and ends with either side."""

from __future__ import annotations

import os
import socket
import ssl
import threading
from collections.abc import Iterator

import pytest

from graphdebug.transport import relay, tls

BYTES = 5_000_000
"""More than may wait on the way."""


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, ssl.SSLSocket]]:
    """The client's end, behind a plain socket, and the server's."""
    context, fingerprint = tls.made()
    here, there = socket.socketpair()
    before = threading.active_count()
    connected = threading.Thread(
        target=lambda: found.append(relay.plain(tls.secured(here, "localhost", fingerprint)))
    )
    found: list[socket.socket] = []
    connected.start()
    server = context.wrap_socket(there, server_side=True)
    connected.join()
    for end in (found[0], server):
        end.settimeout(20)
    yield found[0], server
    found[0].close()
    server.close()
    for thread in threading.enumerate():
        if thread.name == "graphdebug tls":
            thread.join(10)
    assert threading.active_count() == before


def read(end: socket.socket, size: int) -> bytes:
    found = bytearray()
    while len(found) < size and (data := end.recv(1 << 16)):
        found += data
    return bytes(found)


def test_both_ways_at_once(ends: tuple[socket.socket, ssl.SSLSocket]) -> None:
    client, server = ends
    question, answer = os.urandom(BYTES), os.urandom(BYTES)
    heard: list[bytes] = []
    asking = threading.Thread(target=client.sendall, args=(question,))
    listening = threading.Thread(target=lambda: heard.append(read(client, BYTES)))
    for thread in (asking, listening):
        thread.start()
    assert read(server, BYTES) == question
    server.sendall(answer)
    for thread in (asking, listening):
        thread.join()
    assert heard == [answer]


def test_it_ends_with_either_side(ends: tuple[socket.socket, ssl.SSLSocket]) -> None:
    client, server = ends
    server.sendall(b"last words")
    server.close()
    assert read(client, 100) == b"last words"


def test_what_was_written_before_the_end_arrives(
    ends: tuple[socket.socket, ssl.SSLSocket],
) -> None:
    client, server = ends
    client.sendall(b"last words")
    client.close()
    assert read(server, 100) == b"last words"
