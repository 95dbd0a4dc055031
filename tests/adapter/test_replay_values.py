"""What a place of a recorded run shows: scopes, variables, evaluation, of values of every size."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from support.dap import Session, Start
from support.live import bare
from support.markers import line, program
from support.replay import move, to_boundary

pytestmark = pytest.mark.frameworks

STATE = program("replay_session.py")
FED = program("tf_fed.py")


@pytest.fixture(scope="module")
def stopped(start_shared: Start, graphdebug_adapter: str) -> Session:
    """At the boundary of the first run, of which all is recorded."""
    session = start_shared(graphdebug_adapter, timeout=120)
    breakpoints = {STATE: [line(STATE, "wide"), line(STATE, "counted")]}
    session.launch(program=STATE, breakpoints=breakpoints)
    to_boundary(session)
    return session


@pytest.fixture
def at(stopped: Session) -> Iterator[Any]:
    """Walks from the boundary to the last node of a marked line whose name begins so."""

    def walk(mark: str, name: str = "") -> Session:
        move(stopped, "stepBack")
        while True:
            frame = stopped.frame()
            if frame["line"] == line(STATE, mark) and frame["name"].startswith(name):
                return stopped
            assert move(stopped, "stepBack")["description"] == "Graph replay"

    yield walk
    move(stopped, "stepOut")


def outputs(session: Session) -> dict[str, Any]:
    return session.variables(session.scopes()["Outputs"]["variablesReference"])


def test_the_scopes_of_a_place(at: Any) -> None:
    session = at("counted", "AssignAdd")
    scopes = session.scopes()
    assert list(scopes) == ["Outputs", "Inputs", "Node", "Locals", "Globals"]
    node = session.variables(scopes["Node"]["variablesReference"])
    assert list(node) == ["name", "operation", "iteration", "device", "time", "line"]
    assert node["operation"]["value"] == "'AssignAddVariableOp'"
    assert node["line"]["value"].endswith(f"replay_session.py:{line(STATE, 'counted')}'")
    inputs = session.variables(scopes["Inputs"]["variablesReference"])
    assert [item["value"] for item in inputs.values()] == [
        "resource () /device:CPU:0: no value, since it is a resource",
        "float32 () /device:CPU:0 1.0",
    ]
    assert [item["evaluateName"] for item in inputs.values()] == ["inputs[0]", "inputs[1]"]
    # The frame that called the run is below, with its own scopes.
    assert session.variables(scopes["Locals"]["variablesReference"])["offset"]["value"] == "5"
    below = session.stack()[1]
    assert below["name"] == "main" and list(session.scopes(below))[:2] == ["Locals", "Globals"]


def test_a_large_array_of_the_breakpoint_s_own_line(at: Any) -> None:
    session = at("wide", "MatMul")
    wide = outputs(session)["wide"]
    assert wide["value"] == "float32 (200, 4000) /device:CPU:0"
    assert wide["evaluateName"] == "wide"
    children = session.variables(wide["variablesReference"])
    assert [children[name]["value"] for name in ("shape", "dtype", "device")] == [
        "(200, 4000)", "'float32'", "'/device:CPU:0'",
    ]  # fmt: skip
    summary = session.variables(children["statistics"]["variablesReference"])
    assert summary["elements"]["value"] == "800000"
    pages = session.variables(children["values"]["variablesReference"])
    assert len(pages) <= 100
    row = session.variables(next(iter(pages.values()))["variablesReference"])["[7]"]
    assert row["value"] == "float32 (4000,) /device:CPU:0"
    assert session.evaluate(row["evaluateName"] + ".shape")["result"] == "(4000,)"
    assert session.evaluate("wide[3, :2].shape, value is not None", "watch")["result"] == (
        "((2,), True)"
    )


@pytest.mark.parametrize("context", ["repl", "watch", "hover", "variables", "clipboard"])
def test_evaluation_works_on_what_was_recorded(at: Any, context: str) -> None:
    session = at("total", "Sum")
    results = {
        expression: session.evaluate(expression, context)["result"]
        for expression in (
            "node", "iteration", "float(value) == float(outputs[0])", "len(inputs)",
            "[item.dtype.name for item in inputs]", "turn + offset", "bool(np.float32(2) > 1)",
        )
    }  # fmt: skip
    assert results["node"].strip("'").startswith("Sum")
    assert list(results.values())[1:] == ["0", "True", "2", "['float32', 'int32']", "5", "True"]


def test_what_one_evaluates_opens(at: Any) -> None:
    session = at("split")
    answer = session.evaluate("{'both': [first + 1, second]}", "watch")
    both = session.variables(answer["variablesReference"])["'both'"]
    assert both["evaluateName"] == "({'both': [first + 1, second]})['both']"
    items = session.variables(both["variablesReference"])
    assert items["0"]["value"] == "float32 (200, 15)"
    assert items["1"]["value"] == "float32 (200, 15) /device:CPU:0"
    # The client asks for it under that name.
    again = session.evaluate(items["1"]["evaluateName"], "watch")["result"]
    assert again == "float32 (200, 15) /device:CPU:0"
    assert list(outputs(session)) == ["first", "second"]
    while session.frame()["line"] != line(STATE, "total"):
        move(session, "next")
    while not session.frame()["name"].startswith("mul "):
        move(session, "next")
    inputs = session.variables(session.scopes()["Inputs"]["variablesReference"])
    assert list(inputs) == ["[0] split", "[1] split:1"]


def test_errors_name_the_cause_alone(at: Any) -> None:
    session = at("counted")
    frame = session.frame()["id"]
    for context in ("repl", "watch", "hover"):
        said = session.refused("evaluate", expression="nowhere + 1", frameId=frame, context=context)
        assert said == "NameError: name 'nowhere' is not defined"
    assert "SyntaxError" in session.refused(
        "evaluate", expression="1 +", frameId=frame, context="watch"
    )


def test_a_statement_runs_in_the_program(at: Any) -> None:
    session = at("counted")
    session.evaluate("remarked = offset * 2")
    assert session.evaluate("remarked")["result"] == "10"
    move(session, "stepOut")
    assert session.evaluate("remarked")["result"] == "10"
    move(session, "stepBack")


def test_nothing_recorded_can_be_changed(at: Any) -> None:
    session = at("counted", "AssignAdd")
    scopes = session.scopes()
    inputs = scopes["Inputs"]["variablesReference"]
    hint = next(iter(session.variables(inputs).values()))["presentationHint"]
    assert "readOnly" in hint["attributes"]
    said = session.refused("setVariable", variablesReference=inputs, name="[1]", value="7")
    assert "can't be changed" in said
    frame = session.frame()["id"]
    said = session.refused("setExpression", expression="value", value="7", frameId=frame)
    assert "can't be changed" in said
    assert "read-only" in session.refused(
        "evaluate", expression="inputs[1].fill(0)", frameId=frame, context="repl"
    )
    # What belongs to the program can be.
    locals_ = scopes["Locals"]["variablesReference"]
    session.request("setVariable", variablesReference=locals_, name="offset", value="6")
    assert session.evaluate("offset")["result"] == "6"
    session.request("setVariable", variablesReference=locals_, name="offset", value="5")


def test_completions_offer_the_node_s_names_first(at: Any) -> None:
    session = at("total", "Sum")
    frame = session.frame()["id"]
    targets = session.request("completions", text="val", column=4, frameId=frame)["targets"]
    assert targets[0]["label"] == "value"
    targets = session.request("completions", text="off", column=4, frameId=frame)["targets"]
    assert [item["label"] for item in targets] == ["offset"]


def test_a_tensor_is_inspected_where_it_was(at: Any) -> None:
    session = at("wide", "MatMul")
    frame = session.frame()["id"]
    answer = session.request("graphdebugTensor", frameId=frame, expression="wide", mode="summary")
    assert answer["tensor"]["shape"] == [200, 4000]
    assert answer["summary"]["elements"] == 800000
    answer = session.request(
        "graphdebugTensor", frameId=frame, expression="value", mode="values", slice="0, :3"
    )
    assert len(answer["values"]) == 3


def test_a_tensor_is_inspected_by_its_node(at: Any) -> None:
    session = at("counted", "AssignAdd")
    place = session.transcript.events("stopped")[-1]["graphdebug"]
    assert "no value, since it is a resource" in session.refused(
        "graphdebugTensor", **place, input=0
    )
    session = at("wide", "MatMul")
    place = session.transcript.events("stopped")[-1]["graphdebug"]
    node = session.request("graphdebugNode", **place)["node"]
    assert node["opType"].endswith("MatMul") and node["source"]["line"] == line(STATE, "wide")
    answer = session.request("graphdebugTensor", **place, output=0)
    assert answer["tensor"]["shape"] == [200, 4000]
    assert answer["summary"]["elements"] == 800000
    asked = {**place, "input": 0, "mode": "values", "slice": "0, :2"}
    assert len(session.request("graphdebugTensor", **asked)["values"]) == 2


def test_what_was_too_large_is_said(at: Any) -> None:
    """Beyond the breakpoints' lines, outputs of more than 16 KiB are left where they were."""
    session = at("tall", "random_normal_1/Random")
    (missing,) = outputs(session).values()
    assert missing["value"] == (
        "float32 (300, 100) /device:CPU:0: no value, since its 120,000 bytes are too many, unless a "
        "breakpoint is on its line"
    )


