"""TensorFlow's own way to a graph isn't traced, but for what is the user's in it."""

from __future__ import annotations

import pytest
from support.dap import Start
from support.markers import line, program

pytestmark = pytest.mark.frameworks

PROGRAM = program("tensorflow_calls_back.py")


def test_breakpoints_stop_wherever_tensorflow_calls_the_user(start: Start) -> None:
    stops = {}
    for adapter in ("debugpy", "graphdebug"):
        session = start(adapter)
        session.launch(program=PROGRAM, breakpoints={PROGRAM: [line(PROGRAM, "note")]})
        places = stops[adapter] = []
        while (stopped := session.next_stop()) is not None:
            stack = session.request("stackTrace", threadId=stopped["threadId"])["stackFrames"]
            places.append([(frame["name"], frame["line"]) for frame in stack])
            session.cont()
    called = [places[1][0] for places in stops["graphdebug"]]
    assert called == ["called", "__array__", "function", "function", "gradient"]
    assert stops["graphdebug"] == stops["debugpy"]
