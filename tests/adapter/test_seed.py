"""The seed's two loops: what a breakpoint in the body does in each of the frameworks."""

from __future__ import annotations

import time
from typing import Any

import pytest
from support.dap import Session, Start
from support.markers import line, program
from support.processes import wait_until

pytestmark = pytest.mark.frameworks


HELD = 1.0
"""Seconds for which one of the stops is looked at."""


def stops(session: Session, held: int = -1) -> list[dict[str, Any]]:
    """Continue through the program, and note what each stop shows; one of them is long."""
    seen: list[dict[str, Any]] = []
    while (stop := session.next_stop()) is not None:
        frame = session.request("stackTrace", threadId=stop["threadId"])["stackFrames"][0]
        scopes = {
            scope["name"]: session.request(
                "variables", variablesReference=scope["variablesReference"]
            )["variables"]
            for scope in session.request("scopes", frameId=frame["id"])["scopes"]
        }
        if len(seen) == held:
            until = time.monotonic() + HELD
            wait_until(lambda: time.monotonic() > until, "some time to pass")  # noqa: B023
        seen.append({**stop, "frame": frame, "scopes": scopes})
        session.request("continue", threadId=stop["threadId"])
    return seen


def test_torch_stops_in_each_iteration(start: Start, graphdebug_adapter: str) -> None:
    path = program("seed_torch.py")
    session = start(graphdebug_adapter, timeout=120)
    session.launch(program=path, breakpoints={path: [line(path, "add")]})
    (breakpoint,) = session.breakpoints[path]
    assert breakpoint["message"].startswith("line: ")
    seen = stops(session, held=5)
    values = [
        variable["value"]
        for stop in seen
        for variable in stop["scopes"]["Locals"]
        if variable["name"] == "first_counter"
    ]
    assert values == [f"float32 (1,) cpu [{float(n)}]" for n in range(0, 20, 2)]
    steps = session.request("graphdebugSteps")
    assert steps["total"] == 10
    assert {step["kind"] for step in steps["steps"]} == {"eager"}
    assert max(step["durationNs"] for step in steps["steps"]) < HELD * 1e9, "a stop is no step"
    state = session.request("graphdebugState")
    assert [(item["name"], item["active"]) for item in state["backends"]] == [("torch", True)]
    nodes = session.request("graphdebugNodes", step=3, path=path, line=line(path, "add"))["nodes"]
    assert [node["opType"] for node in nodes] == ["aten::add_"]
    assert nodes[0]["outputs"][0]["shape"] == [1]
    assert session.output("stdout") == "tensor([20.])\ntensor([20.])\n"


@pytest.mark.parametrize("control_flow", ["v1", "v2"])
def test_tensorflow_stops_while_building_and_at_the_boundary(
    start: Start, graphdebug_adapter: str, control_flow: str
) -> None:
    path = program("seed_tensorflow.py")
    add = line(path, "add")
    session = start(graphdebug_adapter, timeout=120)
    session.launch(program=path, args=[control_flow], breakpoints={path: [add]})
    (breakpoint,) = session.breakpoints[path]
    assert breakpoint["message"].startswith("boundary: ")
    assert "tf.while_loop" in breakpoint["message"]

    building, boundary = stops(session, held=1)
    assert building["frame"]["line"] == add
    assert "symbolic" in building["text"]
    shown = {item["name"]: item["value"] for item in building["scopes"]["Locals"]}
    assert shown["first_counter"].startswith("int32 () symbolic")

    assert boundary["frame"]["line"] == line(path, "run")
    assert boundary["frame"]["name"] == "<module>"
    assert boundary["hitBreakpointIds"] == [breakpoint["id"]]
    assert "10 executions" in boundary["text"]
    (graph,) = (v for name, v in boundary["scopes"].items() if name.startswith("Graph run"))
    assert [item["value"] for item in graph] == [
        f"int32 () /device:CPU:0 {n}" for n in range(2, 21, 2)
    ]

    (step,) = session.request("graphdebugSteps")["steps"]
    assert (step["kind"], step["source"]["line"]) == ("session", line(path, "run"))
    assert 0 < step["durationNs"] < HELD * 1e9, "a stop is no step"
    nodes = session.request("graphdebugNodes", step=0, path=path, line=add)["nodes"]
    assert [node["outputs"][0]["value"] for node in nodes] == list(range(2, 21, 2))
    assert [node["iteration"] for node in nodes] == list(range(10))
    assert session.output("stdout") == "20\n20\n"


def test_a_condition_on_the_boundary_sees_the_values(start: Start, graphdebug_adapter: str) -> None:
    path = program("seed_tensorflow.py")
    add = {"line": line(path, "add"), "condition": "value == 8"}
    session = start(graphdebug_adapter, timeout=120)
    session.launch(program=path, args=["v2"], breakpoints={path: [add]})
    (boundary,) = stops(session)
    assert boundary["frame"]["line"] == line(path, "run")
    (graph,) = (v for name, v in boundary["scopes"].items() if name.startswith("Graph run"))
    assert [item["value"] for item in graph] == ["int32 () /device:CPU:0 8"]
