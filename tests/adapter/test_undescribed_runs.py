"""Runs that stopped and that nobody looked into: not described, and there whenever somebody does."""

from __future__ import annotations

import ast
import json
from typing import Any

import pytest
from support.dap import Session, Start
from support.markers import line, program
from support.replay import move, places, to_boundary

pytestmark = pytest.mark.frameworks
np = pytest.importorskip("numpy")

STATE = program("replay_session.py")
CALLED = program("tf_called.py")
RESHAPED = program("tf_reshaped.py")
KEPT = "__import__('sys').modules['graphdebug.runtime.boot'].runtime.recorder.undescribed.kept"


@pytest.fixture
def session(start: Start, graphdebug_adapter: str) -> Session:
    session = start(graphdebug_adapter, timeout=120)
    session.launch(program=STATE, breakpoints={STATE: [line(STATE, "counted")]})
    return session


def nodes(session: Session, step: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = session.request("graphdebugNodes", step=step)["nodes"]
    assert [node["index"] for node in found] == list(range(len(found)))
    assert {node["step"] for node in found} == {step}
    return found


def kept(session: Session) -> int:
    """How many runs wait for somebody to look."""
    return len(json.loads(session.evaluate(KEPT, "repl")["result"]))


def counts(found: list[dict[str, Any]]) -> list[float]:
    """The values that travelled, which are those of the breakpoint's line."""
    own = line(STATE, "counted")
    values = [(node["source"]["line"], out["value"])
              for node in found for out in node["outputs"] if "value" in out]  # fmt: skip
    assert {at for at, _ in values} <= {own}
    return [value for _, value in values if isinstance(value, float)]


def test_a_run_is_described_when_somebody_looks_whenever_that_is(session: Session) -> None:
    steps = []
    for before in range(3):
        stop = to_boundary(session)
        steps.append(stop["graphdebug"]["step"])
        session.stack()
        assert kept(session) == before + 1  # neither the stop nor the stack describes it
        if before < 2:
            session.cont()

    # An earlier run, by its step, after the program went on: with the values of then.
    first = nodes(session, steps[0])
    assert kept(session) == 2
    assert counts(first)[-1] == 1.0
    assert all(node["durationNs"] >= 0 for node in first)
    assert {"total", "wide", "counted"} <= {
        mark for mark in ("total", "wide", "counted")
        for node in first if (node.get("source") or {}).get("line") == line(STATE, mark)
    }  # fmt: skip
    again = session.request("graphdebugNode", step=steps[0], node=first[-1]["index"])["node"]
    assert again == first[-1]
    assert kept(session) == 2

    # The run that it stands at: the scope tells how many, and only what is opened is described.
    frame = session.frame()["id"]
    (scope,) = [
        item
        for item in session.request("scopes", frameId=frame)["scopes"]
        if item["name"].startswith("Graph run")
    ]
    assert kept(session) == 2
    opened = session.request("variables", variablesReference=scope["variablesReference"])
    assert kept(session) == 1
    assert len(opened["variables"]) == scope["indexedVariables"] > 0
    assert scope["name"] == f"Graph run: {scope['indexedVariables']} executions"
    assert counts(nodes(session, steps[2]))[-1] == 3.0

    # Of the one in between somebody asks when the program has ended.
    session.cont()
    assert session.wait_for_exit() == 0
    second = nodes(session, steps[1])
    assert counts(second)[-1] == 2.0
    assert [node["name"] for node in second if node.get("source")] and len(second) == len(first)


def test_what_leads_into_a_run_describes_it(session: Session) -> None:
    to_boundary(session)
    assert move(session, "stepIn")["description"] == "Graph replay"
    assert kept(session) == 0
    move(session, "stepOut")
    session.cont()

    to_boundary(session)
    assert kept(session) == 1
    assert move(session, "stepBack")["description"] == "Graph replay"
    assert session.evaluate("float(counted)")["result"] == "2.0"
    assert kept(session) == 0
    session.cont()

    step = to_boundary(session)["graphdebug"]["step"]
    own = {"path": STATE, "line": line(STATE, "counted")}
    found = session.request("graphdebugNodes", step=step, **own)["nodes"]
    (last,) = [node for node in found if node["outputs"]][-1:]
    tensor = session.request("graphdebugTensor", step=step, node=last["index"], mode="values")
    assert tensor["values"] == 3.0
    session.cont()
    assert session.wait_for_exit() == 0


def test_so_is_a_call_of_a_compiled_function(start: Start, graphdebug_adapter: str) -> None:
    session = start(graphdebug_adapter, timeout=120)
    session.launch(program=CALLED, breakpoints={CALLED: [line(CALLED, "summed")]})
    steps = []
    for before in range(3):
        steps.append(to_boundary(session)["graphdebug"]["step"])
        assert kept(session) == before + 1
        if before < 2:
            session.cont()
    for turn, step in enumerate(steps):
        found = {
            (node.get("source") or {}).get("line"): node["outputs"][0].get("value")
            for node in nodes(session, step)
            if node["outputs"]
        }
        assert found[line(CALLED, "doubled")] == [2.0 + 2 * turn, 4.0 + 2 * turn]
        assert found[line(CALLED, "summed")] == 6.0 + 4 * turn
    assert kept(session) == 0
    assert move(session, "stepBack")["description"] == "Graph replay"
    session.cont()
    assert session.wait_for_exit() == 0
    assert session.output("stdout") == "0 6.0\n1 10.0\n2 14.0\n"


VALUE = "str((value.shape, value.ravel().tolist()))"
FILES = (
    "[name for _, _, names in __import__('os').walk(__import__('sys').modules['graphdebug.runtime.boot']"
    ".runtime.backends['tensorflow'].sessions.dumps._root) for name in names]"
)


def test_what_others_tell_is_not_written_and_nothing_is_left(
    start: Start, graphdebug_adapter: str
) -> None:
    session = start(graphdebug_adapter, timeout=120)
    session.launch(program=RESHAPED, breakpoints={RESHAPED: [line(RESHAPED, "total")]})
    written = []
    for turn in range(3):
        to_boundary(session)
        written.append(ast.literal_eval(session.evaluate(FILES, "repl")["result"]))
        values = {}
        for frame in places(session, "stepIn"):
            values[frame["line"]] = session.evaluate(VALUE, "repl")["result"]
        table = np.arange(6, dtype=np.float32).reshape(2, 3) * 2 + 2 * turn
        rooted = np.sqrt(table)
        for mark, expected in (("table", table), ("rooted", rooted), ("deep", rooted[:, None])):
            shape, numbers = ast.literal_eval(ast.literal_eval(values[line(RESHAPED, mark)]))
            assert shape == expected.shape and np.allclose(numbers, expected.ravel()), mark
        session.cont()
    names = [name.rpartition("_DebugIdentity_")[0] for name in written[2]]
    assert any(name.startswith("Sqrt") for name in names)
    assert not any(name.startswith(("Reshape", "ExpandDims")) for name in names)
    # As many in each run: what a run left is gone when the next one comes.
    assert len(written[1]) == len(written[2])
    session.request("setBreakpoints", source={"path": RESHAPED}, breakpoints=[])
    session.cont()
    assert session.wait_for_exit() == 0
