"""What isn't the protocol gets a clear error that names its cause; only what must ends the session.

That no traceback is on stderr and that no process is left, the fixtures check in every test here.
"""

from __future__ import annotations

import json
from typing import Any

import psutil
import pytest
from support.dap import Session, Start
from support.markers import line, program
from support.sandbox import Sandbox

from graphdebug.transport.framing import encode

pytestmark = pytest.mark.usefixtures("graphdebug_adapter")

LOOP = program("loop.py")


def framed(body: bytes) -> bytes:
    """``body`` in a frame, whatever it is."""
    return b"Content-Length: %d\r\n\r\n%b" % (len(body), body)


def stopped(start: Start, **options: Any) -> Session:
    """A session at a breakpoint."""
    s = start("graphdebug", **options)
    s.launch(program=LOOP, breakpoints={LOOP: [line(LOOP, "step")]})
    s.wait_for_stop("breakpoint")
    return s


GARBAGE = {
    "http": b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "tls": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "text": b"hello\n",
    "no length": b"X-Other: 1\r\n\r\n{}",
    "not a length": b"Content-Length: many\r\n\r\n{}",
    "negative": b"Content-Length: -1\r\n\r\n{}",
    "endless header": b"Content-Length" + b"x" * 10_000,
}
each_garbage = pytest.mark.parametrize("garbage", GARBAGE.values(), ids=GARBAGE)


@each_garbage
def test_garbage_ends_the_adapter_with_a_word(start: Start, garbage: bytes) -> None:
    s = start("graphdebug", tolerant=True)
    s.send_raw(garbage)
    assert s.wait_for_adapter() == 1
    assert "Debug Adapter Protocol" in s.said() or "DAP" in s.said()


def test_garbage_while_stopped_ends_the_program_too(start: Start, sandbox: Sandbox) -> None:
    s = stopped(start, tolerant=True)
    s.send_raw(b"hello\n")
    assert s.wait_for_adapter() == 1
    assert "DAP" in s.said()
    assert not sandbox.leaks(timeout=2.0)


@pytest.mark.parametrize("cut", [1, 12, 18, 21, 40])
def test_a_truncated_frame(start: Start, cut: int) -> None:
    s = start("graphdebug", tolerant=True)
    frame = encode({"seq": 1, "type": "request", "command": "initialize", "arguments": {}})
    s.send_raw(frame[:cut])
    s.client.close_input()
    assert s.wait_for_adapter() == 1
    assert "DAP" in s.said() or "Debug Adapter Protocol" in s.said()


BODIES = {
    "not json": b"{'single': 'quotes'}",
    "cut": b'{"seq": 1, "type": "requ',
    "not utf-8": b'{"command": "\xff\xfe"}',
    "a list": b"[1, 2]",
    "a number": b"7",
    "empty": b"",
    "not a number": b'{"seq": 9, "type": "request", "command": "evaluate", "arguments": {"a": NaN}}',
    "too deep": b'{"a":' + b"[" * 200_000 + b"]" * 200_000 + b"}",
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_a_bad_body_costs_only_itself(start: Start, body: bytes) -> None:
    s = start("graphdebug")
    s.initialize()
    s.send_raw(framed(body))
    s.wait_for_word("DAP")
    assert s.output("important"), "it is said where the user sees it"
    assert '"program"' in s.refused("launch")


def test_a_message_of_100_mib(start: Start) -> None:
    s = start("graphdebug")
    s.initialize()
    assert s.process is not None
    adapter = psutil.Process(s.process.process.pid)
    before = adapter.memory_info().rss
    chunk = b" " * (1 << 20)
    s.send_raw(b"Content-Length: %d\r\n\r\n" % (100 << 20), *[chunk] * 100)
    assert str(100 << 20) in s.wait_for_word("limit")
    assert s.output("important")
    assert s.request("graphdebugState")["capture"] == "nodes", "the session goes on"
    assert adapter.memory_info().rss - before < 32 << 20


@pytest.mark.parametrize(
    "message",
    [
        {"type": "request"},
        {"type": "request", "command": 5},
        {"type": "request", "command": "evaluate", "arguments": [1]},
        {"type": "request", "command": "evaluate", "arguments": "x"},
        {"type": "request", "command": "setBreakpoints", "arguments": {}},
        {"type": "request", "command": "setBreakpoints", "arguments": {"source": 5}},
        {"type": "request", "command": "setBreakpoints",
         "arguments": {"source": {"path": LOOP}, "breakpoints": 3}},
        {"type": "request", "command": "stackTrace", "arguments": {"threadId": "one"}},
        {"type": "request", "command": "variables", "arguments": {"variablesReference": None}},
        {"type": "request", "command": "graphdebugNodes", "arguments": {"step": "first"}},
        {"type": "request", "command": "graphdebugNodes", "arguments": {}},
        {"type": "request", "command": "graphdebugTensor", "arguments": {"mode": "all"}},
        {"type": "response", "request_seq": 999, "success": True, "command": "runInTerminal"},
        {"type": "event", "event": "something"},
        {"type": "nothing"},
        {},
    ],
    ids=lambda message: json.dumps(message)[:60],
)  # fmt: skip
def test_a_message_of_the_wrong_shape(shared: Session, message: dict[str, Any]) -> None:
    """Answered if it can be, and the session goes on."""
    answer = None
    if message.get("type") == "request" and isinstance(message.get("command"), str):
        answer = shared.client.send_message(message)
        shared.client.wait_until(lambda: answer.response is not None, "an answer", timeout=5)
        assert answer.response is not None
        assert answer.response["success"] is False and answer.response["message"]
    else:
        shared.send_raw(encode({"seq": 0, **message}))
    assert shared.request("threads")["threads"]
    shared.said()


@pytest.fixture(scope="module")
def shared(start_shared: Start, graphdebug_adapter: str) -> Session:
    """A stopped session for messages that must not disturb it."""
    return stopped(start_shared, timeout=10.0)
