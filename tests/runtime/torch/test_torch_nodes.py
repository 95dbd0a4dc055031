"""What is recorded of each node, against what torch itself says without us."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest
from support.markers import line, program
from support.observer import Observation

from graphdebug.protocol.model import Node

pytestmark = pytest.mark.frameworks


@pytest.fixture(scope="module")
def nodes(tier: dict[str, str]) -> tuple[Node, ...]:
    """Of a step that was made before, as each tier sees it."""
    observed = Observation(program("torch_nodes.py"), env=tier)
    return observed.nodes(2)


@pytest.fixture(scope="module")
def told() -> list[dict[str, Any]]:
    """Each autograd Node of the same step: hooks give its gradients, anomaly mode its line."""
    run = subprocess.run(
        [sys.executable, program("torch_nodes.py"), "watch"], capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr
    entries: list[dict[str, Any]] = json.loads(run.stdout.splitlines()[-1])
    return entries


def test_every_autograd_node_has_its_line_and_gradients(
    nodes: tuple[Node, ...], told: list[dict[str, Any]]
) -> None:
    ran = [node for node in nodes if node.phase == "backward"]
    assert len(ran) == len(told) > 60
    for node, entry in zip(ran, told, strict=True):
        leaf = node.name == "AccumulateGrad"
        assert node.name == entry["name"] == node.op_type
        assert (node.source and node.source.line) == (None if leaf else entry["line"])
        assert [list(tensor.shape) for tensor in node.inputs] == entry["inputs"]
        assert [list(tensor.shape) for tensor in node.outputs] == entry["outputs"]


def test_every_autograd_node_is_linked_to_the_operation_that_made_it(
    nodes: tuple[Node, ...],
) -> None:
    made: dict[int, list[str]] = {}
    for node in nodes:
        if node.phase == "backward" and node.name != "AccumulateGrad":
            assert node.forward_node is not None
            maker = nodes[node.forward_node]
            assert maker.phase == "forward" and maker.source == node.source
            made.setdefault(maker.index, []).append(node.name)
    by_type = {(nodes[at].op_type, nodes[at].iteration): names for at, names in made.items()}
    assert by_type["aten::cross_entropy_loss", 0] == ["NllLossBackward0", "LogSoftmaxBackward0"]
    assert by_type["aten::max", 0] == ["MaxBackward0"]
    assert by_type["torch::setitem", 0] == ["CopySlices"]
    assert by_type["aten::numpy_T", 0] == ["PermuteBackward0"]
    assert by_type["aten::sigmoid", 0] == ["SigmoidBackward0"]
    for moment in range(3):
        assert len(by_type["aten::gru_cell", moment]) > 10


def test_it_is_known_where_gradients_come_from(
    nodes: tuple[Node, ...], told: list[dict[str, Any]]
) -> None:
    ran = [node for node in nodes if node.phase == "backward"]
    begin = ran[0].index
    assert [[at - begin for at in node.input_nodes] for node in ran] == [
        entry["from"] for entry in told
    ]


def test_it_is_known_which_operations_inputs_come_from(nodes: tuple[Node, ...]) -> None:
    made = {node.index: node.forward_node for node in nodes if node.phase == "backward"}
    backward = {(made[at], made[node.index]) for node in nodes for at in node.input_nodes
                if node.phase == "backward" and made[node.index] is not None}  # fmt: skip
    forward = {(node.index, at) for node in nodes for at in node.input_nodes
               if node.phase == "forward" and node.index in made.values()}  # fmt: skip
    # What it wrote to is known in backward alone.
    (written,) = (node.index for node in nodes if node.op_type == "torch::setitem")
    assert {edge for edge in backward if edge[0] != edge[1] and written != edge[0]} == forward
    assert len(forward) > 20


def test_tensors_are_described(nodes: tuple[Node, ...]) -> None:
    embedding = next(node for node in nodes if node.op_type == "aten::embedding")
    tokens, weight = embedding.inputs
    assert (tokens.shape, tokens.dtype, tokens.bytes) == ((4, 3), "int64", 96)
    assert (weight.shape, weight.dtype, weight.bytes) == ((12, 8), "float32", 384)
    assert weight.requires_grad and not tokens.requires_grad
    assert embedding.outputs[0].requires_grad and embedding.outputs[0].value is None
    assert embedding.device == embedding.outputs[0].device == "cpu"
    assert embedding.duration_ns > 0
    chunk = next(node for node in nodes if node.op_type == "aten::chunk")
    assert [tensor.shape for tensor in chunk.outputs] == [(4, 8), (4, 8)]
    assert [node.index for node in nodes] == list(range(len(nodes)))


@pytest.fixture(scope="module")
def autograd(tier: dict[str, str]) -> Observation:
    return Observation(program("torch_autograd.py"), env=tier)


def of_line(observed: Observation, mark: str) -> list[Node]:
    """The backward nodes of the first step that has nodes of a marked line."""
    wanted = line(program("torch_autograd.py"), mark)
    for step in range(len(observed.steps)):
        nodes = observed.nodes(step)
        if any(node.source and node.source.line == wanted for node in nodes):
            return list(nodes)
    raise AssertionError(mark)


def test_a_graph_that_runs_twice(autograd: Observation) -> None:
    nodes = of_line(autograd, "retained")
    ran = [(n.name, n.iteration, n.forward_node) for n in nodes if n.phase == "backward"]
    assert ran == [
        ("SumBackward0", 0, 1),
        ("MulBackward0", 0, 0),
        ("AccumulateGrad", 0, None),
        ("SumBackward0", 1, 1),
        ("MulBackward0", 1, 0),
        ("AccumulateGrad", 0, None),
    ]


def test_nodes_made_by_a_backward_pass_are_linked_to_the_node_that_made_them(
    autograd: Observation,
) -> None:
    nodes = of_line(autograd, "double")
    (made,) = [node for node in nodes if node.name == "CosBackward0"]
    assert made.forward_node is not None
    maker = nodes[made.forward_node]
    assert maker.name == "SinBackward0" and maker.phase == "backward"
    assert maker.source == made.source is not None


def test_a_custom_function_is_at_the_line_that_called_it(autograd: Observation) -> None:
    path = program("torch_autograd.py")
    nodes = of_line(autograd, "custom_forward")
    (custom,) = [node for node in nodes if node.name == "DoubledBackward"]
    assert custom.source is not None and custom.source.line == line(path, "custom")
    within = [n for n in nodes if n.source and n.source.line == line(path, "custom_backward")]
    assert [n.op_type for n in within] == ["aten::mul", "aten::mul", "aten::add"]
    assert {n.phase for n in within} == {"backward"}


def test_what_a_checkpoint_runs_again_is_part_of_the_backward_pass(autograd: Observation) -> None:
    path = program("torch_autograd.py")
    plain = of_line(autograd, "recomputed")
    again = [n for n in plain if n.op_type == "aten::sin"]
    assert [(n.phase, n.iteration) for n in again] == [("forward", 0), ("backward", 1)]
    first = autograd.steps.index(
        next(s for s in autograd.steps if s.source and s.source.line == line(path, "checkpoint"))
    )
    reentrant = autograd.nodes(first + 1)
    cos = next(node for node in reentrant if node.name == "CosBackward0")
    assert cos.forward_node is not None and reentrant[cos.forward_node].phase == "backward"
    assert cos.source is not None and cos.source.line == line(path, "recomputed")


def test_each_thread_has_steps_of_its_own(autograd: Observation) -> None:
    path = program("torch_autograd.py")
    steps = [s for s in autograd.steps if s.source and s.source.line == line(path, "threaded")]
    assert len(steps) == 3 * 5
    full = [step for step in steps if step.forward_nodes == 6]
    assert len(full) >= 3 * 4, "all but a thread's first are seen whole"


def test_a_compiled_call_is_one_node() -> None:
    path = program("torch_compilers.py")
    observed = Observation(path)
    around = [s for s in observed.steps if s.kind == "eager" and s.forward_nodes == 1]
    step = around[0]
    assert step.name == "backward"
    call = observed.nodes(step.detail)[0]
    assert (call.name, call.op_type) == ("function", "torch::compile")
    assert call.source is not None and call.source.line == line(path, "compiled")
    ran = [node for node in observed.nodes(step.detail) if node.phase == "backward"]
    assert {node.forward_node for node in ran if node.name != "AccumulateGrad"} == {0}