def test_what_is_fed_and_fetched_is_there_as_it_was(start: Start, graphdebug_adapter: str) -> None:
    session = start(graphdebug_adapter, timeout=120)
    session.launch(program=FED, breakpoints={FED: [line(FED, "more")]})
    for turn in range(3):
        to_boundary(session)
        frame = session.frame()
        for name in ("fed", "named"):  # the program's own arrays may change meanwhile
            session.evaluate(f"{name}.fill({name}[0])", "repl", frameId=frame["id"])
        fed = [1.0 + turn, 2.0 + turn, 3.0 + turn]
        shown: dict[str, Any] = {}
        move(session, "stepBack")
        while session.frame()["name"] != "main":
            value = session.evaluate("value.tolist()", "repl")["result"]
            shown[session.frame()["name"].partition(" ")[0]] = value
            if move(session, "stepBack")["description"] != "Graph replay":
                break
        assert shown["x"] == str(fed) and shown["scale"] == "3.0"
        assert shown["doubled"] == str([3 * item for item in fed])
        assert shown["more"] == str([4 * item for item in fed])
        assert shown["total"] == str(sum(4 * item for item in fed))
        assert shown["joined"] == str([b"aa", b"bb"])
        session.cont()
    assert session.wait_for_exit() == 0
    assert session.output() == bare(FED)
