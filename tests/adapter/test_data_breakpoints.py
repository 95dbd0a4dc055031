"""Data breakpoints on tensors, in real sessions: each kind stops at the line that did it."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from support.dap import Session, Start
from support.markers import line, mark_at, program

pytestmark = pytest.mark.frameworks

WATCHED = program("torch_watched.py")
ELSEWHERE = program("torch_watched_elsewhere.py")
Message = dict[str, Any]


def info(session: Session, name: str, reference: int | None = None) -> Message:
    """What can be watched: a variable, or an expression in the innermost frame."""
    if reference is not None:
        return session.request("dataBreakpointInfo", name=name, variablesReference=reference)
    return session.request("dataBreakpointInfo", name=name, frameId=session.frame()["id"])


def local(session: Session, *path: str) -> Message:
    """What can be watched: a local variable or what opens below it, as a client's menu asks."""
    frame = session.frame()
    reference = session.scopes(frame)["Locals"]["variablesReference"]
    *above, name = path
    for step in above:
        reference = session.variables(reference)[step]["variablesReference"]
    assert name in session.variables(reference)
    return info(session, name, reference)


def watch(session: Session, *wanted: tuple[Message, str]) -> list[Message]:
    """Set all data breakpoints: what, and the condition."""
    breakpoints = [
        {"dataId": datum["dataId"], "accessType": "write", **({"condition": text} if text else {})}
        for datum, text in wanted
    ]
    found: list[Message] = session.request("setDataBreakpoints", breakpoints=breakpoints)[
        "breakpoints"
    ]
    return found


def stops(session: Session, until: str, path: str = WATCHED) -> list[str]:
    """The marks of the lines where data breakpoints stop, up to the line breakpoint at ``until``."""
    found = []
    while True:
        session.cont()
        stop = session.wait_for_stop()
        if stop["reason"] == "breakpoint":
            assert session.place()[1] == line(path, until)
            return found
        assert (stop["reason"], stop["description"]) == ("data breakpoint", "Data breakpoint")
        assert stop["hitBreakpointIds"] and stop["text"]
        found.append(mark_at(path, session.place()[1]))


def to(session: Session, name: str) -> None:
    session.set_breakpoints(WATCHED, [line(WATCHED, name)])
    session.cont()
    session.wait_for_stop("breakpoint")


def test_each_kind_stops_where_it_happens(start: Start, graphdebug_adapter: str) -> None:
    session = start(graphdebug_adapter, timeout=60)
    session.launch(program=WATCHED, backward=False, breakpoints={WATCHED: [line(WATCHED, "iadd")]})
    assert session.capabilities["supportsDataBreakpoints"] is True
    session.wait_for_stop("breakpoint")

    # Written in place, however that is done.
    datum = local(session, "weight")
    assert datum["accessTypes"] == ["write"] and datum["canPersist"] is False
    assert datum["description"].startswith("weight in writes: stops when")
    for word in ("nan", "grad", "no grad", "shape", "dtype", "device", "expression"):
        assert word in datum["description"]
    assert info(session, "weight")["dataId"] == datum["dataId"]
    (answer,) = watch(session, (datum, ""))
    assert answer["verified"]
    session.set_breakpoints(WATCHED, [line(WATCHED, "beside")])
    assert stops(session, "beside") == ["iadd", "copy", "data", "view", "out"]
    # Views count together, but only what was written stops.
    (answer,) = watch(session, (local(session, "left"), ""))
    session.set_breakpoints(WATCHED, [line(WATCHED, "writes") + 1])
    session.set_breakpoints(WATCHED, [line(WATCHED, "kinds")])
    assert stops(session, "kinds") == ["left"]

    # Wrong conditions, and what can't be watched.
    nothing = local(session, "both")
    for condition, why in [
        ("vlaue > 1", "NameError"),
        ("value >", "no expression"),
        ("value > 0", "ambiguous"),
    ]:
        (answer,) = watch(session, (nothing, condition))
        assert not answer["verified"] and why in answer["message"], answer
    (answer,) = watch(session, (info(session, "both[:2]"), "grad"))
    assert not answer["verified"]
    (answer,) = session.request(
        "setDataBreakpoints", breakpoints=[{"dataId": "1:1", "accessType": "write"}]
    )["breakpoints"]
    assert not answer["verified"] and "set it anew" in answer["message"]
    for expression, why in [
        ("both.numpy()", "NumPy"),
        ("[both]", "not a tensor but a list"),
        ("unknown", "NameError"),
    ]:
        found = info(session, expression)
        assert found["dataId"] is None and why in found["description"]
    assert info(session, "both", 12345)["dataId"] is None

    # Shape, dtype and device; a predicate; NaN or Inf; only when it becomes so.
    to(session, "shape")
    batch = local(session, "batch")
    watch(session, (batch, "shape"), (batch, "dtype"), (batch, "device"))
    session.set_breakpoints(WATCHED, [line(WATCHED, "fine")])
    assert stops(session, "fine") == ["shape", "dtype", "device"]
    bad = local(session, "bad")
    answers = watch(session, (bad, "nan"), (bad, "value[0] == 0 and bad.sum() > 0"))
    assert [answer["verified"] for answer in answers] == [True, True]
    session.set_breakpoints(WATCHED, [line(WATCHED, "gone")])
    assert stops(session, "gone") == ["fine", "inf"]

    # What is watched lives no longer for it. (Up to Python 3.12 a frame that was looked at keeps its
    # locals until it is looked at again, with debugpy alone too; watching the name does that.)
    name, tensor = info(session, "short"), info(session, "short.view(3)._base")
    _, answer = watch(session, (name, ""), (tensor, "nan"))
    changed = len(session.transcript.events("breakpoint"))
    session.set_breakpoints(WATCHED, [line(WATCHED, "loop")])
    assert stops(session, "loop") == ["short"]
    assert session.output("stdout") == "True\n"
    (*_, event) = session.transcript.events("breakpoint")[changed:]
    assert event["breakpoint"]["id"] == answer["id"] and not event["breakpoint"]["verified"]
    assert "is gone" in event["breakpoint"]["message"]

    # Gradients; parameters of a module, from the variables below it; a name that is bound anew.
    weight, bias = info(session, "model.weight"), info(session, "unused.bias")
    assert weight["description"].startswith("model.weight, the tensor that it is now")
    hidden, loss = local(session, "loss"), info(session, "loss")
    assert hidden["dataId"] is None  # no tensor yet
    assert loss["dataId"] is None
    watch(session, (weight, ""), (weight, "grad"), (bias, "no grad"))
    to_report = line(WATCHED, "hidden")
    session.set_breakpoints(WATCHED, [to_report])
    session.cont()
    session.wait_for_stop("breakpoint")
    assert stops(session, "hidden") == ["backward", "backward", "step"]
    loss, hidden = local(session, "loss"), local(session, "hidden")
    watch(session, (loss, ""), (hidden, "grad"), (weight, "grad is not None and grad.sum() > -99"))
    assert stops(session, "hidden") == ["loss", "backward", "backward"]

    watch(session)
    session.set_breakpoints(WATCHED, [])
    session.cont()
    assert session.wait_for_exit() == 0
    bare = subprocess.run([sys.executable, WATCHED], capture_output=True, text=True, check=True)
    assert session.output("stdout") == bare.stdout


