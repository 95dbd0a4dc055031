"""The runtime's link never holds the program up, and says what it dropped."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from graphdebug.protocol.model import Step
from graphdebug.protocol.runtime import (
    ConfigureArguments,
    HelloEvent,
    Invitation,
    StepEvent,
)
from graphdebug.runtime.link import QUEUE_LIMIT, Link
from graphdebug.transport.endpoint import Listener
from graphdebug.transport.framing import Parser, encode

HELLO = HelloEvent("token", 1, 0, 0, "0")


def step(index: int) -> StepEvent:
    return StepEvent(Step(index, "eager", "torch", "x" * 200, None, 0, 0, 0, ("cpu",)))


@pytest.fixture
def listener() -> Iterator[Listener]:
    listener = Listener()
    yield listener
    listener.close()


def connected(listener: Listener, **handlers: Any) -> tuple[Link, socket.socket]:
    """A link, and the observer's end, which has configured it."""
    link = Link(Invitation(listener.endpoint, "token"), {"configure": lambda _: None, **handlers})
    observer, _ = listener.socket.accept()
    observer.settimeout(20)
    observer.sendall(encode({"type": "request", "seq": 1, "command": "configure",
                             "arguments": {"configuration": {}}}))  # fmt: skip
    link.start(HELLO)
    return link, observer


def messages(observer: socket.socket) -> Iterator[dict[str, Any]]:
    parser = Parser()
    while data := observer.recv(65536):
        parser.feed(data)
        while (message := parser.next()) is not None:
            yield message


def test_an_observer_that_does_not_read_costs_records_not_time(listener: Listener) -> None:
    link, observer = connected(listener)
    sent = 0
    while not link.dropped:
        link.send(step(sent), droppable=True)
        sent += 1
        assert sent < 50 * QUEUE_LIMIT, "nothing is ever dropped: the queue has no bound"
    assert link.send(step(sent)), "what may not be dropped was"
    indices, said = [], 0
    for message in messages(observer):
        if message.get("event") == "step":
            indices.append(message["body"]["step"]["index"])
        if message.get("event") == "dropped":
            said = message["body"]["count"]
            break
    assert said == link.dropped > 0
    assert indices == sorted(indices)
    link.close(5)
    observer.close()


def test_everything_is_sent_before_it_closes(listener: Listener) -> None:
    link, observer = connected(listener)
    for index in range(1000):
        link.send(step(index))
    received: list[int] = []

    def read() -> None:
        for message in messages(observer):
            if message.get("event") == "step":
                received.append(message["body"]["step"]["index"])

    reading = threading.Thread(target=read)
    reading.start()
    link.close(10)
    reading.join()
    assert received == list(range(1000))
    assert not link.send(step(0))
    observer.close()


def test_nothing_of_it_runs_once_it_is_closed(listener: Listener) -> None:
    """Or it would call a framework while the interpreter ends."""
    begun, go_on, done = threading.Event(), threading.Event(), []

    def configure(_: object) -> None:
        if link_is_there.is_set():
            begun.set()
            go_on.wait(20)
            done.append("handled")

    link_is_there = threading.Event()
    before = set(threading.enumerate())
    link, observer = connected(listener, configure=configure)
    link.on_close = lambda: done.append("closed")
    link_is_there.set()
    request = {"type": "request", "seq": 2, "command": "configure",
               "arguments": {"configuration": {}}}  # fmt: skip
    observer.sendall(encode(request) + encode(request))
    assert begun.wait(20)
    closing = threading.Thread(target=link.close)
    closing.start()
    assert link.closed.wait(20)
    go_on.set()
    closing.join(20)
    assert done == ["handled"], "the second request, or the end, was handled"
    left = set(threading.enumerate()) - before
    assert "graphdebug reader" not in {thread.name for thread in left}
    observer.close()


def test_a_request_that_is_wrong_is_refused_and_the_link_stays(listener: Listener) -> None:
    seen: list[object] = []
    link, observer = connected(listener, configure=seen.append)
    for seq, request in enumerate(
        [{"command": "resume"}, {"command": "nothing"}, {"command": "setBreakpoints",
         "arguments": {"path": 5}}, {"command": "configure", "arguments": {"configuration":
         {"capture": "values"}}}], start=2,
    ):  # fmt: skip
        observer.sendall(encode({"type": "request", "seq": seq, **request}))
    answers = {}
    for message in messages(observer):
        if message["type"] == "response":
            answers[message["request_seq"]] = message["success"]
            if message["request_seq"] == 5:
                break
    assert answers == {1: True, 2: False, 3: False, 4: False, 5: True}
    assert isinstance(seen[-1], ConfigureArguments)
    assert seen[-1].configuration.capture == "values"
    link.close(5)
    observer.close()


@pytest.mark.parametrize("ending", ["closes", "sends garbage"])
def test_an_observer_that_goes_leaves_the_program_alone(listener: Listener, ending: str) -> None:
    gone = threading.Event()
    link, observer = connected(listener)
    link.on_close = gone.set
    if ending == "closes":
        observer.close()
    else:
        observer.sendall(b"GET / HTTP/1.1\r\n\r\n")
    assert gone.wait(10)
    assert link.closed.wait(10)
    assert not link.send(step(0))
    observer.close()
