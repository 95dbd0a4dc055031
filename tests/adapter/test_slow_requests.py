"""A slow request never holds up the others: a local takes six seconds to show.

Plain debugpy's adapter handles one request at a time, and fails all of these.
"""

from __future__ import annotations

import statistics
import time

import pytest
from support.dap import Session, Start
from support.markers import line, program

from graphdebug.transport.dap import Pending

SLOW = program("slow_repr.py")
LIMIT = 0.050
"""Seconds that an answer may take meanwhile."""


@pytest.fixture
def stopped(start: Start, graphdebug_adapter: str) -> Session:
    """A session that is stopped where the slow local lives."""
    s = start(graphdebug_adapter, timeout=10.0)
    s.launch(program=SLOW, breakpoints={SLOW: [line(SLOW, "stop")]})
    s.wait_for_stop("breakpoint")
    return s


def ask_for_locals(s: Session) -> Pending:
    """Ask as an editor does at a stop, and don't wait."""
    s.request("threads")
    frames = s.stack()
    scope = s.scopes(frames[0])["Locals"]["variablesReference"]
    return s.client.send("variables", variablesReference=scope)


def latencies(s: Session, command: str, count: int = 20, **arguments: object) -> list[float]:
    """Seconds that ``count`` requests took, one after another."""
    took = []
    for _ in range(count):
        pending = s.client.send(command, **arguments)
        assert pending.wait()
        took.append(s.transcript.latency(pending.seq))
    return took


def test_others_are_answered_meanwhile(stopped: Session) -> None:
    variables = ask_for_locals(stopped)
    threads = latencies(stopped, "threads")
    stacks = latencies(stopped, "stackTrace", threadId=stopped.thread)
    assert variables.response is None, "the variables came too early for this test to mean anything"
    for took in (threads, stacks):
        # The machine may be busy for a moment; one that is held up would wait for seconds.
        assert statistics.median(took) < LIMIT and max(took) < 1.0
    found = {v["name"]: v["value"] for v in variables.wait()["variables"]}
    assert found["slow"] == "shown at last"
    assert stopped.transcript.latency(variables.seq) > 5


def test_an_answer_is_the_same_meanwhile(stopped: Session) -> None:
    before = stopped.request("threads"), stopped.stack()
    variables = ask_for_locals(stopped)
    assert (stopped.request("threads"), stopped.stack()) == before
    assert variables.response is None
    # Ending doesn't wait for the slow one either, and the sandbox sees that nothing is left.
    began = time.monotonic()
    stopped.request("disconnect", terminateDebuggee=True)
    stopped.close()
    assert time.monotonic() - began < 2.0