def test_writes_in_other_places(start: Start, graphdebug_adapter: str) -> None:
    session = start(graphdebug_adapter, timeout=60)
    session.launch(program=ELSEWHERE, breakpoints={ELSEWHERE: [line(ELSEWHERE, "begin")]})
    session.wait_for_stop("breakpoint")
    weight, scale = info(session, "model.weight"), info(session, "scale")
    assert scale["description"].startswith("scale in __main__")

    # Each step of an optimizer, also where its operations are taken for granted.
    each = {"dataId": weight["dataId"], "accessType": "write"}
    fourth = {**each, "hitCondition": "== 4"}
    read = {**each, "accessType": "read"}
    answers = session.request("setDataBreakpoints", breakpoints=[each, fourth, read])["breakpoints"]
    assert [answer["verified"] for answer in answers] == [True, True, False]
    session.set_breakpoints(ELSEWHERE, [line(ELSEWHERE, "trained")])
    assert stops(session, "trained", ELSEWHERE) == ["adam"] * 5
    every, at_fourth = answers[0]["id"], answers[1]["id"]
    hit = [body["hitBreakpointIds"] for body in session.transcript.events("stopped")[1:-1]]
    assert hit == [[every], [every], [every], [every, at_fourth], [every]]

    # A fused step, whose writes torch doesn't count.
    watch(session, (weight, ""))
    session.set_breakpoints(ELSEWHERE, [line(ELSEWHERE, "fused_trained")])
    assert stops(session, "fused_trained", ELSEWHERE) == ["fused"]

    # A name that is bound twice, and unbound, while nobody looks: the line is that of what it is now.
    watch(session)
    session.set_breakpoints(ELSEWHERE, [line(ELSEWHERE, "rebound")])
    session.cont()
    session.wait_for_stop("breakpoint")
    watch(session, (info(session, "item"), ""))
    session.set_breakpoints(ELSEWHERE, [line(ELSEWHERE, "bound")])
    assert stops(session, "bound", ELSEWHERE) == ["bound_again"]

    # A global name that is bound anew; a compiled call; a thread that is seen, and one that isn't,
    # which whoever comes next sees.
    watch(session, (scale, ""))
    session.set_breakpoints(ELSEWHERE, [])
    session.cont()
    found = []
    while (stop := session.next_stop()) is not None:
        found.append((mark_at(ELSEWHERE, session.place()[1]), stop["text"]))
        session.cont()
    assert [mark for mark, _ in found] == ["scale", "add", "compiled", "seen", "after"]
    assert "bound to another tensor; it is float32 (2,) cpu" in found[0][1]
    assert "by compiled, which is compiled" in found[2][1]
    assert "by mul_" in found[3][1] and "code that isn't seen" in found[4][1]
    bare = subprocess.run([sys.executable, ELSEWHERE], capture_output=True, text=True, check=True)
    assert session.output("stdout") == bare.stdout
