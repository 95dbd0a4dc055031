"""What debugpy does works through graphdebug unchanged: frames, values, what can be asked of them.

The tests of each adapter share one stopped program; what a test changes, it puts back.
"""

from __future__ import annotations

import pytest
from support.dap import Session, Start
from support.markers import line, program

from graphdebug.transport.dap import RequestFailed

VALUES = program("values.py")


@pytest.fixture(scope="module")
def stopped(adapter: str, start_shared: Start) -> Session:
    """``values.py``, stopped where its locals are made."""
    s = start_shared(adapter)
    s.launch(program=VALUES, breakpoints={VALUES: [line(VALUES, "stop")]})
    s.wait_for_stop("breakpoint")
    return s


def test_stack_trace(stopped: Session) -> None:
    frames = stopped.stack()
    assert [frame["name"] for frame in frames] == ["main", "<module>"]
    assert frames[0]["line"] == line(VALUES, "stop")
    assert frames[0]["source"]["path"] == VALUES
    page = stopped.request("stackTrace", threadId=stopped.thread, startFrame=1, levels=1)
    assert [frame["name"] for frame in page["stackFrames"]] == ["<module>"]
    assert page["totalFrames"] == 2
    formatted = stopped.stack(format={"module": True, "line": True})
    assert formatted[0]["name"] == f"__main__.main : {line(VALUES, 'stop')}"


def test_scopes_and_variables(stopped: Session) -> None:
    scopes = stopped.scopes()
    assert set(scopes) == {"Locals", "Globals"}
    module = stopped.variables(scopes["Globals"]["variablesReference"])
    classes = stopped.variables(module["class variables"]["variablesReference"])
    assert classes["Point"]["type"] == "type"
    found = stopped.locals()
    assert {"number", "numbers", "point", "table", "text"} <= set(found)
    assert (found["number"]["value"], found["number"]["type"]) == ("42", "int")
    assert (found["text"]["value"], found["text"]["type"]) == ("'hällo'", "str")
    assert found["point"]["value"] == "Point(3, 4)"
    assert found["point"]["evaluateName"] == "point"
    point = stopped.variables(found["point"]["variablesReference"])
    assert (point["x"]["value"], point["norm"]["value"]) == ("3", "5.0")
    table = stopped.variables(found["table"]["variablesReference"])
    assert table["'one'"]["value"] == "1"
    assert table["'two'"]["evaluateName"] == "table['two']"
    inside = stopped.variables(table["'two'"]["variablesReference"])
    assert [inside[key]["value"] for key in ("0", "1")] == ["2", "22"]
    hexadecimal = stopped.variables(
        scopes["Locals"]["variablesReference"], format={"hex": True}
    )  # fmt: skip
    assert hexadecimal["number"]["value"] == "0x2a"


@pytest.mark.parametrize("context", ["watch", "hover", "repl", "clipboard", "variables"])
def test_evaluate(stopped: Session, context: str) -> None:
    answer = stopped.evaluate("number + 1", context)
    assert (answer["result"], answer["type"]) == ("43", "int")
    point = stopped.evaluate("point", context)
    assert point["result"] == "Point(3, 4)"
    assert stopped.variables(point["variablesReference"])["y"]["value"] == "4"
    long = stopped.evaluate("'x' * 100_000", context)["result"]
    assert ("..." in long) is (context != "clipboard")


def test_evaluate_statements_and_other_frames(stopped: Session) -> None:
    stopped.evaluate("made = number * 2")
    assert stopped.evaluate("made")["result"] == "84"
    module = stopped.stack()[1]
    assert "number" not in stopped.locals(module)
    assert stopped.evaluate("__name__", frameId=module["id"])["result"] == "'__main__'"
    with pytest.raises(RequestFailed, match="NameError"):
        stopped.evaluate("number", frameId=module["id"])


@pytest.mark.parametrize(
    ("expression", "error"), [("1 / 0", "ZeroDivisionError"), ("1 +", "SyntaxError")]
)
@pytest.mark.parametrize("context", ["watch", "hover", "repl"])
def test_evaluate_what_fails(stopped: Session, context: str, expression: str, error: str) -> None:
    with pytest.raises(RequestFailed, match=error):
        stopped.evaluate(expression, context)


def test_set_variable(stopped: Session) -> None:
    scope = stopped.scopes()["Locals"]["variablesReference"]
    changed = stopped.request("setVariable", variablesReference=scope, name="number", value="40+1")
    assert (changed["value"], changed["type"]) == ("41", "int")
    assert stopped.evaluate("number")["result"] == "41"
    point = stopped.evaluate("point", "watch")["variablesReference"]
    stopped.request("setVariable", variablesReference=point, name="x", value="7")
    assert stopped.locals()["point"]["value"] == "Point(7, 4)"
    stopped.request("setVariable", variablesReference=point, name="x", value="3")
    stopped.request("setVariable", variablesReference=scope, name="number", value="42")


def test_set_expression(stopped: Session) -> None:
    frame = stopped.frame()["id"]
    changed = stopped.request("setExpression", expression="table['one']", value="11", frameId=frame)
    assert changed["value"] == "11"
    assert stopped.evaluate("table['one']")["result"] == "11"
    stopped.request("setExpression", expression="table['one']", value="1", frameId=frame)


def test_completions(stopped: Session) -> None:
    frame = stopped.frame()["id"]
    answer = stopped.request("completions", frameId=frame, text="point.no", column=9)
    assert "norm" in [target["label"] for target in answer["targets"]]
    answer = stopped.request("completions", frameId=frame, text="numb", column=5)
    assert {"number", "numbers"} <= {target["label"] for target in answer["targets"]}


def test_modules(stopped: Session) -> None:
    answer = stopped.request("modules")
    (module,) = [m for m in answer["modules"] if m["name"] == "__main__"]
    assert module["path"] == VALUES
    announced = [event["module"] for event in stopped.transcript.events("module")]
    assert module in announced


def test_source_of_a_file_is_not_served(stopped: Session) -> None:
    assert stopped.refused("source", source={"path": VALUES}, sourceReference=0)


def test_goto_targets_elsewhere(stopped: Session) -> None:
    answer = stopped.request("gotoTargets", source={"path": VALUES}, line=1)
    assert answer["targets"][0]["line"] == 1


@pytest.mark.parametrize(
    ("command", "arguments"),
    [
        ("scopes", {"frameId": 987654}),
        ("variables", {"variablesReference": 987654}),
        ("stackTrace", {"threadId": 987654}),
        ("evaluate", {"expression": "1", "frameId": 987654}),
        ("exceptionInfo", {"threadId": 987654}),
    ],
)
def test_ids_that_are_not(stopped: Session, command: str, arguments: dict[str, object]) -> None:
    """Answered one way or another, and the session goes on."""
    stopped.client.send_message({"type": "request", "command": command, "arguments": arguments})
    assert stopped.request("threads")["threads"]


def test_debugger_properties(stopped: Session) -> None:
    stopped.request("setDebuggerProperty", ideOS="UNIX", multiThreadsSingleNotification=True)
    assert stopped.request("threads")["threads"]
