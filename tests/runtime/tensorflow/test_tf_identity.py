"""The program doesn't notice: results, random streams, errors and messages are the same."""

from __future__ import annotations

import functools
import itertools
from typing import Any, get_args

import pytest
from support.dap import Start
from tf_debugged import Debugged, under_debugpy
from tf_observed import Observed, bare

from graphdebug.protocol.model import Capture

pytestmark = pytest.mark.frameworks

TRAINING = "tf_training.py"
CAPTURES: tuple[Any, ...] = get_args(Capture)
TRAININGS = (
    ("v1", "ref", "plain"),
    ("v2", "resource", "plain"),
    ("v2", "resource", "loop"),
    ("v1", "resource", "function"),
)
PROGRAMS = (
    *((TRAINING, *kind) for kind in TRAININGS),
    ("tf_keras_fit.py", "compiled"),
    ("tf_keras_fit.py", "eagerly"),
    ("tf_errors.py",),
)
SEVERAL = [":".join(words) for words in PROGRAMS]
LINES = ("hidden", "dropout", "shake", "scaled", "loss", "train", "seeded")


@functools.cache
def expected() -> dict[str, str]:
    """What each of the programs prints, all run in one process."""
    done = bare("several.py", *SEVERAL)
    assert done.returncode == 0, done.stderr[-2000:]
    return parts(done.stdout)


def parts(output: str) -> dict[str, str]:
    """What each of several programs printed."""
    split = dict(part.split("\n", 1) for part in output.split("=== ")[1:])
    assert list(split) == SEVERAL, output
    return split


@pytest.mark.parametrize("capture", CAPTURES)
def test_programs_do_the_same_to_the_bit_and_fail_the_same_to_the_letter(capture: Any) -> None:
    seen = Observed("several.py", *SEVERAL, capture=capture)
    assert seen.returncode == 0, seen.stderr[-2000:]
    printed = parts(seen.stdout)
    for name in SEVERAL:
        assert printed[name] == expected()[name]
    assert not [alert for alert in seen.alerts if alert.kind == "hook"]
    # In programs that don't fail, there is nothing to tell; Keras is traced again where it is asked to.
    assert not [alert for alert in seen.alerts if alert.source and TRAINING in alert.source.path]


@pytest.mark.parametrize("kind", TRAININGS, ids="-".join)
def test_a_session_trains_to_the_same_bits(start: Start, kind: tuple[str, ...]) -> None:
    debugged = Debugged(start, TRAINING, *kind, breakpoints=LINES)
    assert debugged.stdout == expected()[":".join((TRAINING, *kind))], debugged.stderr[-2000:]
    assert not debugged.alerts
    assert len(debugged.building) >= 4
    stops = [stop for stop in debugged.boundaries if stop.line == debugged.line("step")]
    assert len(stops) == 6
    for stop in stops:
        valued = [n for n in debugged.executed(stop) if any(t.value is not None for t in n.outputs)]
        if kind[2] == "plain":
            assert valued and "without values" not in stop.text
            assert any(n.op_type == "Mean" and n.outputs[0].shape == () for n in valued)
        else:
            # A run with watches would draw otherwise: there are no values, and that is said.
            assert not valued and "without values, since" in stop.text


@pytest.mark.parametrize("how", ["compiled", "eagerly"])
def test_a_keras_model_trains_to_the_same_bits(start: Start, how: str) -> None:
    marks = ("noisy", "loss", "layer", "apply")
    debugged = Debugged(start, "tf_keras_fit.py", how, breakpoints=marks)
    assert debugged.stdout == expected()[f"tf_keras_fit.py:{how}"], debugged.stderr[-2000:]
    assert not [alert for alert in debugged.alerts if alert.kind == "hook"]
    where = debugged.stops if how == "eagerly" else debugged.building
    assert {stop.line for stop in where} == {debugged.line(mark) for mark in marks}
    assert bool(debugged.boundaries) == (how == "compiled")


def test_errors_are_the_users_own_under_the_debugger(start: Start) -> None:
    marks = ("checked", "minus", "multiplied", "item", "function")
    seen = Debugged(start, "tf_errors.py", breakpoints=marks)
    assert seen.stdout == under_debugpy(start, "tf_errors.py"), seen.stderr[-2000:]
    assert not [alert for alert in seen.alerts if alert.kind == "hook"]
    assert {stop.line for stop in seen.building} == {seen.line(mark) for mark in marks[:-1]}


@pytest.mark.parametrize("breakpoints", [(), ("body", "squared")])
def test_threads_run_graphs_at_once(breakpoints: tuple[str, ...]) -> None:
    seen = Observed("tf_threads.py", breakpoints=breakpoints)
    assert seen.stdout == bare("tf_threads.py").stdout, seen.stderr[-2000:]
    assert not seen.alerts
    assert len(seen.steps_at("run")) == len(seen.steps_at("call")) == 60
    for step in seen.steps_at("run") if breakpoints else ():
        values = seen.values_at(step.index, "body", "AddV2")
        assert len(values) == 5
        assert all(new == 2 * old + 1 for old, new in itertools.pairwise(values))


def test_one_of_the_threads_stops(start: Start) -> None:
    # Of all runs, only those of the thread that starts with 4 have a 9.
    seen = Debugged(start, "tf_threads.py", breakpoints={"body": {"condition": "value == 9"}})
    assert seen.stdout == bare("tf_threads.py").stdout, seen.stderr[-2000:]
    assert not seen.alerts
    assert [stop.line for stop in seen.stops] == [seen.line("run")] * 10
    for stop in seen.boundaries:
        assert stop.locals["name"]["value"] == "4"
        assert [execution["value"] for execution in stop.executed] == ["int32 () /device:CPU:0 9"]


FAULTS = (
    "session.Sessions:prepare",
    "session.Sessions:collect",
    "session.Sessions:report",
    "record.Record:executions",
    "sources.source_of",
    "signatures.reachable",
    "partitions.executable",
    "watches.Watch:values",
    "static.nodes",
    "calls.Calls:begin",
    "boundary.hits",
    "retraces.Retraces:reason",
    "function_hooks._keras_name",
)


@pytest.mark.parametrize("fault", FAULTS)
def test_an_error_of_ours_is_told_once_and_the_program_runs_on(fault: str) -> None:
    seen = Observed("tf_fault.py", fault, breakpoints=("add", "doubled"))
    assert seen.returncode == 0
    assert seen.stdout == bare("tf_fault.py", "none").stdout, seen.stderr[-2000:]
    alerts = [alert for alert in seen.alerts if alert.kind == "hook"]
    assert len(alerts) == 1, seen.alerts
    assert "ZeroDivisionError: a fault put in by the test" in alerts[0].message
    assert "hooked 0" in seen.stderr
