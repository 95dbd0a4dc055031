"""Stops in backward: at every Node of the user's lines, with its gradients; and nothing is changed."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from support.dap import Session, Start
from support.live import bare, ended, frames, vanish
from support.markers import line, program

pytestmark = pytest.mark.frameworks

needs_cuda = pytest.mark.skipif("not __import__('torch').cuda.is_available()", reason="needs a GPU")

MLP = program("torch_mlp.py")
STOPS = program("autograd_stops.py")

BACKWARD, OVER = "Backward", "Backward over"
"""What ``description`` says of a stop at a Node, and of one after the last."""

GRADIENTS = (
    "__import__('hashlib').sha1(b''.join(g.detach().contiguous().cpu().numpy().tobytes() "
    "for g in grad_outputs if g is not None)).hexdigest()[:16]"
)

Ran = list[tuple[int, str]]
"""Line, and name with gradients, of each Node that ran."""


def truth(path: str, folder: Path) -> Ran:
    """What ran, told without graphdebug."""
    ran = folder / "ran.json"
    command = [sys.executable, program("backward_truth.py"), str(ran), path, GRADIENTS]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    return [(line, text) for line, text in json.loads(ran.read_text())]


def logged(session: Session, path: str) -> Ran:
    """What log points said in backward; in front of each is ``ran``."""
    return [
        (body["line"], body["output"].removeprefix("ran ").rstrip())
        for body in session.transcript.events("output")
        if body.get("source", {}).get("path") == path and body["output"].startswith("ran ")
    ]


def own_output(session: Session) -> str:
    """What the program wrote, without what log points said."""
    return "".join(
        body["output"]
        for body in session.transcript.events("output")
        if body.get("category") == "stdout" and "source" not in body
    )


def seen(session: Session) -> tuple[int, str]:
    """Line, name and gradients of the Node that the session stands at."""
    (name, at), *_ = frames(session)
    return at, f"{name} " + session.evaluate(GRADIENTS)["result"].strip("'")


def next_in_backward(session: Session) -> dict[str, object]:
    """Go on to the next stop at a Node."""
    while True:
        stop = session.wait_for_stop()
        if stop.get("description") == BACKWARD:
            return stop
        session.cont()


@pytest.mark.parametrize(
    "name",
    [
        "torch_mlp.py",
        "torch_cnn.py",
        "torch_transformer.py",
        "torch_autograd.py",
        pytest.param("torch_cuda.py", marks=needs_cuda),
    ],
)
def test_log_points_speak_at_every_node_with_its_gradients(
    start: Start, tmp_path: Path, name: str
) -> None:
    path = program(name)
    ran = truth(path, tmp_path)
    lines = sorted({line for line, _ in ran})
    message = "ran {node} {" + GRADIENTS + "}"
    session = start("graphdebug", timeout=120)
    points = [{"line": line, "logMessage": message} for line in lines]
    session.launch(program=path, breakpoints={path: points})
    assert session.wait_for_exit() == 0
    found = logged(session, path)
    if name == "torch_autograd.py":  # a thread may be seen from its first pass on only
        threaded = line(path, "threaded") - 1
        missed = Counter(ran) - Counter(found)
        assert {at for at, _ in missed} <= {threaded} and sum(missed.values()) <= 3 * 4
        ran = [item for item in ran if item[0] != threaded]
        found = [item for item in found if item[0] != threaded]
    assert len(ran) > 100
    assert found == ran
    assert own_output(session) == bare(path)
    told = [event["breakpoint"] for event in session.client.pending_events("breakpoint")]
    assert {item["line"] for item in told} == set(lines)
    assert all("; and in backward, each time" in item["message"] for item in told)
    assert not session.client.pending_events("graphdebugAlert")


def test_each_node_of_a_step_stops_at_its_line(start: Start, tmp_path: Path) -> None:
    ran = truth(MLP, tmp_path)
    lines = sorted({line for line, _ in ran})
    step = ran[: len(ran) // 16]
    session = start("graphdebug", timeout=120)
    session.launch(program=MLP, breakpoints={MLP: [*lines, line(MLP, "step")]})
    ids = {item["line"]: item["id"] for item in session.breakpoints[MLP]}
    for number, expected in enumerate(step):
        if number:
            session.cont()
        stop = next_in_backward(session)
        assert seen(session) == expected
        name = expected[1].split(" ")[0]
        stack = frames(session)
        assert stack[0][0] == name and stack[1] == ("main", line(MLP, "backward"))
        assert [function for function, _ in stack[2:]] == ["<module>"]
        assert (stop["reason"], stop["hitBreakpointIds"]) == ("breakpoint", [ids[expected[0]]])
        assert str(stop["text"]).startswith(f"{name} in backward, made by ")
        assert str(stop["text"]).endswith("(step 0)")
        if not number:  # a pass that the user runs is none of the program's
            grad = "__import__('torch').autograd.grad(loss, model.last.bias, retain_graph=True)"
            session.evaluate(grad, frameId=session.stack()[1]["id"])
    shown = session.locals()
    assert {"grad_outputs", "node", "phase", "output_shape"} < shown.keys()
    assert shown["node"]["value"] == f"'{name}'"
    session.cont()
    assert session.wait_for_stop()["hitBreakpointIds"] == [ids[line(MLP, "step")]]
    session.cont()
    again = session.wait_for_stop()
    assert again["text"].startswith("forward: ")
    session.set_breakpoints(MLP, [])
    session.cont()
    assert session.wait_for_exit() == 0
    steps = [body["step"] for body in session.transcript.events("graphdebugStep")]
    assert len({item["backwardNodes"] for item in steps}) == 1
    assert session.output() == bare(MLP)


def test_steps_go_from_node_to_node_and_out(start: Start, tmp_path: Path) -> None:
    ran = truth(MLP, tmp_path)
    step = ran[: len(ran) // 16]
    relu, backward = line(MLP, "relu"), line(MLP, "backward")
    session = start("graphdebug", timeout=120)
    session.launch(program=MLP, breakpoints={MLP: [relu]})
    next_in_backward(session)
    found = [seen(session)]
    session.set_breakpoints(MLP, [])
    while True:
        session.request("next" if len(found) % 2 else "stepIn", threadId=session.thread)
        stop = session.wait_for_stop("step")
        if stop["description"] == OVER:
            break
        assert (stop["description"], stop["hitBreakpointIds"]) == (BACKWARD, [])
        found.append(seen(session))
    assert found == step[[at for at, _ in step].index(relu) :]
    assert frames(session)[0] == ("main", backward)
    assert session.evaluate("start")["result"] == "0"
    session.step()
    assert session.place()[1] in (backward, line(MLP, "clip"))

    session.set_breakpoints(MLP, [backward])  # into the next pass, and out of it
    session.cont()
    assert session.wait_for_stop()["hitBreakpointIds"]
    session.request("stepIn", threadId=session.thread)
    assert session.wait_for_stop("step")["description"] == BACKWARD
    assert seen(session) == ran[len(step)]
    session.request("stepOut", threadId=session.thread)
    assert session.wait_for_stop("step")["description"] == OVER
    assert frames(session)[0] == ("main", backward)

    session.set_breakpoints(MLP, [relu])  # where a breakpoint comes first, a step out ends there
    next_in_backward_after(session)
    session.set_breakpoints(MLP, [line(MLP, "first")])
    session.request("stepOut", threadId=session.thread)
    assert session.wait_for_stop("breakpoint")["description"] == BACKWARD
    assert seen(session)[0] == line(MLP, "first")
    session.set_breakpoints(MLP, [])
    session.cont()
    assert session.wait_for_exit() == 0
    assert session.output() == bare(MLP)


def next_in_backward_after(session: Session) -> None:
    """The same, from a stop on."""
    session.cont()
    next_in_backward(session)


def test_conditions_hit_counts_and_names(start: Start) -> None:
    def at(mark: str, **fields: str) -> dict[str, object]:
        return {"line": line(MLP, mark), **fields}

    points = [
        at("relu", condition="phase == 'backward' and grad_outputs[0].shape == (16, 32)"),
        at("drop", hitCondition="% 5"),
        at("norm", condition="x.dim() == 1"),
        at("first", condition="node == 'TBackward0' and node.name() == node"),
        at("last", condition="no_such_name > 1"),
    ]
    session = start("graphdebug", timeout=120)
    session.launch(program=MLP, breakpoints={MLP: points})
    found: list[tuple[str, int]] = []
    while (stop := session.next_stop()) is not None:
        found.append((stop.get("description", ""), session.place()[1]))
        session.cont()
    names = {line(MLP, mark): mark for mark in ("relu", "drop", "norm", "first", "last")}
    counts = Counter((kind, names[at]) for kind, at in found)
    assert counts == {
        (BACKWARD, "relu"): 16,
        (BACKWARD, "first"): 16,
        (BACKWARD, "drop"): 3,
        ("", "drop"): 3,
    }
    drops = [kind for kind, at in found if at == line(MLP, "drop")]
    assert drops == ["", BACKWARD] * 3  # each counts for itself
    assert "phase" not in session.output("stderr")
    assert session.output() == bare(MLP)


def test_without_backward_nothing_stops_there(start: Start) -> None:
    session = start("graphdebug", timeout=120)
    relu, backward = line(MLP, "relu"), line(MLP, "backward")
    session.launch(program=MLP, backward=False, breakpoints={MLP: [relu, backward]})
    stops = [session.wait_for_stop()]
    session.cont()
    stops.append(session.wait_for_stop())
    assert session.place()[1] == backward
    session.request("stepIn", threadId=session.thread)
    stops.append(session.wait_for_stop("step"))
    assert session.place()[1] == line(MLP, "clip")
    session.set_breakpoints(MLP, [relu])
    session.cont()
    while (stop := session.next_stop()) is not None:
        stops.append(stop)
        session.cont()
    assert len(stops) == 3 + 15
    assert not any("text" in stop for stop in stops)
    assert not session.client.pending_events("breakpoint")
    assert session.output() == bare(MLP)


def test_what_passes_run_besides_models(start: Start) -> None:
    """Nodes of an earlier step, a moved breakpoint, recomputation, hooks that unpack once, threads."""
    marks = ("earlier", "comment", "layer", "kept", "packed", "elsewhere", "threaded")
    session = start("graphdebug", timeout=120)
    session.launch(
        program=STOPS,
        capture="off",
        breakpoints={STOPS: [line(STOPS, mark) for mark in marks]},
        functions=["node:TanBackward0"],
    )
    found: dict[int, list[str]] = {}
    unpacked = []
    while (stop := session.next_stop()) is not None:
        if stop.get("description") == BACKWARD:
            (name, at), (caller, _), *_ = frames(session)
            assert caller not in ("<module>", name)  # the function that called backward
            found.setdefault(at, []).append(name)
            for shown in session.locals().values():
                if shown["variablesReference"]:
                    session.variables(shown["variablesReference"])
                unpacked += [at] if "saved_tensors_hooks" in shown["value"] else []
        session.cont()
    assert {mark: found[line(STOPS, mark)] for mark in marks if mark != "comment"} == {
        "earlier": ["SumBackward0", "ExpBackward0"],
        "layer": ["TanhBackward0", "MmBackward0"],
        "kept": ["SumBackward0"],
        "packed": ["SumBackward0", "SinBackward0"],
        "elsewhere": ["SumBackward0", "MulBackward0"],
        "threaded": ["SumBackward0", "MulBackward0"],
    }
    assert found[line(STOPS, "placed")] == ["SumBackward0", "ExpBackward0"]
    assert set(unpacked) == {line(STOPS, "layer"), line(STOPS, "packed")}
    assert session.output() == bare(STOPS)
    assert not session.client.pending_events("graphdebugStep")


@pytest.mark.parametrize("step", [False, True])
def test_a_client_that_leaves_lets_the_pass_go_on(start: Start, tmp_path: Path, step: bool) -> None:
    output = tmp_path / "output"
    session = start("graphdebug", timeout=120)
    session.launch(
        program=program("autograd_writes.py"),
        args=[MLP, str(output)],
        breakpoints={MLP: [line(MLP, "relu")]},
    )
    pid = session.client.wait_for_event("process")["systemProcessId"]
    next_in_backward(session)
    if step:
        session.request("next", threadId=session.thread)
        session.wait_for_stop("step")
    session.request("disconnect", terminateDebuggee=False)
    assert ended(pid)
    assert output.read_text() == bare(MLP)


def test_an_adapter_that_vanishes_lets_the_pass_go_on(start: Start, tmp_path: Path) -> None:
    """The program is a child of the one that was launched, whose end it survives."""
    output = tmp_path / "output"
    session = start("graphdebug", timeout=120, tolerant=True)
    session.launch(
        program=program("live_parent.py"),
        args=[program("autograd_writes.py"), MLP, str(output)],
    )
    configuration = session.client.wait_for_event("debugpyAttach")
    session.set_breakpoints(MLP, [line(MLP, "relu")])
    child = session.join(configuration)
    child._tolerant = True
    child.attach(**configuration, breakpoints={MLP: [line(MLP, "relu")]})
    child.wait_for_stop()
    while not frames(child)[0][0].startswith("ReluBackward"):
        child.cont()
        child.wait_for_stop()
    child.request("next", threadId=child.thread)
    child.wait_for_stop()
    vanish(session)
    assert ended(configuration["subProcessId"])
    assert output.read_text() == bare(MLP)
