"""Stepping through a recorded run from its boundary: where each command leads."""

from __future__ import annotations

import json

import pytest
from support.dap import Session, Start
from support.markers import line, program
from support.replay import BOUNDARY, REPLAY, move, numbers, places, to_boundary

from graphdebug.transport.framing import BODY_LIMIT

pytestmark = pytest.mark.frameworks

SEED = program("seed_tensorflow.py")
LOOPS = program("tf_loops.py")
STATE = program("replay_session.py")


@pytest.fixture
def seed(start: Start, graphdebug_adapter: str) -> Session:
    return start(graphdebug_adapter, timeout=120)


@pytest.mark.parametrize("control_flow", ["v1", "v2"])
def test_every_iteration_forwards_and_backwards(seed: Session, control_flow: str) -> None:
    add = line(SEED, "add")
    seed.launch(program=SEED, args=[control_flow], breakpoints={SEED: [add]})
    assert seed.capabilities["supportsStepBack"] is True
    to_boundary(seed)
    below = seed.stack()

    forwards = []
    for frame in places(seed, "stepIn"):
        assert frame["source"]["path"] == SEED
        if frame["line"] == add:
            value = seed.evaluate("value", "watch")["result"]
            forwards.append((numbers(frame), value, seed.evaluate("first_counter + 0")["result"]))
            top, *rest = seed.stack()
            assert top["name"].endswith(f"Add [{len(forwards) - 1}] /device:CPU:0")
            assert [item["name"] for item in rest] == [item["name"] for item in below]
    assert [at for at, _, _ in forwards] == [(n,) for n in range(10)]
    assert [value for _, value, _ in forwards] == [
        f"int32 () /device:CPU:0 {n}" for n in range(2, 21, 2)
    ]
    assert seed.stack() == below

    backwards = [
        seed.evaluate("int(value)")["result"]
        for frame in places(seed, "stepBack")
        if frame["line"] == add
    ]
    assert backwards == [str(n) for n in range(20, 1, -2)]
    assert move(seed, "next").get("description") is None
    assert seed.place()[1] == line(SEED, "run") - 1  # leaves the with statement
    seed.cont()
    assert seed.wait_for_exit() == 0
    assert seed.output("stdout") == "20\n20\n"


@pytest.mark.parametrize("control_flow", ["v1", "v2"])
def test_nested_loops_have_a_number_each(seed: Session, control_flow: str) -> None:
    inner = line(LOOPS, "inner")
    seed.launch(program=LOOPS, args=[control_flow], breakpoints={LOOPS: [inner]})
    to_boundary(seed)
    frames = list(places(seed, "stepIn"))
    found = [numbers(frame) for frame in frames if frame["line"] == inner]
    assert found == [(i, j) for i in range(3) for j in range(2)]
    assert [numbers(frame) for frame in frames if "/Mul [" in frame["name"]] == [(0,), (1,), (2,)]
    (step,) = seed.request("graphdebugSteps")["steps"]
    nodes = seed.request("graphdebugNodes", step=step["index"], path=LOOPS, line=inner)["nodes"]
    assert [node["iteration"] for node in nodes] == list(range(6))
    assert [node["iterations"] for node in nodes] == [[i, j] for i in range(3) for j in range(2)]
    seed.set_breakpoints(LOOPS, [])
    seed.cont()
    assert seed.wait_for_exit() == 0


def test_the_program_goes_on_from_the_boundary(seed: Session) -> None:
    seed.launch(program=STATE, breakpoints={STATE: [line(STATE, "total")]})
    to_boundary(seed)
    assert seed.frame()["name"] == "main"
    move(seed, "next")
    assert seed.place() == ("replay_session.py", line(STATE, "after"))
    assert "nothing is recorded" in seed.refused("stepBack", threadId=seed.thread)
    assert "nothing is recorded" in seed.refused("reverseContinue", threadId=seed.thread)
    move(seed, "continue")
    assert seed.place() == ("replay_session.py", line(STATE, "run"))


def test_step_out_leads_to_the_boundary(seed: Session) -> None:
    seed.launch(program=STATE, breakpoints={STATE: [line(STATE, "total")]})
    boundary = to_boundary(seed)
    inside = move(seed, "stepIn")
    assert (inside["reason"], inside["description"]) == ("step", REPLAY)
    assert inside["threadId"] == boundary["threadId"]
    assert "nothing runs now" in inside["text"] and "1 of " in inside["text"]
    move(seed, "next")
    out = move(seed, "stepOut")
    assert (out["reason"], out["description"]) == ("step", BOUNDARY)
    assert "back from the record" in out["text"]
    assert seed.place() == ("replay_session.py", line(STATE, "run"))
    # From inside, what changes the program's course or the record is refused.
    move(seed, "stepBack")
    frame = seed.frame()["id"]
    targets = seed.request("gotoTargets", source={"path": STATE}, line=line(STATE, "after"))[
        "targets"
    ]
    refused = seed.refused("goto", threadId=seed.thread, targetId=targets[0]["id"])
    assert "step out of it first" in refused
    assert seed.request("stepInTargets", frameId=frame) == {"targets": []}
    assert seed.place()[1] == line(STATE, "counted")


