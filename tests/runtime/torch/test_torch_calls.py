"""Calls of graphs: steps of their own, with nodes, and no trace of us in what dynamo does."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.markers import line, program
from support.observer import Observation

from graphdebug.protocol.dap import Configuration
from graphdebug.protocol.runtime import AlertEvent, BackendEvent

pytestmark = pytest.mark.frameworks

PROGRAM = program("compiled.py")
CALLS = [
    ("call_function", "function", ["aten::mul", "aten::relu", "aten::mul", "aten::sum"]),
    ("call_broken", "broken", ["aten::add", "aten::mul"]),
    ("call_compiled_layer", "Layer", ["aten::linear", "aten::relu"]),
    ("call_layer", "Layer", ["aten::linear", "aten::relu"]),
    ("call_scripted", "scripted", ["aten::sub", "prim::Loop", "aten::add"]),
    ("call_module", "Scripted", ["aten::sin"]),
    ("call_traced", "to_trace", ["aten::cos"]),
    ("call_exported", "GraphModule", ["aten::tanh"]),
    ("call_loaded", "PlaceholderModule", ["aten::sub", "prim::Loop", "aten::add"]),
    ("call_untouched", "untouched", ["aten::div"]),
]


@pytest.fixture(scope="module")
def observed() -> Observation:
    return Observation(Path(PROGRAM))


def test_each_call_is_a_step(observed: Observation) -> None:
    steps = [step for step in observed.steps if step.kind == "compiled"]
    assert len(steps) == 2 * len(CALLS)
    for step, (mark, name, ops) in zip(steps, CALLS + CALLS, strict=True):
        assert step.source is not None
        assert (step.source.line, step.name) == (line(PROGRAM, mark), name)
        assert step.forward_nodes == len(ops)
        nodes = observed.nodes(step.index)
        assert [node.op_type for node in nodes] == ops, mark
        assert {node.phase for node in nodes} == {"graph"}


def test_graphs_tell_shapes_where_they_know_them(observed: Observation) -> None:
    by_name = {step.name: observed.nodes(step.index) for step in observed.steps}
    linear = by_name["Layer"][0]
    assert linear.outputs[0].shape == (3, 2) and linear.outputs[0].dtype == "float32"
    assert linear.source is not None and linear.source.line == line(PROGRAM, "linear")
    assert by_name["to_trace"][0].outputs[0].shape == (3, 4)
    assert by_name["scripted"][0].outputs[0].shape == (-1,), "a script doesn't know"


def test_a_step_keeps_to_one_description(observed: Observation) -> None:
    first, second = (step for step in observed.steps if step.name == "function")
    assert second.detail == first.index


STEPS_ALONE = """
import torch

@torch.compile(backend="eager")
def function(a):
    return a * 2

x = torch.ones(3)
with torch.no_grad():
    for _ in range(3):
        function(x)
"""


def test_a_loop_of_calls_alone_makes_no_other_steps(tmp_path: Path) -> None:
    path = tmp_path / "alone.py"
    path.write_text(STEPS_ALONE)
    observed = Observation(path)
    assert [step.name for step in observed.steps] == ["function"] * 3


RAISES = """
import torch

@torch.compile(backend="eager")
def function(a, b):
    return a @ b

for shape in ((3, 3), (2, 2)):
    try:
        function(torch.ones(3, 3), torch.ones(shape))
    except Exception as error:
        print(type(error).__name__)
"""


def test_a_call_that_fails_is_no_step(tmp_path: Path) -> None:
    path = tmp_path / "raises.py"
    path.write_text(RAISES)
    observed = Observation(path)
    assert observed.returncode == 0 and observed.stdout.strip()
    assert len([step for step in observed.steps if step.kind == "compiled"]) == 1
    assert not [event for event in observed.of(AlertEvent) if event.alert.kind == "hook"]


def test_off_records_nothing() -> None:
    observed = Observation(Path(PROGRAM), configuration=Configuration(capture="off"))
    assert observed.steps == [] and observed.returncode == 0
    assert all(event.backend.reason == "" for event in observed.of(BackendEvent))


FIRST = """
import torch

weight = torch.ones(3, requires_grad=True)
optimizer = torch.optim.SGD([weight], lr=0.1)
for _ in range(2):
    optimizer.zero_grad()
    weight.sum().backward()
    optimizer.step()
from torch._dynamo import eval_frame
print(eval_frame.set_eval_frame is torch._C._dynamo.eval_frame.set_eval_frame)
doubled = torch.compile(lambda x: x * 2, backend="eager")
doubled(weight)
print(eval_frame.set_eval_frame is torch._C._dynamo.eval_frame.set_eval_frame)
"""


def test_nothing_of_dynamo_is_hooked_before_something_is_compiled(tmp_path: Path) -> None:
    """Each step of an optimizer calls that."""
    path = tmp_path / "first.py"
    path.write_text(FIRST)
    observed = Observation(path)
    assert (observed.returncode, observed.stdout) == (0, "True\nFalse\n"), observed.stderr
    assert [step.kind for step in observed.steps] == ["eager", "eager", "compiled"]
