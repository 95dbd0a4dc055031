"""A job that a client does nothing with is not traced, and stops all the same."""

from __future__ import annotations

import sys

from support.dap import Session, Start
from support.jobs import Job, job
from support.markers import line, program
from support.processes import wait_until

TOLD = program("attached_told.py")
TRACES = sys.version_info < (3, 12)
"""Whether pydevd traces by ``sys.settrace``, as it does where Python has no ``sys.monitoring``."""


def stops_for(session: Session, text: str) -> None:
    """An uncaught error stops its thread at its line."""
    session.wait_for_stop("exception")
    frame = session.stack()[0]
    assert (frame["name"], frame["line"]) == ("fail", line(TOLD, "fail"))
    assert session.locals(frame)["text"]["value"] == repr(text)
    session.cont()


def after(told: Job, word: str) -> dict[str, bool]:
    """How it stands when it has done that."""
    told.tell(word)
    return told.stands()


def test_it_is_traced_only_while_something_is_asked_for(start: Start) -> None:
    with job("--listen", TOLD) as told:
        assert after(told, "nothing") == {"traced": False, "thread": False, "hooks": True}
        session = start("attach", options=[str(told.session.pid)], timeout=60)
        session.attach(filters=["uncaught"])
        resting = {"traced": False, "thread": False, "hooks": not TRACES}
        traced = {"traced": TRACES, "thread": TRACES, "hooks": True}
        assert after(told, "nothing") == resting

        # A breakpoint, in the main thread and in one that begins after it was set.
        session.set_breakpoints(TOLD, [{"line": line(TOLD, "turn"), "condition": "False"}])
        assert after(told, "work") == traced
        session.set_breakpoints(TOLD, [line(TOLD, "turn")])
        told.tell("nothing")
        for _ in range(2):
            session.wait_for_stop("breakpoint")
            assert session.place()[1] == line(TOLD, "turn")
            session.cont()
        assert told.stands() == traced
        session.set_breakpoints(TOLD, [])
        assert after(told, "work") == resting

        # Filters that need tracing.
        session.request("setExceptionBreakpoints", filters=["raised"])
        assert after(told, "work") == traced
        session.request("setExceptionBreakpoints", filters=["uncaught"])
        assert after(told, "work") == resting

        # Pause, a step, and on; the step stands until the next request asks how it is.
        (thread,) = [t for t in session.request("threads")["threads"] if t["name"] == "MainThread"]
        session.request("pause", threadId=thread["id"])
        told.tell("work")
        session.wait_for_stop("pause")
        session.step("next")
        session.cont()
        told.stands()
        assert after(told, "work") == resting

        # Errors that nobody catches, for which Python calls hooks; the program's own come after ours.
        told.tell("new")
        stops_for(session, "in a new thread")
        assert told.read() == "own hook: in a new thread"
        assert told.stands() == resting
        told.tell("old")
        stops_for(session, "in an old thread")
        assert told.read() == "own hook: in an old thread"
        assert told.stands() == resting
        session.request("setExceptionBreakpoints", filters=[])
        told.tell("new")
        assert told.read() == "own hook: in a new thread"
        assert told.stands() == resting
        session.request("setExceptionBreakpoints", filters=["uncaught"])
        # A hook of the program's that calls the one before, which was ours, and ours before it again.
        after(told, "hook")
        session.set_breakpoints(TOLD, [{"line": line(TOLD, "turn"), "condition": "False"}])
        session.set_breakpoints(TOLD, [])
        told.tell("main")
        stops_for(session, "in the main thread")
        assert told.read() == "chained"
        assert told.read() == "own hook: in the main thread"
        assert told.process.wait(20) == 1


def test_who_leaves_a_job_that_rests_leaves_its_hooks(start: Start) -> None:
    with job("--listen", TOLD) as told:
        before = after(told, "nothing")
        session = start("attach", options=[str(told.session.pid)], timeout=60)
        session.attach(filters=["uncaught"])
        after(told, "nothing")
        session.request("disconnect", terminateDebuggee=False)
        session.close()
        wait_until(lambda: after(told, "nothing") == before, "debugpy to be gone")
