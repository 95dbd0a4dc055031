"""Sessions of TensorFlow 1: their steps, their nodes, and the stops at their boundary."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.dap import Start
from support.markers import line, program
from support.observer import Observation
from tf_debugged import Debugged, under_debugpy
from tf_observed import ENVIRONMENT, Observed, bare, graph_of, graphs

from graphdebug.protocol.runtime import GraphEvent

pytestmark = pytest.mark.frameworks

FLOWS = ("v1", "v2")


@pytest.mark.parametrize("flow", FLOWS)
def test_the_seeds_loop_stops_at_the_boundary_with_its_ten_executions(
    start: Start, flow: str
) -> None:
    seen = Debugged(start, "tf_seed.py", flow, breakpoints=("add",))
    assert seen.stdout == "20 20\n", seen.stderr
    [step] = seen.steps
    assert (step.kind, step.framework, step.name) == ("session", "tensorflow", "Session.run")
    assert step.source is not None and step.source.line == seen.line("run")
    assert step.duration_ns > 0 and step.devices == ("/device:CPU:0",)
    assert step.forward_nodes == len(seen.nodes(0)) > 100

    nodes = seen.nodes_at(0, "add")
    assert [node.outputs[0].value for node in nodes] == list(range(2, 21, 2))
    assert [node.iteration for node in nodes] == list(range(10))
    assert {node.op_type for node in nodes} == {"AddV2"}
    for node in nodes:
        assert node.source is not None and node.source.function == "body"
        assert [(t.dtype, t.shape, t.bytes) for t in node.outputs] == [("int32", (), 4)]
        assert len(node.inputs) == 2 and node.phase == "graph"

    [stop] = seen.boundaries
    assert seen.executed(stop) == nodes
    assert stop.step == 0 and stop.line == step.source.line
    assert stop.lines == {seen.line("add")}
    name = "while/Add" if flow == "v1" else "while/body/_1/Add"
    line = seen.line("add")
    assert stop.text == f"Session.run made 10 executions of {name} (line {line})"
    assert seen.bound[line].startswith("boundary: ")
    assert [stop.line for stop in seen.building] == [line] and len(seen.stops) == 2


def test_without_breakpoints_a_graph_is_described_once_and_without_values() -> None:
    seen = Observed("tf_seed.py", "v2")
    assert [len(event.nodes) for event in graphs(seen)] == [seen.steps[0].forward_nodes]
    adds = seen.nodes_at(0, "add")
    assert [node.outputs[0].value for node in adds] == [None] * 10
    # Each takes, through the nodes of the loop, what the one before it made.
    nodes, reached = seen.nodes(0), set[int]()
    for node in nodes:
        if node.index == adds[0].index or reached.intersection(node.input_nodes):
            reached.add(node.index)
    assert reached.issuperset(node.index for node in adds)
    assert all(at < node.index for node in nodes for at in node.input_nodes)
    assert seen.bound[seen.line("add")].kind == "boundary"
    assert not seen.alerts


def test_runs_are_sampled_for_what_their_nodes_take_and_how_often_they_run(tmp_path: Path) -> None:
    """The nodes of a step are those of the last sample before it, and that is what it says."""
    over = tmp_path / "over"

    class Sampled(Observation):
        def _reaction(self, name: str, event: Any) -> dict[str, Any] | None:
            if len(self.of(GraphEvent)) == 2:
                over.touch()
            return super()._reaction(name, event)

    path = program("tf_sampled.py")
    seen = Sampled(path, str(over), env=ENVIRONMENT)
    assert seen.stdout.split() == ["3", "{7}"], seen.stderr
    first, second = seen.of(GraphEvent)[:2]
    for event, rounds in ((first, 3), (second, 7)):
        added = [
            n for n in event.nodes if n.op_type == "AddV2" and n.source.line == line(path, "add")
        ]
        assert [node.iteration for node in added] == list(range(rounds))
        assert {node.device for node in event.nodes} == {"/device:CPU:0"}
        assert any(node.duration_ns for node in event.nodes)
    assert first.shared and second.shared
    sampled = next(step for step in seen.steps if step.detail)
    assert sampled.detail == sampled.index and sampled.forward_nodes == len(second.nodes)
    for step in seen.steps:
        before = step.index < sampled.index
        assert step.forward_nodes == len((first if before else second).nodes)
        assert step.detail == (0 if before else sampled.index)


@pytest.mark.parametrize("capture", ["off", "steps", "nodes", "values"])
def test_every_entry_makes_one_step_and_prints_what_it_prints_without_us(capture: str) -> None:
    expected = bare("tf_entries.py")
    assert expected.returncode == 0, expected.stderr
    seen = Observed("tf_entries.py", capture=capture)
    assert seen.stdout == expected.stdout, seen.stderr
    assert not seen.alerts
    if capture == "off":
        assert not seen.steps and not graphs(seen)
        return
    for mark in (
        "initialize", "run", "structure", "eval", "operation", "callable_fed", "callable_tensor",
        "callable_operation", "callable_list", "callable_options", "part_one", "part_two",
        "made_again", "interactive", "monitored", "monitored_again",
    ):  # fmt: skip
        assert len(seen.steps_at(mark)) == 1, mark
    assert len(seen.steps_at("made")) == 2
    assert not seen.steps_at("nothing") and not seen.steps_at("error")
    if capture == "steps":
        assert not graphs(seen)
        assert {step.forward_nodes for step in seen.steps} == {0}
        return
    [run], [again] = seen.steps_at("run"), seen.steps_at("eval")
    assert {node.name for node in seen.nodes(run.index)} >= {"x", "mul", "Sum"}
    part_one, part_two = (seen.steps_at(f"part_{n}")[0].index for n in ("one", "two"))
    assert [n.name for n in seen.nodes_at(part_one, "multiply")] == ["mul"]
    assert [n.op_type for n in seen.nodes_at(part_two, "sum")] == ["Const", "Sum"]
    if capture == "nodes":
        assert graph_of(seen, run.index) == graph_of(seen, again.index)
        assert again.detail == run.index
    else:
        assert graph_of(seen, run.index) != graph_of(seen, again.index)
        assert seen.values_at(run.index, "sum", "Sum") == [9.0]
        assert seen.values_at(again.index, "multiply", "Mul") == [[3.0, 6.0]]


def test_breakpoints_stop_at_every_entry(start: Start) -> None:
    seen = Debugged(start, "tf_entries.py", breakpoints=("sum",))
    assert seen.stdout == under_debugpy(start, "tf_entries.py"), seen.stderr
    assert not seen.alerts
    for mark in ("run", "structure", "eval", "callable_fed", "made", "interactive"):
        stops = [stop for stop in seen.boundaries if stop.line == seen.line(mark)]
        assert len(stops) == (2 if mark == "made" else 1), mark
        for stop in stops:
            assert seen.values_at(stop.step, "sum", "Sum") == [9.0]


@pytest.mark.parametrize("flow", FLOWS)
def test_control_flow_gradients_and_values_of_every_kind(start: Start, flow: str) -> None:
    marks = (
        "inner", "outer", "taken", "untaken", "mapped", "scanned", "power", "slope", "ratio",
        "folded", "split", "total", "updated", "text", "large",
    )  # fmt: skip
    seen = Debugged(start, "tf_loops.py", flow, breakpoints=marks)
    assert seen.stdout == bare("tf_loops.py", flow).stdout, seen.stderr
    assert not seen.alerts

    def at(run: str, turn: int = 0) -> int:
        return seen.steps_at(f"run_{run}")[turn].index

    nested, kinds = at("nested"), {"AddV2", "Mul"}
    assert seen.values_at(nested, "inner", "AddV2") == [10, 20, 50, 60, 130, 140]
    assert seen.values_at(nested, "outer", "Mul") == [40, 120, 280]
    lines = seen.line("inner"), seen.line("outer")
    order = [n for n in seen.nodes(nested) if n.source is not None and n.source.line in lines]
    assert [n.outputs[0].value for n in order if n.op_type in kinds] == [
        10, 20, 40, 50, 60, 120, 130, 140, 280,
    ]  # fmt: skip

    assert seen.values_at(at("cond"), "taken", "AddV2") == [[4.0, 2.0, 0.0]]
    assert not seen.nodes_at(at("cond"), "untaken")
    assert seen.values_at(at("maps"), "mapped", "Square") == [9.0, 1.0, 1.0]
    sums = seen.values_at(at("maps", 1), "scanned", "AddV2")
    assert [value for value in sums if isinstance(value, float)] == [4.0, 3.0]

    gradient = at("gradient")
    assert seen.values_at(gradient, "power", "Mul") == [3.0, 9.0, 27.0]
    slope = seen.nodes_at(gradient, "slope")
    assert slope and {node.op_type for node in slope} >= {"Mul"}
    assert any(node.outputs and node.outputs[0].value == [27.0, 0.0, 0.0] for node in slope)

    assert ["inf", "nan", "-inf"] in [
        node.outputs[0].value for node in seen.nodes_at(at("ratio"), "ratio")
    ]  # the optimizer may make a product of it
    rest = at("rest")
    [split] = [node for node in seen.nodes_at(rest, "split") if node.op_type == "Split"]
    assert [tensor.value for tensor in split.outputs] == [[3.0], [1.0], [-1.0]]
    assert seen.values_at(rest, "updated", "Mul")[-1] == [24.0, 8.0, -8.0]
    assert seen.values_at(rest, "text", "AsString") == [["3.000000"]]
    [large] = [node for node in seen.nodes_at(rest, "large") if node.op_type == "Mul"]
    assert large.outputs[0].shape == (20,) and large.outputs[0].value is None


def test_what_the_optimizer_removed_is_said_and_never_stops(start: Start) -> None:
    marks = ("folded", "taken")
    seen = Debugged(start, "tf_loops.py", "v1", breakpoints=marks)
    folded = [stop for stop in seen.boundaries if stop.line == seen.line("run_folded")]
    reason = Observed("tf_loops.py", "v1", breakpoints=marks).bound[seen.line("folded")].reason
    assert folded or "optimizer left nothing" in reason
    assert not folded or seen.values_at(folded[0].step, "folded", "Const") == [6.0]


def test_conditions_hit_conditions_and_log_points_are_asked_for_each_execution(
    start: Start,
) -> None:
    seen = Debugged(
        start,
        "tf_loops.py",
        "v2",
        breakpoints={
            "inner": {"condition": "b == 60 and phase == 'graph'"},
            "outer": {"hitCondition": ">= 2"},
            "power": {"logMessage": "{iteration}: {value} of {node.rsplit('/')[-1]} {missing}"},
            "updated": {"condition": "x[0] == SCALE + 14"},
            "total": {"condition": "total == 3"},
            "split": {"condition": "third[0] == -1"},
            "large": {"condition": "value.sum() == 60"},
            "mapped": {"condition": "value > 100"},
        },
    )
    # debugpy's own log point, where the graph is built, has no such names.
    stdout = seen.stdout.replace("name 'iteration' is not defined\n", "")
    assert stdout == bare("tf_loops.py", "v2").stdout, seen.stderr

    def stopped(run: str) -> list[list[object]]:
        stops = [s for s in seen.boundaries if s.line == seen.line(f"run_{run}")]
        return [[n.outputs[0].value for n in seen.executed(stop)] for stop in stops]

    assert stopped("nested") == [[60, 120, 280]]
    assert "1 of which the breakpoint stops at," in seen.boundaries[0].text
    assert [text.split(" <")[0] for text in seen.logged if "mul" in text] == [
        "0: 3.0 of mul", "1: 9.0 of mul", "2: 27.0 of mul",
    ]  # fmt: skip
    assert all("<NameError: name 'missing' is not defined>" in text for text in seen.logged)
    assert [text.split(" <")[0] for text in seen.logged if "add" in text] == [
        "0: 1 of add", "1: 2 of add", "2: 3 of add",
    ]  # fmt: skip
    assert not stopped("gradient") and not stopped("maps")
    [rest] = stopped("rest")
    assert [24.0, 8.0, -8.0] in rest and 3.0 in rest and [3.0] in rest and None in rest
    assert len(rest) == 4
