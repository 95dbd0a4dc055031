"""What debugpy does works through graphdebug unchanged: breakpoints, exceptions, steps, threads."""

from __future__ import annotations

import sys
from typing import Any

import pytest
from support.dap import Session, Start
from support.markers import line, program

COUNTED = program("counted.py")
ERRORS = program("errors.py")
CALLS = program("calls.py")
LOOP = program("loop.py")
THREADS = program("threads.py")
WAITS = program("waits.py")


def launched(start: Start, adapter: str, path: str, *marks: str, **config: Any) -> Session:
    """A session with plain breakpoints on the marked lines."""
    s = start(adapter)
    s.launch(program=path, breakpoints={path: [line(path, mark) for mark in marks]}, **config)
    return s


# Breakpoints


def test_condition_hit_count_and_log_message(adapter: str, start: Start) -> None:
    s = start(adapter)
    s.launch(
        program=COUNTED,
        breakpoints={
            COUNTED: [
                {"line": line(COUNTED, "conditional"), "condition": "i % 2 == 1"},
                {"line": line(COUNTED, "counted"), "hitCondition": "% 3"},
                {"line": line(COUNTED, "logged"), "logMessage": "i is {i}, twice {i * 2}"},
            ]
        },
    )
    assert all(b["verified"] for b in s.breakpoints[COUNTED])
    assert [b["line"] for b in s.breakpoints[COUNTED]] == [
        line(COUNTED, mark) for mark in ("conditional", "counted", "logged")
    ]
    seen = []
    for _ in range(5):
        s.wait_for_stop("breakpoint")
        seen.append((s.place()[1], s.evaluate("i")["result"]))
        s.cont()
    conditional, counted = line(COUNTED, "conditional"), line(COUNTED, "counted")
    assert seen == [
        (conditional, "1"),
        (conditional, "3"),
        (conditional, "5"),
        (counted, "2"),
        (counted, "5"),
    ]
    assert s.wait_for_exit() == 0
    # Looked at one by one: the program's own output comes another way, and may come in between.
    logged = [e["output"] for e in s.transcript.events("output") if e["output"].startswith("i is")]
    assert logged == ["i is 0, twice 0\n", "i is 1, twice 2\n", "i is 2, twice 4\n"]


def test_a_condition_that_raises_is_reported(adapter: str, start: Start) -> None:
    s = start(adapter)
    condition = {"line": line(COUNTED, "conditional"), "condition": "i + 'x' == 1"}
    s.launch(program=COUNTED, breakpoints={COUNTED: [condition]})
    assert s.wait_for_exit() == 0
    assert s.output("important").count("conditional breakpoint: i + 'x' == 1") == 6
    assert s.output("important").count("TypeError") == 6


def test_function_breakpoints(adapter: str, start: Start) -> None:
    s = start(adapter)
    s.launch(program=COUNTED, functions=["named"])
    for index in range(2):
        s.wait_for_stop("function breakpoint")
        assert s.frame()["name"] == "named"
        assert s.locals()["index"]["value"] == str(index)
        s.cont()
    assert s.wait_for_exit() == 0


def test_breakpoints_change_while_the_program_is_stopped(adapter: str, start: Start) -> None:
    s = launched(start, adapter, LOOP, "step")
    s.wait_for_stop("breakpoint")
    s.set_breakpoints(LOOP, [{"line": line(LOOP, "return"), "condition": "first == 6"}])
    s.cont()
    s.wait_for_stop("breakpoint")
    assert s.place()[1] == line(LOOP, "return")
    assert s.locals()["first"]["value"] == "6"
    s.set_breakpoints(LOOP, [])
    s.cont()
    assert s.wait_for_exit() == 0


def test_a_breakpoint_in_a_file_that_is_not_there(adapter: str, start: Start) -> None:
    missing = "/nowhere/missing.py"
    s = start(adapter)
    s.launch(program=LOOP, breakpoints={missing: [3], LOOP: [line(LOOP, "print")]})
    (answer,) = s.breakpoints[missing]
    assert answer["verified"] is False and answer["message"]
    s.wait_for_stop("breakpoint")


# Exceptions


def test_exception_filters(adapter: str, start: Start) -> None:
    s = start(adapter)
    s.launch(program=ERRORS, filters=["raised"])
    expected = [
        ("handled", "ValueError", "handled here", "always", "userUnhandled"),
        ("escapes", "KeyError", "escapes into json", "always", "uncaught"),
        ("uncaught", "RuntimeError", "nobody handles this", "unhandled", None),
    ]
    for mark, kind, text, mode, following in expected:
        stopped = s.wait_for_stop("exception")
        assert stopped["threadId"] == s.thread and kind in stopped["text"]
        assert s.place() == ("errors.py", line(ERRORS, mark))
        info = s.request("exceptionInfo", threadId=s.thread)
        assert kind in info["exceptionId"]
        assert text in info["description"]
        assert info["breakMode"] == mode
        assert kind in info["details"]["typeName"]
        assert "errors.py" in info["details"]["stackTrace"]
        if following:
            s.request("setExceptionBreakpoints", filters=[following])
        s.cont()
    assert s.wait_for_exit() == 1
    assert "nobody handles this" in s.output("stderr")


