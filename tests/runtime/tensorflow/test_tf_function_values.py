"""Stops at calls of compiled functions show what each node put out; nothing computes otherwise."""

from __future__ import annotations

import json
from typing import Any

import pytest
from support.dap import Start
from support.markers import line, program
from tf_debugged import Debugged, Stop, under_debugpy
from tf_observed import ENVIRONMENT, bare

pytestmark = pytest.mark.frameworks

PROGRAM = "functions_truth.py"
MARKS = (
    "outer", "inner", "branch", "mapped", "scanned", "helper", "call", "gone", "loss", "update",
    "generator", "seeded", "layer", "half", "step_loss",
)  # fmt: skip


def flat(value: Any) -> list[Any]:
    return [item for part in value for item in flat(part)] if isinstance(value, list) else [value]


class Truth:
    """The program with all its breakpoints, and what it says itself about their lines."""

    def __init__(self, start: Start) -> None:
        self.bare = bare(PROGRAM).stdout
        self.seen = Debugged(start, PROGRAM, breakpoints=MARKS)
        self.told: dict[str, list[Any]] = {}
        for text in self.bare.splitlines():
            name, *values = text.split("|")
            self.told.setdefault(name, []).extend(json.loads(value) for value in values)

    def stops(self, mark: str) -> list[Stop]:
        """Stops at the boundary, at a line that calls."""
        line = self.seen.line(mark)
        return [stop for stop in self.seen.boundaries if stop.line == line]

    def values(self, stop: Stop, mark: str, *op_types: str) -> list[Any]:
        """What a line's nodes of these types put out, in order."""
        nodes = self.seen.nodes_at(stop.step, mark)
        return [flat(node.outputs[0].value) for node in nodes if node.op_type in op_types]


@pytest.fixture(scope="module")
def truth(start_shared: Start) -> Truth:
    return Truth(start_shared)


def test_the_program_prints_the_same_to_the_bit(truth: Truth) -> None:
    assert truth.seen.stdout == truth.bare, truth.seen.stderr[-2000:]
    assert truth.seen.returncode == 0
    assert not truth.seen.alerts


def test_nested_loops_and_a_branch(truth: Truth) -> None:
    [stop] = truth.stops("loops")
    assert truth.values(stop, "outer", "AddV2") == truth.told["outer"]
    assert truth.values(stop, "inner", "Sub") == truth.told["inner"]
    assert truth.values(stop, "branch", "Mul") == truth.told["branch"]
    assert stop.lines == {truth.seen.line(mark) for mark in ("outer", "inner", "branch")}
    assert "12 executions of" in stop.text and "15 executions of" in stop.text
    iterations = [
        node.iteration
        for node in truth.seen.nodes_at(stop.step, "outer")
        if node.op_type == "AddV2"
    ]
    assert iterations == list(range(6))


def test_map_fn_and_scan_without_autograph(truth: Truth) -> None:
    [stop] = truth.stops("maps")
    squares, scanned = truth.told["mapped"][:3], truth.told["mapped"][3:]
    assert [[v] for v in (0.25, 2.25, 4.0)] == truth.values(stop, "mapped", "Square")
    assert truth.values(stop, "mapped", "TensorListStack") == [flat(squares)]
    assert truth.values(stop, "scanned", "Tanh") == scanned[1:]
    assert {stop.line for stop in truth.seen.building} >= {
        truth.seen.line("mapped"), truth.seen.line("scanned")
    }  # fmt: skip


def test_a_train_step_with_a_function_in_it(truth: Truth) -> None:
    stops = truth.stops("trained")
    losses = [truth.values(stop, "loss", "Mean")[-1] for stop in stops]
    assert losses == truth.told["loss"] and len(losses) == 4
    for stop in stops:
        [softplus] = truth.values(stop, "helper", "Softplus")
        [called] = truth.values(stop, "call", "StatefulPartitionedCall", "PartitionedCall")
        assert called == softplus and len(called) == 8
        # It puts nothing out, and ran.
        assert "AssignSubVariableOp (line " in stop.text
        assert truth.seen.line("gone") not in stop.lines
    assert truth.seen.bound[truth.seen.line("gone")].startswith("never: TensorFlow's optimizer")


