"""How walks through recorded runs end, and what is left of them; several threads at boundaries."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.dap import Session, Start
from support.markers import line, program
from support.replay import BOUNDARY, REPLAY, move, to_boundary

pytestmark = pytest.mark.frameworks

STATE = program("replay_session.py")
THREADS = program("replay_threads.py")


@pytest.fixture
def session(start: Start, graphdebug_adapter: str) -> Session:
    return start(graphdebug_adapter, timeout=120)


def walking(session: Session) -> Session:
    """Inside the record of the first run."""
    session.launch(program=STATE, breakpoints={STATE: [line(STATE, "total")]})
    to_boundary(session)
    assert move(session, "stepIn")["description"] == REPLAY
    return session


def test_disconnect_during_a_walk(session: Session) -> None:
    walking(session).request("disconnect", terminateDebuggee=True)
    assert session.wait_for_adapter() == 0


def test_disconnect_during_a_walk_lets_the_program_go_on(session: Session, tmp_path: Path) -> None:
    ended = tmp_path / "ended"
    walking(session).evaluate(f"import atexit, pathlib; e = pathlib.Path({str(ended)!r})")
    session.evaluate("atexit.register(e.touch) and None")
    session.request("disconnect", terminateDebuggee=False)
    assert session.wait_for_adapter() == 0
    session.client.wait_until(ended.exists, "the end of the program")


def test_terminate_during_a_walk(session: Session) -> None:
    walking(session).request("terminate")
    session.client.wait_for_event("terminated")


def test_what_a_walk_showed_is_gone_with_it(session: Session) -> None:
    frame = walking(session).frame()["id"]
    other = (move(session, "next"), session.frame()["id"])[1]
    scopes = session.scopes(session.frame())
    # While it goes on, earlier places answer as well.
    assert (
        session.evaluate("node", frameId=frame)["result"]
        != (session.evaluate("node", frameId=other)["result"])
    )
    assert session.request("scopes", frameId=frame)["scopes"][0]["name"] == "Outputs"
    move(session, "stepOut")
    assert session.evaluate("node", frameId=frame)["result"]
    move(session, "next")
    for stale in (frame, other):
        assert "has gone on" in session.refused("scopes", frameId=stale)
        assert "has gone on" in session.refused("evaluate", expression="1", frameId=stale)
        assert session.request("completions", frameId=stale, text="v", column=2)["targets"] == []
        assert "has gone on" in session.refused(
            "graphdebugTensor", frameId=stale, expression="value", mode="values"
        )
    session.client.send("variables", variablesReference=scopes["Outputs"]["variablesReference"])
    assert session.locals()["offset"]["value"] == "5"
    # The next run has a record of its own.
    move(session, "continue")
    assert move(session, "stepIn")["description"] == REPLAY
    session.set_breakpoints(STATE, [])
    session.cont()
    assert session.wait_for_exit() == 0


def test_what_is_asked_in_the_console_leaves_the_record(session: Session) -> None:
    """A run of the graph that the user asks for at a place is none of the program's steps there."""
    walking(session)
    move(session, "continue")
    before = session.evaluate("node, value.tobytes()")["result"]
    assert session.evaluate("float(session.run(total, feeds)) > 0")["result"] == "True"
    assert session.evaluate("node, value.tobytes()")["result"] == before
    assert move(session, "stepBack")["description"] == REPLAY
    assert move(session, "stepOut")["description"] == BOUNDARY
    session.set_breakpoints(STATE, [])
    session.cont()
    assert session.wait_for_exit() == 0


def test_two_threads_at_boundaries_of_one_line(session: Session) -> None:
    session.launch(program=THREADS, breakpoints={THREADS: [line(THREADS, "squared")]})
    seen = {}
    for _ in range(2):
        stop = to_boundary(session)
        assert session.place() == ("replay_threads.py", line(THREADS, "run"))
        thread = stop["threadId"]
        value = session.evaluate("value")["result"]
        move(session, "reverseContinue")
        assert session.frame()["line"] == line(THREADS, "squared")
        seen[thread] = (value, session.evaluate("int(squared)")["result"])
        assert move(session, "stepOut")["threadId"] == thread
        session.cont()
    assert sorted(seen.values()) == [("3", "9"), ("4", "16")]
    assert session.wait_for_exit() == 0
    assert session.output("stdout") == "[(3, 9), (4, 16)]\n"


def test_the_other_thread_is_where_it_was(session: Session) -> None:
    """A walk is of one thread; the stacks of the others are debugpy's."""
    session.launch(program=THREADS, breakpoints={THREADS: [line(THREADS, "squared")]})
    stop = to_boundary(session)
    move(session, "stepBack")
    for thread in session.request("threads")["threads"]:
        replayed = [item for item in session.stack(thread["id"]) if item["id"] >= 1 << 30]
        assert len(replayed) == (thread["id"] == stop["threadId"])
    assert move(session, "next")["description"] == BOUNDARY
    session.set_breakpoints(THREADS, [])
    session.cont()
    session.next_stop() and session.cont()  # the other thread may have announced its stop already
    assert session.wait_for_exit() == 0
