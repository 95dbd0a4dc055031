"""Function breakpoints ``node:PATTERN`` on TensorFlow's nodes: eager, at the boundary, inside."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from support.dap import Session, Start
from support.live import ENVIRONMENT, bare
from support.markers import mark_at, program

pytestmark = pytest.mark.frameworks

NAMED = program("tf_named.py")
Place = tuple[str, str, str]


def messages(session: Session) -> dict[int, str]:
    """What each function breakpoint was last said to do."""
    told = [event["breakpoint"] for event in session.transcript.events("breakpoint")]
    return {item["id"]: item["message"] for item in told}


def launched(start: Start, functions: list[Any], how: str) -> tuple[Session, list[dict[str, Any]]]:
    session = start("graphdebug", environment=ENVIRONMENT, timeout=120)
    session.launch(program=NAMED, staticGraphs=how, functions=functions)
    return session, session.functions


def eager_stops(session: Session) -> Counter[Place]:
    """The stops at eager operations, up to the first of another kind or the end."""
    found: Counter[Place] = Counter()
    while (stop := session.next_stop()) is not None and stop["description"] == "Operation":
        assert stop["reason"] == "function breakpoint" and stop["hitBreakpointIds"]
        phase = "backward" if " in backward, before it runs" in stop["text"] else "forward"
        found[session.frame()["name"], phase, mark_at(NAMED, session.place()[1])] += 1
        if session.frame()["name"] == "squared":
            assert session.evaluate("tuple(inputs[0].shape)")["result"] == "(1, 2)"
            assert session.evaluate("op_type")["result"] == "'Square'"
            assert session.evaluate("phase")["result"] == "'forward'"
        session.cont()
    return found


EAGER = {
    ("MatMul", "forward", "eager"): 1,
    ("MatMul", "backward", "gradient"): 1,
    ("squared", "forward", "square"): 1,
}
FUNCTIONS = [
    "node:MatMul",
    {"name": "node:Tanh", "condition": "value[0][0] > 0.9"},
    "node:while/Add*",
    {"name": "node:Square", "condition": "y.shape[0] == 1"},
    {"name": "node:squared", "condition": "phase == 'backward'"},
    "node:Matmull",
]


def test_they_stop_at_eager_operations_and_at_the_boundary(start: Start) -> None:
    session, answers = launched(start, FUNCTIONS, "boundary")
    assert all(item["verified"] for item in answers)
    assert all("once its run is over" in item["message"] for item in answers)
    ids = {item["id"]: number for number, item in enumerate(answers)}
    assert eager_stops(session) == EAGER

    stop = session.transcript.events("stopped")[-1]
    assert (stop["reason"], stop["description"]) == ("function breakpoint", "Graph boundary")
    assert mark_at(NAMED, session.place()[1]) == "call"
    assert {ids[item] for item in stop["hitBreakpointIds"]} == {0, 1}
    assert "1 execution of MatMul (node:MatMul)" in stop["text"], stop["text"]
    assert "(node:Tanh)" in stop["text"]
    # Through the record, from one node that they stop at to the next.
    session.request("stepIn", threadId=session.thread)
    session.wait_for_stop()
    session.cont()
    assert session.wait_for_stop()["description"] == "Graph replay"
    assert "Tanh [" in session.frame()["name"]
    assert float(session.evaluate("value[0][0]")["result"].split("(")[-1].rstrip(")")) > 0.9
    session.set_function_breakpoints(["node:MatMul"])
    session.cont()
    session.wait_for_stop()
    assert "MatMul [0]" in session.frame()["name"]
    session.set_function_breakpoints(FUNCTIONS)
    session.request("stepOut", threadId=session.thread)
    session.wait_for_stop()
    session.cont()

    stop = session.wait_for_stop()
    assert mark_at(NAMED, session.place()[1]) == "run"
    assert {ids[item] for item in stop["hitBreakpointIds"]} == {2}
    assert "of while/Add" in stop["text"] and "(node:while/Add*)" in stop["text"]
    session.cont()
    assert session.wait_for_exit() == 0
    said = {ids[number]: text for number, text in messages(session).items()}
    assert said[0].startswith("boundary: it is on 1 node (MatMul) of the graph that compiled")
    assert "of the graph that Session.run (tf_named.py:" in said[2]
    assert said[5].startswith("never: no node")
    told = [event["breakpoint"] for event in session.transcript.events("breakpoint")]
    assert any("; there are MatMul" in item["message"] for item in told if ids[item["id"]] == 5)
    assert session.output("stdout") == bare(NAMED)
    assert not session.transcript.events("graphdebugAlert")


def test_they_stop_inside_running_graphs(start: Start) -> None:
    session, answers = launched(start, FUNCTIONS, "node")
    ids = {item["id"]: number for number, item in enumerate(answers)}
    assert eager_stops(session) == EAGER
    stop, found = session.transcript.events("stopped")[-1], []
    while stop is not None:
        assert (stop["reason"], stop["description"]) == ("function breakpoint", "Graph node")
        (number,) = {ids[item] for item in stop["hitBreakpointIds"]}
        found.append((number, mark_at(NAMED, session.place()[1])))
        if number == 1:
            assert session.evaluate("bool(value[0][0] > 0.9)")["result"] == "True"
        session.cont()
        stop = session.next_stop()
    looped = [place for place in found if place[0] == 2]
    assert found == [*[(1, "tanh")] * found.count((1, "tanh")), (0, "inside"), *looped]
    assert found.count((1, "tanh")) in (1, 2) and {"added", "counted"} >= {
        mark for _, mark in looped
    }
    assert looped.count((2, "added")) == 4
    said = {ids[number]: text for number, text in messages(session).items()}
    assert said[0].startswith("node: it stops inside of the running graph that compiled")
    assert said[2].startswith(
        "node: it stops inside of the running graph that Session.run (tf_named"
    )
    assert session.output("stdout") == bare(NAMED)
    assert not session.transcript.events("graphdebugAlert")
