"""Function breakpoints ``node:PATTERN``: at operations before they run, and at Nodes in backward."""

from __future__ import annotations

from collections import Counter

import pytest
from support.dap import Start
from support.live import bare, frames
from support.markers import line, program

pytestmark = pytest.mark.frameworks

MLP = program("torch_mlp.py")


def test_nodes_stop_by_name_in_both_phases(start: Start) -> None:
    functions = [
        "node:AddmmB*",
        {"name": "node:aten::relu", "hitCondition": "<= 2"},
        "digest",
        {"name": "node:linear", "condition": "x.shape[1] == 20", "hitCondition": "== 3"},
        {"name": "node:AccumulateGrad", "condition": "grad_outputs[0].shape == (5,)"},
        "node:aten::size",
        "node:",
    ]
    session = start("graphdebug", timeout=120)
    session.launch(program=MLP, backward=False, breakpoints={MLP: [line(MLP, "first")]})
    session.wait_for_stop()
    session.set_breakpoints(MLP, [])
    answers = session.set_function_breakpoints(functions)
    session.cont()
    assert [item["verified"] for item in answers] == [True] * 6 + [False]
    assert [item.get("message", "").partition(":")[0] for item in answers] == [
        "node", "node", "", "node", "node", "node", "never",
    ]  # fmt: skip
    names = {item["id"]: number for number, item in enumerate(answers)}
    assert len(names) == len(answers)

    found: Counter[tuple[int, str, int, str]] = Counter()
    while (stop := session.next_stop()) is not None:
        assert stop["reason"] == "function breakpoint"
        (number,) = (names[item] for item in stop["hitBreakpointIds"])
        (name, at), *rest = frames(session)
        found[number, name, at if name != "digest" else 0, stop.get("description", "")] += 1
        if name == "relu":
            assert rest[0] == ("forward", at)
            assert "relu (aten::relu) in forward, before it runs" in stop["text"]
            assert session.evaluate("[item.shape for item in inputs]")["result"] == (
                "[torch.Size([16, 32])]"
            )
            assert session.step() == ("torch_mlp.py", at)  # on in Python
        session.cont()
    first, last = line(MLP, "first"), line(MLP, "last")
    assert found == {
        (0, "AddmmBackward0", last, "Backward"): 16,
        (0, "AddmmBackward0", first, "Backward"): 16,
        (1, "relu", line(MLP, "relu"), "Operation"): 2,
        (2, "digest", 0, ""): 1,
        (3, "linear", first, "Operation"): 1,
        (4, "AccumulateGrad", line(MLP, "backward"), "Backward"): 16,
    }
    assert session.output() == bare(MLP)
    assert not session.client.pending_events("graphdebugAlert")