def test_a_call_under_a_tape_shows_values(truth: Truth) -> None:
    [stop] = truth.stops("taped")
    assert truth.values(stop, "helper", "Softplus") == truth.told["made"]


def test_a_generator_keeps_its_stream(truth: Truth) -> None:
    stops = truth.stops("noisy")
    assert [truth.values(stop, "generator", "AddV2")[-1] for stop in stops] == truth.told["noisy"]
    assert len(stops) == 3


def test_a_stream_that_a_copy_would_start_anew_has_no_values_and_says_so(truth: Truth) -> None:
    stops = truth.stops("drawn")
    assert len(stops) == 3
    for stop in stops:
        assert "without values, times and repetitions, since RandomStandardNormal" in stop.text
        assert "a condition sees no values there" in truth.seen.bound[truth.seen.line("seeded")]
        assert all(value[0] is None for value in truth.values(stop, "seeded", "AddV2"))


def test_keras_with_a_train_step_and_a_layer_of_the_users(truth: Truth) -> None:
    stops = truth.stops("fit")
    losses = [truth.values(stop, "step_loss", "Mean")[-1] for stop in stops]
    assert losses == truth.told["step_loss"] and len(losses) == 6
    assert all(stop.text.startswith("Model.fit ran ") for stop in stops)
    assert all(truth.seen.nodes_at(stop.step, "half") for stop in stops)


def test_conditions_and_log_points_see_values(start: Start) -> None:
    seen = Debugged(
        start,
        PROGRAM,
        breakpoints={
            "outer": {"condition": "total == 11"},
            "inner": {"logMessage": "{total} in {iteration}"},
            "loss": {"condition": "loss < 0.583"},
            "step_loss": {"hitCondition": "%4", "condition": "node.endswith('Mean')"},
        },
    )
    told = bare(PROGRAM).stdout
    assert seen.stdout == told
    where = [stop.line for stop in seen.boundaries]
    assert where.count(seen.line("loops")) == 1
    assert where.count(seen.line("trained")) == 2
    assert where.count(seen.line("fit")) == 1
    inner = next(line for line in told.splitlines() if line.startswith("inner|"))
    values = [json.loads(value)[0] for value in inner.split("|")[1:]]
    assert seen.logged == [f"{value} in {k}" for k, value in enumerate(values)]


def test_breakpoints_that_come_and_go_between_calls(start: Start) -> None:
    """The function ran as itself before, runs as a copy while there is a breakpoint, and as itself."""
    path = program(PROGRAM)
    trained, loss = line(path, "trained"), line(path, "loss")
    session = start("graphdebug", environment=ENVIRONMENT, timeout=120)
    session.launch(program=path, breakpoints={path: [trained]})
    stops: list[str] = []
    calls = 0
    while (stop := session.next_stop()) is not None:
        stops.append(stop.get("description", ""))
        if stops[-1] == "":
            calls += 1
            session.set_breakpoints(path, [trained, loss] if calls in (3, 4) else [trained])
        session.cont()
    assert session.wait_for_exit() == 0
    assert stops.count("Graph boundary") == 2
    assert session.output("stdout") == bare(PROGRAM).stdout


def test_two_threads_call_one_function(start: Start) -> None:
    seen = Debugged(start, "functions_threads.py", breakpoints=("term",))
    assert seen.stdout == bare("functions_threads.py").stdout
    calls = [step for step in seen.steps_at("calls") if step.kind == "function"]
    told = [seen.values_at(step.index, "term", "Mul") for step in calls]
    assert sorted(map(tuple, told)) == sorted(
        (3 * (10 * number + call),) * 40 for number in (1, 2) for call in range(5)
    )


@pytest.mark.parametrize("mark", ["y", "checked"])
def test_an_error_inside_a_copy_reads_as_one_inside_of_the_function(
    start: Start, mark: str
) -> None:
    seen = Debugged(start, "functions_error.py", breakpoints=(mark,))
    assert seen.stdout == under_debugpy(start, "functions_error.py")
