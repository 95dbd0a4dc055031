"""graphdebug's own DAP client, against a peer that is played here on the other end of a socket."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from graphdebug.transport.dap import Client, Disconnected, RequestFailed
from graphdebug.transport.framing import Message, Parser, encode


class Peer:
    """The adapter's end of the connection: what came, and what is to be sent."""

    def __init__(self, link: socket.socket) -> None:
        self.link = link
        self._parser = Parser()

    def receive(self) -> Message:
        """The next message of the client."""
        while (message := self._parser.next()) is None:
            data = self.link.recv(65536)
            assert data, "the client has closed"
            self._parser.feed(data)
        return message

    def send(self, **message: Any) -> None:
        """Send a message."""
        self.link.sendall(encode({"seq": 1, **message}))

    def event(self, name: str, **body: Any) -> None:
        """Send an event."""
        self.send(type="event", event=name, body=body)

    def answer(self, request: Message, success: bool = True, **more: Any) -> None:
        """Answer a request."""
        self.send(type="response", request_seq=request["seq"], command=request["command"],
                  success=success, **more)  # fmt: skip


@pytest.fixture
def connect() -> Iterator[Callable[..., tuple[Client, Peer]]]:
    """Makes a client and its peer: ``connect(**options of the client)``."""
    opened: list[tuple[Client, Peer]] = []

    def connect(**options: Any) -> tuple[Client, Peer]:
        ours, theirs = socket.socketpair()

        def hang_up() -> None:
            with contextlib.suppress(OSError):
                ours.shutdown(socket.SHUT_RDWR)
            ours.close()

        reader, writer = ours.makefile("rb"), ours.makefile("wb")
        client = Client(reader, writer, timeout=5.0, hang_up=hang_up, **options)
        opened.append((client, Peer(theirs)))
        return opened[-1]

    yield connect
    for client, peer in opened:
        peer.link.close()
        assert client.close()


Connect = Callable[..., tuple[Client, Peer]]


def test_answers_find_their_requests_in_any_order(connect: Connect) -> None:
    client, peer = connect()
    first, second = client.send("one", a=1), client.send("two")
    came = [peer.receive(), peer.receive()]
    assert [m["seq"] for m in came] == [1, 2]
    assert came[0]["arguments"] == {"a": 1} and "arguments" not in came[1]
    peer.answer(came[1], body={"of": "two"})
    peer.answer(came[0])
    assert second.wait() == {"of": "two"}
    assert first.wait() == {}


@pytest.mark.parametrize(
    ("response", "text"),
    [
        ({"message": "short"}, "short"),
        ({"message": "e", "body": {"error": {"id": 1, "format": "no {what}",
          "variables": {"what": "program"}}}}, "no program"),
        ({"body": {}}, "the adapter gave no reason"),
    ],
)  # fmt: skip
def test_an_error_says_why(connect: Connect, response: Message, text: str) -> None:
    client, peer = connect()
    pending = client.send("launch")
    peer.answer(peer.receive(), success=False, **response)
    with pytest.raises(RequestFailed) as caught:
        pending.wait()
    assert str(caught.value) == text
    assert caught.value.command == "launch"


def test_events_are_taken_once_and_in_order(connect: Connect) -> None:
    client, peer = connect()
    for number in range(3):
        peer.event("output", number=number)
    peer.event("stopped", threadId=1)
    assert client.wait_for_event("stopped") == {"threadId": 1}
    assert client.wait_for_event("output", lambda body: body["number"] == 1) == {"number": 1}
    assert [body["number"] for body in client.pending_events("output")] == [0, 2]
    assert client.wait_for_event("output") == {"number": 0}
    assert client.wait_for_event("output") == {"number": 2}
    with pytest.raises(TimeoutError, match=r"'output'.*not taken: none"):
        client.wait_for_event("output", timeout=0.01)


def test_reverse_requests_are_answered(connect: Connect) -> None:
    def on_request(command: str, arguments: Message) -> Message:
        if command == "runInTerminal":
            return {"processId": len(arguments["args"])}
        raise ValueError("not that one")

    client, peer = connect(on_request=on_request)
    peer.send(type="request", seq=7, command="runInTerminal", arguments={"args": ["a", "b"]})
    answer = peer.receive()
    assert answer["success"] and answer["body"] == {"processId": 2} and answer["request_seq"] == 7
    peer.send(type="request", seq=8, command="startDebugging")
    answer = peer.receive()
    assert not answer["success"] and answer["message"] == "not that one"
    assert answer["request_seq"] == 8
    del client


def test_without_a_handler_reverse_requests_are_refused(connect: Connect) -> None:
    _, peer = connect()
    peer.send(type="request", seq=7, command="runInTerminal")
    answer = peer.receive()
    assert not answer["success"] and "runInTerminal" in answer["message"]


@pytest.mark.parametrize(
    ("last_words", "cause"),
    [
        (b"", "closed the connection"),
        (b"Content-Length: 10\r\n\r\n{", "in the middle of a message"),
        (b"Traceback (most recent call last)", "something else than DAP"),
    ],
)
def test_who_waits_learns_that_the_adapter_is_gone(
    connect: Connect, last_words: bytes, cause: str
) -> None:
    client, peer = connect()
    pending = client.send("threads")
    peer.receive()
    peer.link.sendall(last_words)
    peer.link.close()
    with pytest.raises(Disconnected, match=cause):
        pending.wait()
    with pytest.raises(Disconnected, match=cause):
        client.wait_for_event("stopped")
    assert client.ended


def test_every_message_is_observed(connect: Connect) -> None:
    seen: list[tuple[str, str]] = []
    client, peer = connect(
        observe=lambda direction, message: seen.append((direction, message["type"]))
    )
    pending = client.send("threads")
    peer.event("output")
    peer.answer(peer.receive())
    pending.wait()
    assert seen == [("sent", "request"), ("received", "event"), ("received", "response")]
