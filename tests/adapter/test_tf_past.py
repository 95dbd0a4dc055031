"""Stepping back from a live stop, through what eager TensorFlow ran last."""

from __future__ import annotations

import pytest
from support.dap import Start
from support.live import ENVIRONMENT, bare
from support.markers import line, mark_at, program
from support.replay import move

pytestmark = pytest.mark.frameworks

PAST, CALLBACK = program("tf_past.py"), program("tf_callback.py")
TITLE = "Step replay"


def test_back_through_the_last_steps_and_on_again(start: Start) -> None:
    session = start("graphdebug", environment=ENVIRONMENT, timeout=120)
    at_report = {"line": line(PAST, "report"), "condition": "epoch == 2"}
    session.launch(program=PAST, capture="values", breakpoints={PAST: [at_report]})
    session.wait_for_stop("breakpoint")
    steps = session.request("graphdebugSteps")["steps"]
    assert [step["name"] for step in steps] == ["SGD.apply_gradients"] * 3
    nodes = [
        node
        for step in (2, 1)
        for node in reversed(session.request("graphdebugNodes", step=step)["nodes"])
        if node.get("source")
    ]
    assert {node["phase"] for node in nodes} == {"forward", "backward", "optimizer"}
    assert all(step["backwardNodes"] and step["forwardNodes"] for step in steps)

    walked = []
    for node in nodes:
        assert move(session, "stepBack")["description"] == TITLE
        frame = session.frame()
        assert frame["name"].startswith(f"{node['name']} [{node['iteration']}]")
        assert f"{node['phase']}, step {node['step']}" in frame["name"]
        assert frame["line"] == node["source"]["line"]
        walked.append((node["name"], node["phase"], mark_at(PAST, frame["line"])))
        (value, *_) = [tensor.get("value") for tensor in node["outputs"]] or [None]
        if node["name"] == "MatMul" and node["phase"] == "forward":
            assert node["outputs"][0]["shape"] == [2, 1] and value is not None
            found = session.evaluate("[round(float(item[0]), 5) for item in value]")["result"]
            assert found == str([round(item[0], 5) for item in value]), (found, value)
    # A gradient's operations stand on the line of what they differentiate.
    assert ("MatMul", "forward", "hidden") in walked and ("MatMul", "backward", "hidden") in walked
    assert any(mark == "loss" and phase == "backward" for _, phase, mark in walked)
    assert any(mark == "apply" and phase == "optimizer" for _, phase, mark in walked)
    forward = [node for node in nodes if node.get("forwardNode") is not None]
    assert forward and all(node["phase"] == "backward" for node in forward)

    session.set_breakpoints(PAST, [line(PAST, "hidden")])
    assert move(session, "continue")["description"] == TITLE
    assert session.frame()["line"] == line(PAST, "hidden")
    stop = move(session, "stepOut")
    assert stop["text"] == "back where the program stands"
    assert session.place()[1] == line(PAST, "report")
    session.set_breakpoints(PAST, [])
    session.cont()
    assert session.wait_for_exit() == 0
    assert session.output("stdout") == bare(PAST)
    assert not session.transcript.events("graphdebugAlert")


def test_what_keras_runs_between_batches_is_not_the_programs(start: Start) -> None:
    session = start("graphdebug", environment=ENVIRONMENT, timeout=120)
    at_report = {"line": line(CALLBACK, "report"), "condition": "batch == 3"}
    places = [at_report, {"line": line(CALLBACK, "after")}]
    session.launch(program=CALLBACK, breakpoints={CALLBACK: places})
    session.wait_for_stop("breakpoint")
    for _ in range(3):
        assert move(session, "stepBack")["description"] == TITLE
        frame = session.frame()
        assert frame["line"] == line(CALLBACK, "double")
        assert frame["name"].startswith("AddV2 [")
    assert move(session, "stepOut")["text"] == "back where the program stands"
    session.cont()
    session.wait_for_stop("breakpoint")
    session.cont()
    assert session.wait_for_exit() == 0
    assert session.output("stdout") == bare(CALLBACK)
