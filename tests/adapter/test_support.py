"""The tests' own checks do find what they look for."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from support.dap import Session, Start
from support.markers import line, program
from support.sandbox import Sandbox
from support.schema import Checker

from graphdebug.transport.dap import RequestFailed

INITIALIZE = {"seq": 1, "type": "request", "command": "initialize"}


def answer(**fields: Any) -> dict[str, Any]:
    """An answer to ``INITIALIZE``."""
    return {"seq": 1, "type": "response", "request_seq": 1, "command": "initialize",
            "success": True, **fields}  # fmt: skip


@pytest.mark.parametrize(
    ("message", "complaint"),
    [
        (answer(seq=2), "seq 2 follows 0"),
        (answer(request_seq=5), "answers no request"),
        (answer(command="launch"), "answers 'initialize' as 'launch'"),
        (answer(body={"supportsStepBack": "yes"}), "is not of type 'boolean'"),
        (answer(success=False), "an error without a message"),
        (answer(success=False, message="x", body={"error": 5}), "not of type 'object'"),
        ({"seq": 1, "type": "event", "event": "stopped"}, "'body' is a required property"),
        ({"seq": 1, "type": "event", "event": "stopped", "body": {}}, "'reason' is a required"),
        ({"seq": 1, "type": "event", "event": "stoped", "body": {}}, "no StopedEvent"),
        ({"seq": 1, "type": "event", "event": "graphdebugStep", "body": {}}, "before the answer"),
        ({"seq": "1", "type": "event", "event": "initialized"}, "is not of type 'integer'"),
        ({"seq": 1, "type": "request", "command": "runInTerminal"}, "'arguments' is a required"),
        ({"seq": 1, "type": "noise"}, "type is 'noise'"),
    ],
)
def test_the_checker_finds_violations(message: dict[str, Any], complaint: str) -> None:
    checker = Checker(strict=True)
    checker.sent(INITIALIZE)
    checker.received(message)
    assert any(complaint in violation for violation in checker.violations), checker.violations


def test_the_checker_knows_our_messages() -> None:
    checker = Checker(strict=True)
    checker.sent(INITIALIZE)
    checker.received(answer())
    assert not checker.violations and not checker.unanswered
    dropped = {"type": "event", "event": "graphdebugDropped"}
    checker.received({"seq": 2, **dropped, "body": {"count": 3}})
    assert not checker.violations
    checker.received({"seq": 3, **dropped, "body": {"count": "three"}})
    assert "'three' is not of type 'integer'" in checker.violations[-1]
    checker.received({"seq": 4, "type": "event", "event": "graphdebugNothing", "body": {}})
    assert "no GraphdebugNothingEvent" in checker.violations[-1]


def test_a_violation_fails_the_session(start: Start) -> None:
    s = start("debugpy")
    s.initialize()
    s.checker.violations.append("something is wrong")
    with pytest.raises(AssertionError, match="something is wrong"):
        s.close()


def test_what_plain_debugpy_does_wrong_is_still_so(start: Start) -> None:
    """Where this fails, debugpy has got better, and the allow-list in ``schema`` gets shorter."""
    s = start("debugpy")
    with pytest.raises(RequestFailed):
        s.request("launch")
    (refusal,) = (e.message for e in s.transcript.entries if e.message["type"] == "response")
    assert "body" not in refusal
    s.client.wait_for_event("output")  # though nobody has sent initialize


def test_what_is_left_behind_is_found() -> None:
    box = Sandbox()
    listens = "import socket, sys; s = socket.create_server(('127.0.0.1', 0)); print(s.getsockname()[1], flush=True); sys.stdin.read()"  # noqa: E501
    # By way of another process that is gone at once: it isn't pytest's child any more.
    between = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {listens!r}])"
    with subprocess.Popen(
        [sys.executable, "-c", between],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=box.environment,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        port = process.stdout.readline().strip()
        process.wait()
        (box.temp / "left.txt").write_text("")
        found = box.leaks(timeout=0.2)
    box.remove()
    assert len(found) == 2
    assert f"listening on [{port}]" in found[0]
    assert found[1].endswith("left.txt")
    assert not box.processes()


def test_markers() -> None:
    path = program("loop.py")
    assert line(path, "step") < line(path, "second") < line(path, "return")
    with pytest.raises(AssertionError, match="nothing"):
        line(path, "nothing")
    with pytest.raises(AssertionError, match="no test program"):
        program("missing.py")


def test_a_program_that_ends_instead_of_stopping_is_named(start: Start) -> None:
    s: Session = start("debugpy")
    s.launch(program=program("loop.py"))
    with pytest.raises(AssertionError, match="ended without the stop"):
        s.wait_for_stop()
