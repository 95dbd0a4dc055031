"""The requests that hang debugpy's adapter for good get an answer here, at any time."""

from __future__ import annotations

from typing import Any

import pytest
from support.dap import Session, Start
from support.markers import line, program

from graphdebug.transport.dap import RequestFailed

LOOP = program("loop.py")
LIMIT = 1.0
"""Seconds that an answer may take."""

HANGING: dict[str, dict[str, Any]] = {
    "cancel": {"requestId": 1},
    "breakpointLocations": {"source": {"path": LOOP}, "line": 1, "endLine": 20},
    "dataBreakpointInfo": {"name": "first", "variablesReference": 3},
    "disassemble": {"memoryReference": "0x1", "instructionCount": 1},
    "loadedSources": {},
    "readMemory": {"memoryReference": "0x1", "count": 1},
    "restartFrame": {"frameId": 1},
    "stepBack": {"threadId": 1},
    "reverseContinue": {"threadId": 1},
}
OTHERS: dict[str, dict[str, Any]] = {
    "noSuchRequest": {"some": "argument"},
    "restart": {},
    "runInTerminal": {"args": ["true"], "cwd": "/"},
    "startDebugging": {"request": "launch", "configuration": {}},
    "terminated": {},
    "setDataBreakpoints": {"breakpoints": []},
    "setInstructionBreakpoints": {"breakpoints": []},
    "terminateThreads": {"threadIds": [1]},
    "writeMemory": {"memoryReference": "0x1", "data": "AA=="},
    "graphdebugNoSuchRequest": {},
}
"""Other requests that debugpy doesn't have; several hang it too."""

each_request = pytest.mark.parametrize(
    ("command", "arguments"), [*HANGING.items(), *OTHERS.items()], ids=[*HANGING, *OTHERS]
)


@pytest.fixture(scope="module")
def early(start_shared: Start, graphdebug_adapter: str) -> Session:
    """A session before launch."""
    s = start_shared(graphdebug_adapter)
    s.initialize()
    return s


@pytest.fixture(scope="module")
def stopped(start_shared: Start, graphdebug_adapter: str) -> Session:
    """A session at a breakpoint."""
    s = start_shared(graphdebug_adapter, timeout=5.0)
    s.launch(program=LOOP, breakpoints={LOOP: [line(LOOP, "step")]})
    s.wait_for_stop("breakpoint")
    return s


@pytest.fixture(params=["early", "stopped"])
def session(request: pytest.FixtureRequest) -> Session:
    """Before launch, and while the program is stopped."""
    found: Session = request.getfixturevalue(request.param)
    return found


def ask(s: Session, command: str, arguments: dict[str, Any]) -> dict[str, Any] | str:
    """The body of the answer, or the message of the error, within the limit."""
    try:
        return s.client.send(command, **arguments).wait(timeout=LIMIT)
    except RequestFailed as error:
        return str(error)


@each_request
def test_every_request_is_answered(
    session: Session, command: str, arguments: dict[str, Any]
) -> None:
    answer = ask(session, command, arguments)
    if isinstance(answer, str):
        assert answer and "Traceback" not in answer and "\n" not in answer.strip()


@pytest.mark.parametrize("command", ["disassemble", "readMemory", "restartFrame"])
def test_what_python_has_not_is_refused(session: Session, command: str) -> None:
    assert isinstance(ask(session, command, HANGING[command]), str)


@pytest.mark.parametrize("command", ["stepBack", "reverseContinue"])
def test_stepping_back_where_nothing_is_recorded_is_refused(stopped: Session, command: str) -> None:
    assert isinstance(ask(stopped, command, HANGING[command]), str)
    assert stopped.place() == ("loop.py", line(LOOP, "step"))


def test_breakpoint_locations_are_lines_that_can_stop(stopped: Session) -> None:
    answer = ask(stopped, "breakpointLocations", HANGING["breakpointLocations"])
    assert isinstance(answer, dict)
    lines = {location["line"] for location in answer["breakpoints"]}
    assert {line(LOOP, mark) for mark in ("step", "return", "main", "call", "print")} <= lines
    assert 2 not in lines and all(1 <= number <= 20 for number in lines)


def test_no_data_breakpoint_is_offered(stopped: Session) -> None:
    answer = ask(stopped, "dataBreakpointInfo", HANGING["dataBreakpointInfo"])
    assert isinstance(answer, dict) and answer["dataId"] is None and answer["description"]


def test_the_session_is_as_good_as_before(stopped: Session) -> None:
    for command, arguments in {**HANGING, **OTHERS}.items():
        ask(stopped, command, arguments)
    assert stopped.locals()["first"]["value"] == "0"
    assert stopped.step("next") == ("loop.py", line(LOOP, "second"))
    assert stopped.locals()["first"]["value"] == "2"
    stopped.cont()
    stopped.wait_for_stop("breakpoint")
