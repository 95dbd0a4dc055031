"""Data breakpoints on TensorFlow's variables: they stop at the line that did it."""

from __future__ import annotations

import pytest
from support.dap import Message, Session, Start
from support.live import ENVIRONMENT, bare
from support.markers import line, mark_at, program

pytestmark = pytest.mark.frameworks

WATCHED = program("tf_watched.py")


def info(session: Session, name: str) -> Message:
    frame = session.frame()["id"]
    found: Message = session.request("dataBreakpointInfo", name=name, frameId=frame)
    return found


def watch(session: Session, *wanted: tuple[Message, str]) -> list[Message]:
    breakpoints = [
        {"dataId": datum["dataId"], "accessType": "write", **({"condition": text} if text else {})}
        for datum, text in wanted
    ]
    body = session.request("setDataBreakpoints", breakpoints=breakpoints)
    found: list[Message] = body["breakpoints"]
    return found


def stops(session: Session, until: str) -> list[str]:
    """The marks of the lines where data breakpoints stop, up to the line breakpoint at ``until``."""
    found = []
    session.set_breakpoints(WATCHED, [line(WATCHED, until)])
    while True:
        session.cont()
        stop = session.wait_for_stop()
        if stop["reason"] == "breakpoint":
            assert mark_at(WATCHED, session.place()[1]) == until
            return found
        assert (stop["reason"], stop["description"]) == ("data breakpoint", "Data breakpoint")
        assert stop["hitBreakpointIds"]
        found.append(mark_at(WATCHED, session.place()[1]))


def test_each_kind_stops_where_it_happens(start: Start) -> None:
    session = start("graphdebug", environment=ENVIRONMENT, timeout=120)
    session.launch(program=WATCHED, breakpoints={WATCHED: [line(WATCHED, "begin")]})
    session.wait_for_stop("breakpoint")
    weight, count = info(session, "weight"), info(session, "count")
    assert weight["description"].startswith("weight in __main__: stops when")
    answers = watch(session, (weight, ""), (count, ""), (weight, "grad"), (weight, "vlaue > 1"))
    assert [answer["verified"] for answer in answers] == [True, True, False, False]
    assert "no gradient of their own" in answers[2]["message"]
    assert "NameError" in answers[3]["message"]
    answers = watch(session, (weight, ""), (count, ""))
    written = ["assign", "assign_sub", "slice", "compiled", "count"]
    assert stops(session, "trains") == written
    events = session.transcript.events("stopped")
    texts = [body["text"] for body in events if body["reason"] == "data breakpoint"]
    assert "weight was written by AssignVariableOp; it is float32 (3,)" in texts[0]
    assert "by the compiled function compiled, which is over now: it stopped later" in texts[3]

    # An optimizer, and a batch of Keras; of a tensor that nobody writes, its name.
    kernel = info(session, "model.trainable_variables[0]")
    watch(session, (kernel, ""))
    session.set_breakpoints(WATCHED, [line(WATCHED, "loss")])
    session.cont()
    session.wait_for_stop("breakpoint")
    assert stops(session, "loss") == ["apply"]
    loss = info(session, "loss")
    assert "bound anew" in loss["description"]
    assert info(session, "loss + 1")["dataId"] is None
    assert "never written" in info(session, "loss + 1")["description"]
    watch(session, (kernel, "value[0][0] < 0.85"), (loss, ""))
    assert stops(session, "fit") == ["loss", "apply"]
    watch(session, (kernel, ""))
    assert set(stops(session, "bad")) == {"fit"}
    watch(session)
    session.set_breakpoints(WATCHED, [line(WATCHED, "fine")])
    session.cont()
    session.wait_for_stop("breakpoint")
    bad = info(session, "bad")
    answers = watch(session, (bad, "nan"), (bad, "shape"), (bad, "value[-1] > 8"))
    assert all(answer["verified"] for answer in answers)
    session.set_breakpoints(WATCHED, [])
    found = []
    while True:
        session.cont()
        stop = session.next_stop()
        if stop is None:
            break
        found.append((mark_at(WATCHED, session.place()[1]), len(stop["hitBreakpointIds"])))
    assert found == [("inf", 1), ("longer", 2)]
    assert session.output("stdout") == bare(WATCHED)
    assert not session.transcript.events("graphdebugAlert")
