"""tf.functions and Keras: a step for each call, a stop at its boundary, an alert for each retrace."""

from __future__ import annotations

import pytest
from support.dap import Start
from tf_debugged import Debugged, under_debugpy
from tf_observed import Observed, bare, graph_of

pytestmark = pytest.mark.frameworks


def test_calls_are_steps_with_the_nodes_they_were_built_of() -> None:
    seen = Observed("tf_functions.py")
    assert seen.stdout == bare("tf_functions.py").stdout, seen.stderr[-2000:]
    assert not [alert for alert in seen.alerts if alert.kind == "hook"]

    names = {
        "counted": "counted", "counted_again": "counted", "nested": "outer", "concrete": "plain",
        "module": "Module.__call__", "taped": "plain", "literal": "scaled",
    }  # fmt: skip
    for mark, name in names.items():
        [step] = seen.steps_at(mark)
        assert (step.kind, step.name, step.devices) == ("function", name, ("/device:CPU:0",)), mark
    assert not seen.steps_at("fails") and not seen.steps_at("data")
    assert [step.kind for step in seen.steps_at("session")] == ["session"]
    assert not [s for s in seen.steps_at("eagerly") if s.kind == "function"]

    [first], [second] = seen.steps_at("counted"), seen.steps_at("counted_again")
    assert graph_of(seen, first.index) == graph_of(seen, second.index)
    assert first.forward_nodes == len(seen.nodes(first.index))
    [add] = [n for n in seen.nodes_at(first.index, "add") if n.op_type == "AddV2"]
    assert (add.name, add.source and add.source.function) == ("while/body/while/Add", "counted")
    assert [(t.shape, t.dtype, t.value) for t in add.outputs] == [((), "int32", None)]
    [helper] = [n for n in seen.nodes_at(first.index, "helper") if n.op_type == "Mul"]
    assert helper.device == "/device:CPU:0" and len(helper.inputs) == 2


def test_operations_between_calls_are_let_go_of() -> None:
    calls = 2_000
    seen = Observed("tf_memory.py", str(calls))
    assert len(seen.steps) == 2 * calls, seen.stderr[-2000:]
    word, grown = seen.stdout.split()
    # Not one object stays of ten calls; each has three operations around it.
    assert word == "grown" and int(grown) < calls // 10


def test_what_comes_from_outside_is_not_kept_alive() -> None:
    seen = Observed("tf_batches.py")
    assert seen.returncode == 0, seen.stderr[-2000:]
    alive = {name: int(count) for name, count in map(str.split, seen.stdout.splitlines())}
    # Of 4 MB each: a call keeps none, and the open step of eager operations no more than 64 MB.
    assert alive["compiled"] == 0 and alive["eager"] <= 16


def test_calls_stop_for_the_lines_that_ran_in_them(start: Start) -> None:
    marks = ("helper", "add", "branch", "plain", "outer", "variable", "broken", "data")
    seen = Debugged(start, "tf_functions.py", breakpoints=marks)
    assert seen.stdout == under_debugpy(start, "tf_functions.py"), seen.stderr[-2000:]
    assert not [alert for alert in seen.alerts if alert.kind == "hook"]
    stops = [stop for stop in seen.boundaries if stop.line == seen.line("counted")]
    assert len(stops) == 1
    assert stops[0].lines == {seen.line(mark) for mark in ("add", "branch", "helper")}
    assert stops[0].text.startswith("counted ran ")
    assert {node.op_type for node in seen.executed(stops[0])} >= {"AddV2", "Mul"}
    assert seen.bound[seen.line("add")].startswith("boundary: ")
    # AutoGraph runs a copy of the others' code, where debugpy doesn't stop.
    assert {stop.line for stop in seen.building} == {seen.line("plain")}


def test_a_retrace_says_which_argument_changed() -> None:
    seen = Observed("tf_functions.py", capture="steps")
    told = [alert for alert in seen.alerts if alert.kind == "retrace"]
    assert [alert.source and alert.source.line for alert in told] == [
        seen.line(mark) for mark in ("literal", "shape", "size", "dtype")
    ]
    literal, shape, size, dtype = (alert.message for alert in told)
    assert "argument 'by' was the Python value 1 and is the Python value 3" in literal
    assert "pass a tensor" in literal
    assert "argument 'x' was int32 tensor of shape () and is int32 tensor of shape (2,)" in shape
    assert "(2,) and is int32 tensor of shape (3,)" in size and "input_signature" in size
    assert "was int32 tensor of shape (3,) and is float32 tensor" in dtype
    steps = {step.index: step for step in seen.steps}
    assert all(alert.step is not None and steps[alert.step].alerts == 1 for alert in told)


def test_keras_makes_a_step_for_each_batch() -> None:
    seen = Observed("tf_keras_fit.py")
    assert seen.returncode == 0, seen.stderr[-2000:]
    fit = seen.steps_at("fit")
    assert [step.name for step in fit] == ["Model.fit"] * 9
    assert {step.kind for step in fit} == {"function"}
    assert len({graph_of(seen, step.index) for step in fit}) == 1
    assert {step.name for step in seen.steps_at("evaluate")} == {"Model.evaluate"}
    assert {step.name for step in seen.steps_at("predict")} == {"Model.predict"}
    noisy = [node.op_type for node in seen.nodes_at(fit[0].index, "noisy")]
    assert "Mul" in noisy and "AddV2" in noisy
    assert seen.nodes_at(fit[0].index, "apply")
    assert not seen.alerts


def test_keras_stops_for_each_batch(start: Start) -> None:
    seen = Debugged(start, "tf_keras_fit.py", breakpoints=("noisy", "loss"))
    assert seen.returncode == 0, seen.stderr[-2000:]
    stops = [stop for stop in seen.boundaries if stop.line == seen.line("fit")]
    assert len(stops) == 9
    assert all(stop.text.startswith("Model.fit ran ") for stop in stops)
    assert not seen.alerts


@pytest.mark.parametrize(
    ("optimizer", "name"),
    [
        ("keras", "SGD.apply_gradients"),
        ("v1", "MomentumOptimizer.apply_gradients"),
        ("none", "GradientTape.gradient"),
    ],
)
def test_eager_loops_make_a_step_for_each_update(optimizer: str, name: str) -> None:
    seen = Observed("tf_eager.py", optimizer)
    assert seen.stdout == bare("tf_eager.py", optimizer).stdout, seen.stderr[-2000:]
    assert not seen.alerts
    eager = [step for step in seen.steps if step.kind == "eager"]
    assert [step.name for step in eager] == [name] * 4
    line = seen.line("gradient" if optimizer == "none" else "apply")
    assert all(step.source is not None and step.source.line == line for step in eager)
    assert all(step.duration_ns > 0 for step in eager)
    assert [step.name for step in seen.steps if step.kind == "function"] == ["forward"] * 4


def test_the_place_is_building_where_operations_add_nodes() -> None:
    seen = Observed("tf_place.py")
    assert seen.stdout.split() == [
        "eager", "building", "building", "eager", "building", "eager", "0",
    ], seen.stderr[-2000:]  # fmt: skip
    assert not seen.alerts


def test_an_unfit_tensorflow_is_observed_where_it_fits() -> None:
    seen = Observed("tf_place.py", "unfit")
    assert seen.returncode == 0, seen.stderr[-2000:]
    [alert] = seen.alerts
    assert alert.message.startswith("In this TensorFlow tf.functions aren't observed, since ")
    assert "_create_concrete_function takes (changed)" in alert.message
    assert {step.kind for step in seen.steps} == {"session"}
