"""The program doesn't notice: results, random streams, errors and messages are the same."""

from __future__ import annotations

import functools
import itertools
import subprocess

import pytest
from tf_observed import Observed, bare

pytestmark = pytest.mark.frameworks

CAPTURES = ("off", "steps", "nodes", "values")
TRAININGS = (
    ("v1", "ref", "plain"),
    ("v2", "resource", "plain"),
    ("v2", "resource", "loop"),
    ("v1", "resource", "function"),
)
LINES = ("hidden", "dropout", "shake", "scaled", "loss", "train", "seeded")


@functools.cache
def expected(name: str, *args: str) -> subprocess.CompletedProcess[str]:
    done = bare(name, *args)
    assert done.returncode == 0, done.stderr[-2000:]
    return done


@pytest.mark.parametrize("kind", TRAININGS, ids="-".join)
def test_a_session_trains_to_the_same_bits(kind: tuple[str, ...]) -> None:
    for capture in CAPTURES:
        seen = Observed("tf_training.py", *kind, capture=capture)
        assert seen.stdout == expected("tf_training.py", *kind).stdout, (
            capture,
            seen.stderr[-2000:],
        )
        assert not seen.alerts
    seen = Observed("tf_training.py", *kind, breakpoints=LINES, capture="nodes")
    assert seen.stdout == expected("tf_training.py", *kind).stdout, seen.stderr[-2000:]
    assert not seen.alerts
    stops = [stop for stop in seen.boundaries if stop.frame.line == seen.line("step")]
    assert len(stops) == 6
    for stop in stops:
        valued = [n for n in seen.executed(stop) if any(t.value is not None for t in n.outputs)]
        if kind[2] == "plain":
            assert valued and "without values" not in stop.text
            assert any(n.op_type == "Mean" and n.outputs[0].shape == () for n in valued)
        else:
            # A run with watches would draw otherwise: there are no values, and that is said.
            assert not valued and "without values, since" in stop.text


@pytest.mark.parametrize("how", ["compiled", "eagerly"])
def test_a_keras_model_trains_to_the_same_bits(how: str) -> None:
    for capture in CAPTURES if how == "compiled" else ("nodes",):
        seen = Observed("tf_keras_fit.py", how, capture=capture)
        assert seen.stdout == expected("tf_keras_fit.py", how).stdout, (
            capture,
            seen.stderr[-2000:],
        )
        assert not [alert for alert in seen.alerts if alert.kind == "hook"]
    seen = Observed("tf_keras_fit.py", how, breakpoints=("noisy", "loss", "layer", "apply"))
    assert seen.stdout == expected("tf_keras_fit.py", how).stdout, seen.stderr[-2000:]
    assert not [alert for alert in seen.alerts if alert.kind == "hook"]


@pytest.mark.parametrize("capture", CAPTURES)
def test_errors_are_the_users_own_to_the_letter(capture: str) -> None:
    marks = ("checked", "minus", "multiplied", "item", "function")
    for breakpoints in ((), marks) if capture == "nodes" else ((),):
        seen = Observed("tf_errors.py", capture=capture, breakpoints=breakpoints)
        assert seen.stdout == expected("tf_errors.py").stdout, seen.stderr[-2000:]
        assert not [alert for alert in seen.alerts if alert.kind == "hook"]


@pytest.mark.parametrize("breakpoints", [(), ("body", "squared")])
def test_threads_run_graphs_at_once(breakpoints: tuple[str, ...]) -> None:
    seen = Observed("tf_threads.py", breakpoints=breakpoints)
    assert seen.stdout == expected("tf_threads.py").stdout, seen.stderr[-2000:]
    assert not seen.alerts
    assert len(seen.steps_at("run")) == len(seen.steps_at("call")) == 60
    assert len(seen.boundaries) == (120 if breakpoints else 0)
    for stop in seen.boundaries:
        if stop.frame.line == seen.line("run"):
            values = [n.outputs[0].value for n in seen.executed(stop) if n.op_type == "AddV2"]
            assert len(values) == 5
            assert all(new == 2 * old + 1 for old, new in itertools.pairwise(values))


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
    "functions._eager",
)


@pytest.mark.parametrize("fault", FAULTS)
def test_an_error_of_ours_is_told_once_and_the_program_runs_on(fault: str) -> None:
    seen = Observed("tf_fault.py", fault, breakpoints=("add", "doubled"))
    assert seen.returncode == 0
    assert seen.stdout == expected("tf_fault.py", "none").stdout, seen.stderr[-2000:]
    alerts = [alert for alert in seen.alerts if alert.kind == "hook"]
    assert len(alerts) == 1, seen.alerts
    assert "ZeroDivisionError: a fault put in by the test" in alerts[0].message
    assert "hooked 0" in seen.stderr
