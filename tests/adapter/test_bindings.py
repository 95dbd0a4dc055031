"""What a breakpoint's message promises is what happens."""

from __future__ import annotations

from collections import Counter

import pytest
from support.dap import Session, Start
from support.markers import line, program

pytestmark = pytest.mark.frameworks

TORCH = program("bindings_torch.py")
TENSORFLOW = program("bindings_tensorflow.py")


def promised_and_seen(
    session: Session, path: str, marks: list[str], *args: str
) -> tuple[dict[str, str], Counter[tuple[str, str]]]:
    """The kinds that the breakpoints were answered with, and the stops at each: mark and description."""
    lines = {line(path, mark): mark for mark in marks}
    session.launch(program=path, args=list(args), breakpoints={path: list(lines)})
    messages = [item["message"] for item in session.breakpoints[path]]
    kinds = {
        mark: message.partition(":")[0]
        for mark, message in zip(lines.values(), messages, strict=True)
    }
    ids = {
        item["id"]: mark
        for item, mark in zip(session.breakpoints[path], lines.values(), strict=True)
    }
    seen: Counter[tuple[str, str]] = Counter()
    while (stop := session.next_stop()) is not None:
        for id in stop["hitBreakpointIds"]:
            seen[ids[id], stop.get("description", "")] += 1
        session.request("continue", threadId=stop["threadId"])
    return kinds, seen


def test_torch(start: Start, graphdebug_adapter: str) -> None:
    session = start(graphdebug_adapter, timeout=120)
    kinds, seen = promised_and_seen(session, TORCH, ["compiled", "traced", "scripted", "plain"])
    assert kinds == {
        "compiled": "boundary", "traced": "boundary", "scripted": "boundary", "plain": "line",
    }  # fmt: skip
    # torch.jit.trace runs the function again to check what it traced.
    assert seen.pop(("traced", "")) >= 1
    assert seen == {
        ("compiled", "Graph boundary"): 3,
        ("traced", "Graph boundary"): 3,
        ("scripted", "Graph boundary"): 3,
        ("plain", ""): 3,
    }


def test_tensorflow(start: Start, graphdebug_adapter: str) -> None:
    session = start(graphdebug_adapter, timeout=120)
    marks = ["both", "converted", "unconverted", "eager"]
    kinds, seen = promised_and_seen(session, TENSORFLOW, marks)
    assert kinds == {
        "both": "boundary", "converted": "boundary", "unconverted": "boundary", "eager": "line",
    }  # fmt: skip
    assert seen == {
        ("both", "Graph boundary"): 2,
        ("both", ""): 2,
        ("converted", "Graph boundary"): 2,
        ("unconverted", "Building graph"): 1,
        ("unconverted", "Graph boundary"): 2,
        ("eager", ""): 2,
    }


def test_a_promise_is_corrected(start: Start, graphdebug_adapter: str) -> None:
    """The source says ``tf.function``; a switch that it can't see says otherwise."""
    path = program("bindings_switched.py")
    session = start(graphdebug_adapter, timeout=120)
    kinds, seen = promised_and_seen(session, path, ["body"])
    assert kinds == {"body": "boundary"}
    assert seen == {("body", ""): 2}
    (event,) = session.client.pending_events("breakpoint")
    assert event["breakpoint"]["message"].startswith("line: ")


def test_helpers_in_other_files_are_corrected(start: Start, graphdebug_adapter: str) -> None:
    """No static look at one file can know that another one's graph calls it."""
    helper = program("bindings_helper.py")
    session = start(graphdebug_adapter, timeout=120)
    session.launch(
        program=program("bindings_caller.py"), breakpoints={helper: [line(helper, "helper")]}
    )
    (answer,) = session.breakpoints[helper]
    assert answer["message"].startswith("line: ")
    stop = session.wait_for_stop()
    assert stop["hitBreakpointIds"] == [answer["id"]]
    event = session.client.wait_for_event("breakpoint")
    assert event["breakpoint"]["message"].startswith("boundary: ")
    session.cont()
    assert session.wait_for_exit() == 0


@pytest.mark.parametrize("just_my_code", [True, False])
def test_a_batch_of_fit_stops_when_it_is_over(
    start: Start, graphdebug_adapter: str, just_my_code: bool
) -> None:
    """Library code lies between the user's frame and the graph: the stop must not come later."""
    path = program("bindings_keras.py")
    session = start(graphdebug_adapter, timeout=120)
    session.launch(program=path, breakpoints={path: [line(path, "call")]}, justMyCode=just_my_code)
    done = []
    while True:
        stop = session.wait_for_stop()
        frame = session.frame()
        if stop.get("description") == "Graph boundary":
            assert (frame["name"].rpartition(".")[2], frame["line"]) == ("train", line(path, "fit"))
            assert session.locals()["count"]["value"] == "3"
            done.append(session.evaluate("int(model.optimizer.iterations.numpy())")["result"])
        else:
            assert "symbolic" in stop["text"]
        session.request("continue", threadId=stop["threadId"])
        if len(done) == 3:
            break
    assert session.wait_for_exit() == 0
    assert done == ["1", "2", "3"]
