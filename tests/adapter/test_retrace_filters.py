"""Exception filters of graphdebug's own: stops at retraces, recompiles, and every graph boundary."""

from __future__ import annotations

from typing import Any

import pytest
from support.dap import Session, Start
from support.markers import line, program

pytestmark = pytest.mark.frameworks

TORCH = program("recompiles.py")
TENSORFLOW = program("retraces.py")
RETRACE, BOUNDARY = "graphdebug.retrace", "graphdebug.boundary"


def told(session: Session) -> list[dict[str, Any]]:
    """All alerts so far."""
    return [event["alert"] for event in session.client.pending_events("graphdebugAlert")]


def test_ours_are_offered_and_debugpy_never_sees_them(
    start: Start, graphdebug_adapter: str
) -> None:
    path = program("errors.py")
    session = start(graphdebug_adapter)
    offered = [item["filter"] for item in session.initialize()["exceptionBreakpointFilters"]]
    assert offered[-3:] == [BOUNDARY, RETRACE, "graphdebug.nan"] and "uncaught" in offered
    session.launch(program=path, filters=["raised"], stopOnEntry=True)
    session.wait_for_stop("entry")
    filters = [RETRACE, "raised", BOUNDARY]
    answer = session.request("setExceptionBreakpoints", filters=filters)
    assert [item["verified"] for item in answer["breakpoints"]] == [True] * 3
    session.cont()
    session.wait_for_stop("exception")
    assert session.request("exceptionInfo", threadId=session.thread)["exceptionId"] != RETRACE
    session.request("setExceptionBreakpoints", filters=[])
    session.cont()
    session.client.wait_for_event("terminated")


def test_a_recompilation_stops_where_the_function_was_called(
    start: Start, graphdebug_adapter: str
) -> None:
    session = start(graphdebug_adapter, timeout=120)
    session.launch(program=TORCH, filters=[RETRACE])
    stop = session.wait_for_stop("exception")
    assert stop["description"] == "Recompile"
    assert session.place()[1] == line(TORCH, "size")
    info = session.request("exceptionInfo", threadId=session.thread)
    assert (info["exceptionId"], info["description"]) == (RETRACE, stop["text"])
    assert session.locals()["n"]["value"] == "1"
    session.request("setExceptionBreakpoints", filters=[])
    session.cont()
    assert session.wait_for_exit() == 0


def test_why_it_was_compiled_again(start: Start, graphdebug_adapter: str) -> None:
    session = start(graphdebug_adapter, timeout=120)
    session.launch(program=TORCH)
    assert session.wait_for_exit() == 0
    alerts = {alert["source"]["line"]: alert for alert in told(session)}
    said = {mark: alerts[line(TORCH, mark)]["message"] for mark in MARKS}
    assert {alert["kind"] for alert in alerts.values()} == {"recompile"}
    for mark, words in MARKS.items():
        assert all(word in said[mark] for word in words), said[mark]
    limit = alerts[line(TORCH, "limit")]["message"]
    assert "was compiled 8 times, which is dynamo's limit (recompile_limit)" in limit
    assert "run eagerly" in limit


MARKS = {
    "size": [
        "function was compiled again: argument 'a' was a float32 tensor of shape (3,)",
        "(4,)",
    ],
    "dtype": ["argument 'a' was a float32 tensor", "is a float64 tensor"],
    "rank": ["of shape (2, 3)"],
    "value": ["argument 'n' was the value 1 and is the value 2"],
    "type": ["argument 'n' was the value", "is the value 'x'"],
    "grad": ["whether gradients are recorded", "changed"],
    "attribute": ["self.factor was 1 and is 2"],
}


def test_a_retrace_stops_where_the_function_was_called(
    start: Start, graphdebug_adapter: str
) -> None:
    session = start(graphdebug_adapter, timeout=120)
    session.launch(program=TENSORFLOW, filters=[RETRACE])
    stop = session.wait_for_stop("exception")
    assert stop["description"] == "Retrace"
    assert session.place()[1] == line(TENSORFLOW, "shape")
    assert "argument 'x' was" in stop["text"] and "(2,)" in stop["text"]
    info = session.request("exceptionInfo", threadId=session.thread)
    assert info["exceptionId"] == RETRACE
    session.cont()
    stop = session.wait_for_stop("exception")
    assert session.place()[1] == line(TENSORFLOW, "value")
    assert "Python value" in stop["text"]
    session.cont()
    assert session.wait_for_exit() == 0


@pytest.mark.parametrize(
    ("path", "marks"), [(TORCH, ["first", "size"]), (TENSORFLOW, ["first", "shape"])]
)
def test_every_boundary_stops(
    start: Start, graphdebug_adapter: str, path: str, marks: list[str]
) -> None:
    """Set before the program runs, removed while it does."""
    session = start(graphdebug_adapter, timeout=120)
    session.launch(program=path, filters=[BOUNDARY])
    for mark in marks:
        stop = session.wait_for_stop("breakpoint")
        assert stop["description"] == "Graph boundary"
        assert session.place()[1] == line(path, mark)
        if mark != marks[-1]:
            session.cont()
    session.request("setExceptionBreakpoints", filters=[])
    session.cont()
    assert session.wait_for_exit() == 0


def test_a_filter_set_while_the_program_runs(start: Start, graphdebug_adapter: str) -> None:
    session = start(graphdebug_adapter, timeout=120)
    session.launch(program=TORCH, breakpoints={TORCH: [line(TORCH, "value")]})
    session.wait_for_stop()
    options = [{"filterId": RETRACE}]
    body = session.request("setExceptionBreakpoints", filters=[], filterOptions=options)
    assert [item["verified"] for item in body["breakpoints"]] == [True]
    session.set_breakpoints(TORCH, [])
    session.cont()
    stop = session.wait_for_stop("exception")
    assert "argument 'n' was the value 1 and is the value 2" in stop["text"]
    session.request("setExceptionBreakpoints", filters=[])
    session.cont()
    assert session.wait_for_exit() == 0
