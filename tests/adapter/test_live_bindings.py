"""What a breakpoint's message says of runs that can't be held, and that this is what happens."""

from __future__ import annotations

import pytest
from support.dap import Start
from support.live import ENVIRONMENT, INSIDE, bare, frames
from support.markers import line, program

pytestmark = pytest.mark.frameworks

NOT = program("live_not.py")
SAID = {
    "opaque": ("line", "as a part of a function"),
    "overlapping": ("boundary", "has effects in a loop whose iterations overlap"),
    "timed": ("boundary", "time limit"),
    "partial": ("line", "a partial run tells nothing"),
    "own": ("boundary", "CallableOptions"),
    "held": ("node", "inside the running graph"),
    "nothing": ("boundary", "no output"),
}
"""Marks, and what is said of them in the end."""

CALLED = {
    "overlapping": ("Graph boundary", "run_overlapping"),
    "timed": ("Graph boundary", "run_timed"),
    "own": ("Graph boundary", "run_own"),
    "held": (INSIDE, "run_held"),
    "nothing": ("Graph boundary", "run_held"),
}
"""Where they stop."""


def test_what_is_said_is_what_happens(start: Start) -> None:
    session = start("graphdebug", timeout=120, environment=ENVIRONMENT)
    lines = {line(NOT, mark): mark for mark in SAID}
    session.launch(program=NOT, staticGraphs="node", breakpoints={NOT: list(lines)})
    said = {item["line"]: item["message"] for item in session.breakpoints[NOT]}
    ids = {item["id"]: lines[item["line"]] for item in session.breakpoints[NOT]}
    seen: dict[str, set[tuple[str, str]]] = {}
    marks = {line(NOT, mark): mark for _, mark in CALLED.values()}
    while (event := session.next_stop()) is not None:
        for change in session.client.pending_events("breakpoint"):
            said[change["breakpoint"]["line"]] = change["breakpoint"]["message"]
        if (what := event.get("description")) in ("Graph boundary", INSIDE):
            at = marks[frames(session)[what == INSIDE][1]]
            for id in event["hitBreakpointIds"]:
                seen.setdefault(ids[id], set()).add((what, at))
                # It was said before it happened.
                kind = "node" if what == INSIDE else "boundary"
                assert said[line(NOT, ids[id])].startswith(f"{kind}: ")
        session.cont()
    for change in session.client.pending_events("breakpoint"):
        said[change["breakpoint"]["line"]] = change["breakpoint"]["message"]
    for mark, (kind, reason) in SAID.items():
        message = said[line(NOT, mark)]
        assert message.startswith(f"{kind}: "), (mark, message)
        assert reason in message, (mark, message)
    assert seen == {mark: {where} for mark, where in CALLED.items()}
    assert session.output() == bare(NOT)
    assert not session.client.pending_events("graphdebugAlert")