def test_no_exception_filter_no_stop(adapter: str, start: Start) -> None:
    s = start(adapter)
    s.launch(program=ERRORS)
    assert s.wait_for_exit() == 1
    assert not s.transcript.events("stopped")


# Steps


def test_steps(adapter: str, start: Start) -> None:
    s = launched(start, adapter, CALLS, "calls")
    s.wait_for_stop("breakpoint")
    file, inner, outer = "calls.py", line(CALLS, "inner"), line(CALLS, "outer")
    assert s.step("stepIn") == (file, inner)
    assert s.locals()["value"]["value"] == "1"
    assert s.step("stepOut") == (file, line(CALLS, "calls"))
    assert s.step("stepIn") == (file, outer)
    assert s.step("stepOut") == (file, line(CALLS, "calls"))
    assert s.step("next") == (file, line(CALLS, "result"))
    assert s.locals()["result"]["value"] == "7"
    assert s.step("next") == (file, line(CALLS, "jump"))
    s.cont()
    assert s.wait_for_exit() == 0


def test_step_into_a_target(adapter: str, start: Start) -> None:
    s = launched(start, adapter, CALLS, "calls")
    s.wait_for_stop("breakpoint")
    targets = s.request("stepInTargets", frameId=s.frame()["id"])["targets"]
    labels = [target["label"] for target in targets]
    # Python 3.10 doesn't say which columns an instruction stands for.
    exact = sys.version_info >= (3, 11)
    assert labels[:2] == (["inner(1)", "outer(inner(1))"] if exact else ["inner", "outer"])
    outer = targets[1]
    assert s.step("stepIn", targetId=outer["id"]) == ("calls.py", line(CALLS, "outer"))


def test_goto(adapter: str, start: Start) -> None:
    s = launched(start, adapter, CALLS, "skipped")
    s.wait_for_stop("breakpoint")
    (target,) = s.request(
        "gotoTargets", source={"path": CALLS}, line=line(CALLS, "last")
    )["targets"]  # fmt: skip
    assert target["line"] == line(CALLS, "last")
    s.request("goto", threadId=s.thread, targetId=target["id"])
    s.wait_for_stop("goto")
    assert s.place() == ("calls.py", line(CALLS, "last"))
    s.cont()
    assert s.wait_for_exit() == 0
    assert "taken ['first', 'last']\n" in s.output()


@pytest.mark.parametrize("just_my_code", [True, False])
def test_just_my_code(adapter: str, start: Start, just_my_code: bool) -> None:
    s = launched(start, adapter, ERRORS, "escapes", justMyCode=just_my_code)
    s.wait_for_stop("breakpoint")
    files = [frame["source"]["path"].rsplit("/", 2)[-2:] for frame in s.stack()]
    assert (["json", "__init__.py"] in files) is not just_my_code
    assert files[0] == ["programs", "errors.py"]


# Threads


def test_pause_threads_and_continue(adapter: str, start: Start) -> None:
    s = start(adapter)
    s.launch(program=WAITS)
    s.wait_for_output("ready\n")
    (main,) = s.request("threads")["threads"]
    assert main["name"] == "MainThread"
    s.request("pause", threadId=main["id"])
    stopped = s.wait_for_stop("pause")
    assert stopped["threadId"] == main["id"]
    turn = line(WAITS, "turn")
    while s.place()[1] != turn:
        s.step("next")
    s.request("setVariable", variablesReference=s.scopes()["Locals"]["variablesReference"],
              name="turns", value="-1000000")  # fmt: skip
    s.set_breakpoints(WAITS, [turn])
    s.cont()
    s.wait_for_stop("breakpoint")
    assert int(s.locals()["turns"]["value"]) < -900000


def test_threads_of_the_program(adapter: str, start: Start) -> None:
    s = launched(start, adapter, THREADS, "work")
    names = []
    for _ in range(5):
        s.wait_for_stop("breakpoint")
        threads = {t["id"]: t["name"] for t in s.request("threads")["threads"]}
        assert set(threads.values()) == {"MainThread", threads[s.thread]}
        names.append(threads[s.thread])
        assert s.frame()["name"] == "work"
        s.cont()
    assert names == ["first"] * 2 + ["second"] * 3
    assert s.wait_for_exit() == 0
    started = [e["threadId"] for e in s.transcript.events("thread") if e["reason"] == "started"]
    exited = [e["threadId"] for e in s.transcript.events("thread") if e["reason"] == "exited"]
    # Of the main thread debugpy says so only sometimes, before the process is gone.
    assert len(started) == 3 and set(started[1:]) <= set(exited) <= set(started)
