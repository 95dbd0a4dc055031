"""Stepping back from a live stop, through what eager PyTorch ran last."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from support.dap import Session, Start
from support.markers import line, program
from support.replay import move

pytestmark = pytest.mark.frameworks

MLP = program("torch_past.py")
TITLE = "Step replay"
VALUES = "str([item.tolist() if hasattr(item, 'tolist') else item.text for item in outputs])"

Message = dict[str, Any]


def recorded(session: Session, steps: list[int]) -> list[Message]:
    """The nodes of steps that lines of the user's made, in order."""
    return [
        node
        for step in steps
        for node in session.request("graphdebugNodes", step=step)["nodes"]
        if node.get("source")
    ]


def name_of(node: Message) -> str:
    place = f"{node['name']} [{node['iteration']}] {node['device']}"
    return f"{place}, {node['phase']}, step {node['step']}"


def walk(session: Session, command: str, count: int) -> Iterator[Message]:
    """The frames of the next ``count`` places."""
    for _ in range(count):
        assert move(session, command)["description"] == TITLE
        yield session.frame()


def check(session: Session, frame: Message, node: Message, values: bool) -> None:
    assert (frame["name"], frame["line"]) == (name_of(node), node["source"]["line"])
    shown = session.evaluate(VALUES, "clipboard")["result"]
    for tensor in node["outputs"]:
        if "value" in tensor:
            assert repr(tensor["value"]) in shown
        else:
            assert f"{tensor['dtype']} {tuple(tensor['shape'])} {tensor['device']}: no v" in shown
    assert values == any("value" in tensor for tensor in node["outputs"])


def test_the_last_steps_and_on_again(start: Start, graphdebug_adapter: str) -> None:
    session = start(graphdebug_adapter, timeout=60)
    at_report = {"line": line(MLP, "report"), "condition": "epoch == 3"}
    session.launch(program=MLP, capture="values", breakpoints={MLP: [at_report]})
    session.wait_for_stop("breakpoint")
    live = session.stack()

    nodes = recorded(session, [1, 2, 3])
    assert {node["phase"] for node in nodes} == {"forward", "backward", "optimizer"}
    walked = list(zip(walk(session, "stepBack", len(nodes)), reversed(nodes), strict=True))
    told = [stop["graphdebug"] for stop in session.transcript.events("stopped")[-len(nodes) :]]
    assert told == [{"step": node["step"], "node": node["index"]} for node in reversed(nodes)]
    for frame, node in walked[:-1]:
        assert (frame["name"], frame["line"]) == (name_of(node), node["source"]["line"])
    for node, frame in zip(nodes[1:], walk(session, "next", len(nodes) - 1), strict=True):
        check(session, frame, node, values=True)
    top, label, *below = session.stack()
    assert top["name"].startswith("add_") and label["presentationHint"] == "label"
    assert below == live
    assert list(session.scopes(top)) == ["Outputs", "Inputs", "Node"]
    assert "have changed since" in session.refused(
        "evaluate", expression="loss", frameId=top["id"], context="watch"
    )
    assert "step out" in session.refused(
        "evaluate", expression="loss = 1", frameId=top["id"], context="repl"
    )
    back = move(session, "next")
    assert "back where the program stands" in back["text"]
    assert back["description"] == "Stopped"
    assert session.stack() == live
    assert session.evaluate("epoch")["result"] == "3"

    # Over breakpoints, backward nodes of the line too; then to where the record begins.
    session.set_breakpoints(MLP, [{"line": line(MLP, "relu"), "condition": "phase != 'graph'"}])
    found = []
    while "begins" not in (stop := move(session, "reverseContinue"))["text"]:
        assert session.frame()["line"] == line(MLP, "relu") and stop["hitBreakpointIds"]
        found.append(session.frame()["name"])
    relu = ["ReluBackward0 [0] cpu, backward, step {}", "relu [0] cpu, forward, step {}"]
    assert found == [name.format(step) for step in (3, 2, 1, 0) for name in relu]
    assert move(session, "stepBack")["text"] == stop["text"]
    again = []
    for _ in found:
        assert move(session, "continue")["reason"] == "breakpoint"
        again.append(session.frame()["name"])
    assert again == found[::-1]
    assert "back where" in move(session, "stepOut")["text"]
    # On with the program: the next stop is a live one.
    session.set_breakpoints(MLP, [line(MLP, "step")])
    session.cont()
    session.wait_for_stop("breakpoint")
    assert session.evaluate("epoch")["result"] == "4"
    # The step that is going on has its forward and its backward pass so far, and no update.
    (frame,) = walk(session, "stepBack", 1)
    assert frame["name"] == "TBackward0 [0] cpu, backward, step 4"
    session.set_breakpoints(MLP, [])
    session.cont()
    assert session.wait_for_exit() == 0
    bare = subprocess.run([sys.executable, MLP], capture_output=True, text=True, check=True)
    assert session.output("stdout") == bare.stdout


def test_shapes_without_values(start: Start, graphdebug_adapter: str) -> None:
    session = start(graphdebug_adapter, timeout=60)
    at_report = {"line": line(MLP, "report"), "condition": "epoch == 3"}
    session.launch(program=MLP, breakpoints={MLP: [at_report, line(MLP, "relu")]})
    session.wait_for_stop("breakpoint")
    # Inside of the first step.
    (frame,) = walk(session, "stepBack", 1)
    assert frame["name"] == "linear [0] cpu, forward, step 0"
    session.set_breakpoints(MLP, [at_report])
    session.cont()
    session.wait_for_stop("breakpoint")
    nodes = recorded(session, [3])
    for frame, node in zip(walk(session, "stepBack", len(nodes)), nodes[::-1], strict=True):
        check(session, frame, node, values=False)
    assert "capture" in session.evaluate("value", "watch")["result"]
