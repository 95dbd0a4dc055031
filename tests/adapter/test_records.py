"""Steps, nodes, tensors and state, as the Contract's requests and events give them."""

from __future__ import annotations

from typing import Any

import pytest
from support.dap import Session, Start
from support.markers import line, program

pytestmark = pytest.mark.frameworks

STEPS = 3000
PATH = program("torch_steps.py")


@pytest.fixture(scope="module")
def stopped(start_shared: Start, graphdebug_adapter: str) -> Session:
    """A session that stands at the end of the training loop."""
    session = start_shared(graphdebug_adapter, timeout=120)
    session.launch(
        program=PATH, args=[str(STEPS)], breakpoints={PATH: [line(PATH, "done")]}, capture="nodes"
    )
    session.wait_for_stop()
    return session


def frame(session: Session) -> int:
    frames = session.request("stackTrace", threadId=session.thread)["stackFrames"]
    number: int = frames[0]["id"]
    return number


def tensor(session: Session, expression: str, **more: Any) -> dict[str, Any]:
    return session.request(
        "graphdebugTensor", frameId=frame(session), expression=expression, **more
    )


def test_every_step_is_there(stopped: Session) -> None:
    body = stopped.request("graphdebugSteps")
    assert body["total"] == STEPS
    assert [step["index"] for step in body["steps"]] == list(range(STEPS))
    page = stopped.request("graphdebugSteps", begin=10, end=13)
    assert [step["index"] for step in page["steps"]] == [10, 11, 12]
    assert page["total"] == STEPS
    assert stopped.request("graphdebugSteps", begin=STEPS + 5)["steps"] == []
    assert {step["source"]["line"] for step in body["steps"]} == {line(PATH, "step")}


def test_step_events_come_ten_times_a_second_and_the_last_one_always(stopped: Session) -> None:
    stopped.client.wait_until(
        lambda: any(
            event["step"]["index"] == STEPS - 1
            for event in stopped.client.pending_events("graphdebugStep")
        ),
        "the last step",
    )
    times = [
        entry.at
        for entry in stopped.transcript.entries
        if entry.message.get("event") == "graphdebugStep"
    ]
    assert len(times) < STEPS / 10
    # As they arrive here: one may be late where the machine is busy, and the next not.
    assert times[-1] - times[0] > 0.08 * (len(times) - 1)


def test_the_steps_as_a_few_points(stopped: Session) -> None:
    steps = stopped.request("graphdebugSteps")["steps"]
    for arguments, width in (({}, 12), ({"points": 7}, 448), ({"begin": 5, "end": 25}, 1)):
        body = stopped.request("graphdebugTimeline", **arguments)
        points, begin = body["points"], arguments.get("begin", 0)
        end = arguments.get("end", STEPS)
        assert body["total"] == STEPS and len(points) <= arguments.get("points", 256)
        assert {point["end"] - point["begin"] for point in points[:-1]} == {width}
        assert [point["begin"] for point in points] == list(range(begin, end, width))
        assert points[-1]["end"] == end
        for point in points:
            part = steps[point["begin"] : point["end"]]
            times = [step["durationNs"] for step in part]
            assert (point["shortestNs"], point["longestNs"]) == (min(times), max(times))
            assert abs(point["meanNs"] - sum(times) / len(times)) < 3  # rounded down twice
            assert point["loss"] == part[-1]["loss"]
    assert 0 < steps[-1]["loss"] < steps[0]["loss"]


def test_nodes_can_be_filtered_and_paged(stopped: Session) -> None:
    ask = lambda **wanted: stopped.request("graphdebugNodes", step=STEPS - 1, **wanted)  # noqa: E731
    everything = ask()
    assert [node["index"] for node in everything["nodes"]] == list(range(everything["total"]))
    assert {node["step"] for node in everything["nodes"]} == {STEPS - 1}
    forward = ask(path=PATH, line=line(PATH, "forward"), phase="forward")["nodes"]
    assert [node["opType"] for node in forward] == ["aten::linear"]
    (linear,) = forward
    assert [item["shape"] for item in linear["outputs"]] == [[8, 3]]
    backward = ask(phase="backward", line=line(PATH, "forward"), path=PATH)["nodes"]
    assert "AddmmBackward0" in {node["name"] for node in backward}
    assert {node["forwardNode"] for node in backward} == {linear["index"]}
    assert [node["opType"] for node in ask(text="LINEAR", device="cpu")["nodes"]] == [
        "aten::linear"
    ]
    assert ask(device="cuda:0")["total"] == 0
    page = ask(start=1, count=2)
    assert page["nodes"] == everything["nodes"][1:3]
    assert page["total"] == everything["total"]
    one = stopped.request("graphdebugNode", step=STEPS - 1, node=linear["index"])
    assert one["node"] == linear


