"""The filter graphdebug.nan stops where a NaN or an Inf comes about, with what it came from."""

from __future__ import annotations

import pytest
from support.dap import Session, Start
from support.markers import line, program

pytestmark = pytest.mark.frameworks

NAN = program("nan_stops.py")
FILTER = "graphdebug.nan"


def result(session: Session, expression: str) -> str:
    return str(session.evaluate(expression)["result"])


def test_stops_in_forward_backward_and_the_optimizer(start: Start, graphdebug_adapter: str) -> None:
    session = start(graphdebug_adapter, timeout=120)
    session.launch(program=NAN, filters=[FILTER])

    stop = session.wait_for_stop("exception")
    assert stop["description"] == "NaN or Inf"
    assert session.place()[1] == line(NAN, "forward")
    info = session.request("exceptionInfo", threadId=session.thread)
    assert (info["exceptionId"], info["description"]) == (FILTER, stop["text"])
    assert "log (nan_stops.py:" in stop["text"] and "made Inf" in stop["text"]
    assert "before it mul (nan_stops.py:" in stop["text"]
    assert "scaled: float32 (3,), 0 to 4" in stop["text"]
    shown = session.locals()
    assert {"scaled", "inputs", "output"} <= shown.keys()
    assert result(session, "bool(inputs[0].isfinite().all())") == "True"
    assert result(session, "output.min().item()") == "-inf"
    session.cont()

    stop = session.wait_for_stop("exception")
    assert session.place()[1] == line(NAN, "backward")
    assert "SqrtBackward0" in stop["text"] and "gradients that were finite" in stop["text"]
    assert "backward came through MulBackward0 (nan_stops.py:" in stop["text"]
    assert {"grad_outputs", "grad_inputs"} <= session.locals().keys()
    assert result(session, "bool(grad_outputs[0].isfinite().all())") == "True"
    session.cont()

    stop = session.wait_for_stop("exception")
    assert session.place()[1] == line(NAN, "step")
    assert "SGD.step" in stop["text"] and "finite gradients" in stop["text"]
    session.cont()

    stop = session.wait_for_stop("exception")
    assert session.place()[1] == line(NAN, "late")
    assert "stopped later" in stop["text"] and "sqrt" in stop["text"]
    assert result(session, "inputs[0].min().item()") == "-1.0"
    session.cont()
    assert session.wait_for_exit() == 0
    kinds = [event["alert"]["kind"] for event in session.client.pending_events("graphdebugAlert")]
    assert kinds == ["inf", "nan", "inf", "nan"]
