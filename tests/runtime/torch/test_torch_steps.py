"""What a step is, as the package's docstring defines it."""

from __future__ import annotations

from itertools import groupby
from typing import Any

import pytest
from support.markers import line, program
from support.observer import Observation

from graphdebug.protocol.dap import Configuration
from graphdebug.protocol.model import Node

pytestmark = pytest.mark.frameworks


def observe(name: str, capture: Any = "nodes") -> Observation:
    observed = Observation(program(name), configuration=Configuration(capture=capture))
    assert observed.returncode == 0, observed.stderr
    return observed


def runs(observed: Observation) -> list[tuple[str, int, int]]:
    """Steps of one name and line in a row, and how many."""
    places = [(step.name, step.source.line if step.source else 0) for step in observed.steps]
    return [(*place, len(list(group))) for place, group in groupby(places)]


@pytest.fixture(scope="module")
def seed() -> Observation:
    return observe("torch_seed.py", "values")


def test_the_seed_makes_ten_steps(seed: Observation) -> None:
    path = program("torch_seed.py")
    assert runs(seed) == [("iteration", line(path, "test"), 10)]
    assert [step.index for step in seed.steps] == list(range(10))
    assert all(step.detail == step.index for step in seed.steps), "values belong to one step"


def test_the_seeds_nodes_have_lines_and_values(seed: Observation) -> None:
    path = program("torch_seed.py")
    for step in range(10):
        test, item, first, second = seed.nodes(step)
        assert (test.op_type, test.source.line) == ("aten::lt", line(path, "test"))  # type: ignore[union-attr]
        assert test.outputs[0].value == [True] and item.outputs[0].value is True
        assert made(first) == ("aten::add_", line(path, "first"), [2.0 * step], [2.0 * step + 2])
        assert made(second) == ("aten::add_", line(path, "second"), [10.0 + step], [11.0 + step])
        assert first.outputs[0].shape == (1,) and first.outputs[0].dtype == "float32"
        assert first.device == "cpu" and first.phase == "forward"
        assert first.source is not None and first.source.path == path


def made(node: Node) -> tuple[str, int, Any, Any]:
    assert node.source is not None
    return node.op_type, node.source.line, node.inputs[0].value, node.outputs[0].value


def test_each_iteration_of_a_loop_that_does_not_differentiate_is_a_step() -> None:
    path = program("torch_loops.py")
    observed = observe("torch_loops.py")
    expected = [
        ("iteration", line(path, "seed"), 10),
        ("iteration", line(path, "caller"), 6),
        ("iteration", line(path, "one_line"), 5),
        ("iteration", line(path, "comprehension"), 3),
        # Not sum(), neither the data loader's items nor the module's layers, no constructor.
        ("iteration", line(path, "evaluated"), 4),
        ("iteration", line(path, "inferred"), 7),
        # Cells of a notebook, run twice; what runs between them is an iteration of the loop around.
        ("iteration", 1, 10),
        ("iteration", line(path, "cell"), 1),
        ("iteration", 1, 3),
    ]
    assert runs(observed) == expected


def test_without_an_optimizer_a_backward_pass_ends_a_step() -> None:
    path = program("torch_by_hand.py")
    for capture in ("nodes", "steps"):
        observed = observe("torch_by_hand.py", capture)
        found = runs(observed)
        assert found[0] == ("backward", line(path, "backward"), 6)
        assert ("grad", line(path, "grad"), 5) in found
        assert found[-1] == ("grad", line(path, "second"), 3)


def test_what_follows_the_backward_pass_is_the_steps_update() -> None:
    path = program("torch_by_hand.py")
    observed = observe("torch_by_hand.py")
    for step in (0, 3, 5):
        nodes = observed.nodes(step)
        updates = [node for node in nodes if node.phase == "optimizer"]
        assert {node.source.line for node in updates if node.source} == {line(path, "update")}
        assert [node.op_type for node in updates] == ["aten::mul", "aten::sub_"] * 2


def test_optimizers_end_steps_however_many_backward_passes_came_before() -> None:
    path = program("torch_many_optimizers.py")
    for capture in ("nodes", "steps"):
        observed = observe("torch_many_optimizers.py", capture)
        gan = [("SGD.step", line(path, "judge"), 1), ("Adam.step", line(path, "maker"), 1)]
        assert runs(observed) == [
            ("SGD.step", line(path, "accumulated"), 3),
            *gan * 3,
            ("RMSprop.step", line(path, "recurrent"), 2),
            ("LBFGS.step", line(path, "newton"), 2),
        ]
    observed = observe("torch_many_optimizers.py")
    recurrent = [n for n in observed.nodes(9) if n.source and n.source.line == line(path, "moment")]
    assert [n.iteration for n in recurrent if n.op_type == "aten::rnn_tanh_cell"] == [0, 1, 2, 3]
    closures = [
        n for n in observed.nodes(11) if n.source and n.source.line == line(path, "closure")
    ]
    assert {n.phase for n in closures} == {"forward", "backward"}


def test_training_steps_share_their_description_once_they_repeat() -> None:
    path = program("torch_mlp.py")
    observed = observe("torch_mlp.py")
    assert runs(observed) == [("SGD.step", line(path, "step"), 16)]
    assert len({step.detail for step in observed.steps}) == 3, "first, first of an epoch, others"
    nodes = observed.nodes(2)
    by_line: dict[str, list[str]] = {}
    for node in nodes:
        by_line.setdefault(str(node.source.line if node.source else None), []).append(node.name)
    for mark, names in {
        "first": ["linear", "AddmmBackward0", "TBackward0"],
        "norm": ["add_", "batch_norm", "NativeBatchNormBackward0"],
        "relu": ["relu", "ReluBackward0"],
        "drop": ["dropout", "MulBackward0"],
        "loss": ["cross_entropy", "NllLossBackward0", "LogSoftmaxBackward0"],
    }.items():
        assert by_line[str(line(path, mark))] == names
    clipped = [n for n in nodes if n.source and n.source.line == line(path, "clip")]
    assert clipped and {n.phase for n in clipped} == {"optimizer"}
    stepped = [n for n in nodes if n.source and n.source.line == line(path, "step")]
    assert len(stepped) == 3 * 6 and {n.phase for n in stepped} == {"optimizer"}
    step = observed.steps[2]
    assert step.forward_nodes + step.backward_nodes == len(nodes)
    assert step.devices == ("cpu",) and step.duration_ns > 0


def test_evaluation_in_a_program_that_trains() -> None:
    path = program("torch_cnn.py")
    observed = observe("torch_cnn.py")
    epoch = [("AdamW.step", line(path, "step"), 3), ("iteration", line(path, "eval"), 3)]
    assert runs(observed) == epoch * 3


def test_nothing_is_recorded_when_it_is_off() -> None:
    assert observe("torch_mlp.py", "off").steps == []
