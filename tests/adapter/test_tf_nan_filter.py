"""The filter graphdebug.nan in TensorFlow: at the operation, and where a graph's run is over."""

from __future__ import annotations

import pytest
from support.dap import Session, Start
from support.live import ENVIRONMENT, bare
from support.markers import mark_at, program

pytestmark = pytest.mark.frameworks

NAN = program("tf_nan_stops.py")
FILTER = "graphdebug.nan"


def result(session: Session, expression: str) -> str:
    return str(session.evaluate(expression)["result"])


def test_stops_in_eager_code_and_after_graphs(start: Start) -> None:
    session = start("graphdebug", environment=ENVIRONMENT, timeout=120)
    session.launch(program=NAN, filters=[FILTER])

    stop = session.wait_for_stop("exception")
    assert stop["description"] == "NaN or Inf"
    assert mark_at(NAN, session.place()[1]) == "forward"
    info = session.request("exceptionInfo", threadId=session.thread)
    assert (info["exceptionId"], info["description"]) == (FILTER, stop["text"])
    assert "Log (tf_nan_stops.py:" in stop["text"] and "made Inf" in stop["text"]
    assert "scaled: float32 (3,), 0 to 4" in stop["text"]
    assert {"scaled", "inputs", "output"} <= session.locals().keys()
    assert result(session, "float(tf.reduce_min(output))") == "-inf"
    session.cont()

    stop = session.wait_for_stop("exception")
    assert mark_at(NAN, session.place()[1]) == "backward"
    assert "SqrtGrad, of the gradient of Sqrt (tf_nan_stops.py:" in stop["text"]
    assert {"inputs", "output"} <= session.locals().keys()
    session.cont()

    stop = session.wait_for_stop("exception")
    assert mark_at(NAN, session.place()[1]) == "late"
    assert "Sqrt" in stop["text"] and "stopped later, at the program reads it" in stop["text"]
    session.cont()

    for mark, words in (
        ("step", ["RealDiv", "made Inf", "in a variable that step writes", "stopped later"]),
        ("run", ["Exp", "made Inf", "through Sum", "Session.run fetches"]),
    ):
        stop = session.wait_for_stop("exception")
        assert mark_at(NAN, session.place()[1]) == mark
        assert all(word in stop["text"] for word in words), stop["text"]
        session.cont()
    assert session.wait_for_exit() == 0
    alerts = [item["alert"] for item in session.transcript.events("graphdebugAlert")]
    places = [mark_at(NAN, item["source"]["line"]) for item in alerts]
    assert sorted(places) == ["backward", "forward", "late", "scores", "share"]
    assert session.output("stdout") == bare(NAN)