@pytest.mark.parametrize("just_my_code", [True, False])
def test_nodes_of_no_line_are_passed_over(seed: Session, just_my_code: bool) -> None:
    seed.launch(program=STATE, breakpoints={STATE: [line(STATE, "total")]}, justMyCode=just_my_code)
    to_boundary(seed)
    names = [frame["name"] for frame in places(seed, "stepIn")]
    nodes = seed.request("graphdebugNodes", step=seed.request("graphdebugSteps")["total"] - 1)
    own = [node for node in nodes["nodes"] if "source" in node]
    assert len(own) < nodes["total"]
    assert len(names) == (len(own) if just_my_code else nodes["total"])
    elsewhere = [name for name in names if name.endswith("(no line of yours made it)")]
    assert len(elsewhere) == (0 if just_my_code else nodes["total"] - len(own))


def test_nothing_is_executed_again(seed: Session, start: Start, graphdebug_adapter: str) -> None:
    seed.launch(program=STATE)
    assert seed.wait_for_exit() == 0

    walked = start(graphdebug_adapter, timeout=120)
    walked.launch(program=STATE, breakpoints={STATE: [line(STATE, "noise")]})
    for _ in range(3):
        to_boundary(walked)
        for command in ("stepIn", "stepBack", "reverseContinue"):
            assert list(places(walked, command))
        walked.cont()
    assert walked.wait_for_exit() == 0
    assert walked.output("stdout") == seed.output("stdout")
    assert len(seed.output("stdout").splitlines()) == 3


def test_what_is_left_out_of_a_record_is_said(seed: Session) -> None:
    add = line(SEED, "add")
    seed.launch(program=SEED, args=["v1"], breakpoints={SEED: [add]}, recordLimit=30)
    boundary = to_boundary(seed)
    assert "the first 30 are kept (recordLimit)" in boundary["text"]
    frames = list(places(seed, "stepIn"))
    # All executions of the breakpoint's own line, and of the others the first.
    assert [numbers(frame) for frame in frames if frame["line"] == add] == [(n,) for n in range(10)]
    assert len([frame for frame in frames if frame["line"] != add]) < 30
    values = []
    move(seed, "stepIn")
    for _ in range(10):
        move(seed, "continue")
        values.append(seed.evaluate("int(first_counter)")["result"])
    assert values == [str(n) for n in range(2, 21, 2)]


def test_a_long_loop_is_recorded_within_bounds(seed: Session) -> None:
    """How long, only the run tells: values of the breakpoint's line stay, the others' first ones do."""
    path = program("replay_long.py")
    total = line(path, "total")
    seed.launch(
        program=path,
        args=["700"],
        breakpoints={path: [total]},
        recordLimit=600,
    )
    boundary = to_boundary(seed)
    assert "the first 600 are kept (recordLimit)" in boundary["text"]
    move(seed, "stepBack")
    last = seed.frame()
    assert numbers(last) == (699,)
    assert seed.evaluate("len(outputs[0].shape)")["result"] == "0"
    move(seed, "stepOut")
    move(seed, "stepIn")
    while not seed.frame()["name"].startswith(("while/Less", "while/cond/_0/Less")):
        move(seed, "next")
    assert seed.evaluate("bool(value)")["result"] == "True"
    seed.set_breakpoints(path, [])
    seed.cont()
    assert seed.wait_for_exit() == 0
    expected = sum(i * i % 7 for i in range(700))
    assert seed.output("stdout") == f"700 {expected}\n"


def test_a_record_that_is_larger_than_a_message_arrives_whole(seed: Session) -> None:
    path = program("replay_long.py")
    seed.launch(program=path, args=["1700"], breakpoints={path: [line(path, "total")]})
    to_boundary(seed)
    [step] = seed.request("graphdebugSteps")["steps"]
    half = step["forwardNodes"] // 2  # all of them would be too large an answer
    nodes = seed.request("graphdebugNodes", step=0, count=half)["nodes"]
    nodes += seed.request("graphdebugNodes", step=0, start=half)["nodes"]
    assert len(nodes) == step["forwardNodes"]
    assert len(json.dumps(nodes)) > BODY_LIMIT
    adds = [node for node in nodes if node.get("source", {}).get("line") == line(path, "total")]
    assert max(node["iteration"] for node in adds) == 1699
    seed.cont()
    assert seed.wait_for_exit() == 0