@pytest.mark.parametrize(
    ("command", "arguments", "why"),
    [
        ("graphdebugNodes", {"step": STEPS}, f"there are {STEPS} steps; there is no step {STEPS}"),
        ("graphdebugNodes", {"step": -1}, "there is no step -1"),
        ("graphdebugNodes", {}, "step: is missing"),
        ("graphdebugNodes", {"step": 0, "phase": "sideways"}, "phase: 'sideways' is not one of"),
        ("graphdebugNode", {"step": 0, "node": 10**6}, "there is no node 1000000"),
        ("graphdebugSteps", {"begin": "0"}, "begin: int is expected"),
        ("graphdebugTensor", {"mode": "summary"}, "takes frameId and expression, or step"),
    ],
)
def test_wrong_arguments_are_named(
    stopped: Session, command: str, arguments: dict[str, Any], why: str
) -> None:
    assert why in stopped.refused(command, **arguments)


def test_a_tensor_is_described_and_summed_up(stopped: Session) -> None:
    body = tensor(stopped, "spread", mode="summary")
    assert body["tensor"] == {
        "shape": [2, 3], "dtype": "float32", "device": "cpu", "bytes": 24, "requiresGrad": False,
    }  # fmt: skip
    summary = body["summary"]
    assert (summary["elements"], summary["nan"], summary["inf"]) == (6, 1, 1)
    assert (summary["minimum"], summary["maximum"], summary["mean"]) == (0.0, 3.0, 1.5)
    assert tensor(stopped, "spread", mode="values", slice="0, 1:")["values"] == [1.0, "nan"]
    assert sum(tensor(stopped, "inputs", mode="histogram")["histogram"]["counts"]) == 32


def test_a_tensor_of_a_billion_elements(stopped: Session) -> None:
    body = tensor(stopped, "wide", mode="summary")
    assert body["tensor"]["shape"] == [10**9]
    assert body["summary"]["elements"] == 10**9
    assert (body["summary"]["minimum"], body["summary"]["maximum"]) == (0.0, 0.0)
    assert tensor(stopped, "wide", mode="values", slice="5:8")["values"] == [0.0, 0.0, 0.0]


@pytest.mark.parametrize(
    ("expression", "more", "why"),
    [
        ("no_such_name", {}, "no_such_name"),
        ("step", {}, "not a tensor but a int"),
        ("spread", {"mode": "values", "slice": "__import__('os')"}, ""),
        ("spread", {"mode": "values", "slice": "7"}, ""),
        ("wide", {"mode": "values"}, "slice"),
    ],
)
def test_what_has_no_tensor_says_why(
    stopped: Session, expression: str, more: dict[str, Any], why: str
) -> None:
    assert why in stopped.refused(
        "graphdebugTensor",
        frameId=frame(stopped),
        expression=expression,
        **{"mode": "summary", **more},
    )


def test_looking_changes_no_random_stream(stopped: Session) -> None:
    def state() -> str:
        body = stopped.request(
            "evaluate",
            expression="hash(torch.get_rng_state().numpy().tobytes())",
            frameId=frame(stopped),
            context="watch",
        )
        text: str = body["result"]
        return text

    before = state()
    for mode in ("summary", "values", "histogram"):
        tensor(stopped, "spread", mode=mode)
    assert state() == before


def test_the_state(stopped: Session) -> None:
    body = stopped.request("graphdebugState")
    assert body["capture"] == "nodes"
    assert [(item["name"], item["active"]) for item in body["backends"]] == [("torch", True)]
    assert [rank["steps"] for rank in body["ranks"]] == [STEPS]
    assert body["dropped"] == 0


def test_at_a_stop_every_step_before_it_is_known(start: Start, graphdebug_adapter: str) -> None:
    """The runtime sends steps in batches; a stop may not overtake them."""
    session = start(graphdebug_adapter, timeout=120)
    session.launch(program=PATH, args=["20"], breakpoints={PATH: [line(PATH, "zero")]})
    totals = []
    while session.next_stop() is not None:
        totals.append(session.request("graphdebugSteps")["total"])
        session.cont()
    assert totals == list(range(20))
