"""Breakpoints inside of a recorded run: lines, conditions, hit counts, log points, changes."""

from __future__ import annotations

from typing import Any

import pytest
from support.dap import Session, Start
from support.markers import line, program
from support.replay import BOUNDARY, REPLAY, move, numbers, to_boundary

pytestmark = pytest.mark.frameworks

SEED = program("seed_tensorflow.py")
ADD, SECOND = line(SEED, "add"), line(SEED, "second")


@pytest.fixture
def session(start: Start, graphdebug_adapter: str) -> Session:
    return start(graphdebug_adapter, timeout=120)


def hits(session: Session, command: str) -> list[tuple[int, int, list[int]]]:
    """Line, iteration and breakpoint ids of each place that ``command`` leads to."""
    found = []
    while True:
        session.request(command, threadId=session.thread)
        stop = session.next_stop()
        if stop is None or stop.get("description") != REPLAY:
            return found
        frame = session.frame()
        assert stop["reason"] == "breakpoint"
        found.append((frame["line"], numbers(frame)[0], stop["hitBreakpointIds"]))


def launched(session: Session, *breakpoints: int | dict[str, Any]) -> list[int]:
    """At the boundary of the seed's loop, inside of which these are set; their ids."""
    session.launch(program=SEED, args=["v1"], breakpoints={SEED: breakpoints})
    to_boundary(session)
    return [item["id"] for item in session.breakpoints[SEED]]


def test_continue_and_reverse_between_two_lines(session: Session) -> None:
    add, second = launched(session, ADD, SECOND)
    move(session, "stepIn")
    forwards = hits(session, "continue")  # and on with the program, to its end
    expected = {(ADD, n, (add,)) for n in range(10)} | {(SECOND, n, (second,)) for n in range(10)}
    assert {(at, n, tuple(ids)) for at, n, ids in forwards} == expected
    assert [n for _, n, _ in forwards] == sorted(n for _, n, _ in forwards)
    assert session.wait_for_exit() == 0
    assert session.output("stdout") == "20\n20\n"


def test_reverse_from_the_boundary_and_past_the_first(session: Session) -> None:
    (add,) = launched(session, ADD)
    assert hits(session, "reverseContinue") == [(ADD, n, [add]) for n in range(9, -1, -1)]
    # That led back to the boundary, from where the program goes on.
    assert session.frame()["line"] == line(SEED, "run")
    session.cont()
    assert session.wait_for_exit() == 0


def test_conditions_count_for_each_execution(session: Session) -> None:
    wanted = {"line": ADD, "condition": "value % 6 == 2 and iteration > 0"}
    (add,) = launched(session, wanted)
    move(session, "stepIn")
    assert hits(session, "continue") == [(ADD, 3, [add]), (ADD, 6, [add]), (ADD, 9, [add])]
    assert session.wait_for_exit() == 0


def test_hit_counts_and_log_points(session: Session) -> None:
    add, _ = launched(
        session,
        {"line": ADD, "hitCondition": "% 4"},
        {"line": SECOND, "logMessage": "now {value}"},
    )
    move(session, "stepIn")
    # Python passed the line once while it built the graph, which debugpy counts, and not we.
    assert hits(session, "continue") == [(ADD, 3, [add]), (ADD, 7, [add])]
    assert session.wait_for_exit() == 0
    # Each execution is logged once, when the run is over, and not again on the way through it.
    assert [item for item in session.output("stdout").splitlines() if item.startswith("now")] == [
        f"now {n}" for n in range(11, 21)
    ]


def test_changed_breakpoints_count_at_once(session: Session) -> None:
    launched(session, ADD)
    move(session, "stepIn")
    move(session, "continue")
    assert session.evaluate("int(value)")["result"] == "2"
    changed = session.set_breakpoints(
        SEED,
        [
            {"line": ADD, "condition": "first_counter in (10, 16)"},
            {"line": SECOND, "logMessage": "{second_counter} in {iteration}"},
        ],
    )
    found = [(move(session, "continue"), session.evaluate("int(value)")["result"])]
    found.append((move(session, "continue"), session.evaluate("int(value)")["result"]))
    assert [value for _, value in found] == ["10", "16"]
    assert found[0][0]["hitBreakpointIds"] == [changed[0]["id"]]
    # What the walk passed is logged, once; the rest comes where it goes on.
    # (Within an iteration either line may run first.)
    logged = session.output("stdout").splitlines()
    first = 0 if logged[0] == "11 in 0" else 1
    assert logged == [f"{n + 11} in {n}" for n in range(first, first + len(logged))]
    assert 6 <= len(logged) <= 8
    move(session, "reverseContinue")
    move(session, "continue")
    assert session.output("stdout").splitlines() == logged
    session.cont()
    assert session.wait_for_exit() == 0
    everything = session.output("stdout").splitlines()
    assert everything == [*(f"{n + 11} in {n}" for n in range(first, 10)), "20", "20"]


def test_a_condition_elsewhere_and_steps_between(session: Session) -> None:
    """With nothing but a condition, the rest of the run has no values, and says why."""
    launched(session, {"line": ADD, "condition": "value == 8"})
    move(session, "stepIn")
    move(session, "continue")
    assert session.evaluate("value")["result"].startswith("int32 () /device:CPU:0 8")
    while session.frame()["line"] != SECOND:
        move(session, "next")
    shown = session.variables(session.scopes()["Outputs"]["variablesReference"])
    (value,) = shown.values()
    assert value["value"].startswith("int32 () /device:CPU:0: no value, since whether")
    assert "its own line" in value["value"]
    out = move(session, "stepOut")
    assert out["description"] == BOUNDARY
