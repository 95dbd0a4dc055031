"""Small programs with one planted fault each: it is named at its line, and the fixed twin is left alone."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
from support.markers import program
from support.observer import Observation

from graphdebug.protocol.model import Alert
from graphdebug.protocol.runtime import AlertEvent, BackendEvent

pytestmark = pytest.mark.frameworks

ALERTED = {
    "faults_numbers": {"nan", "inf"},
    "faults_learning": {"gradient", "parameter"},
    "faults_shapes": {"shape"},
}
RAISING = "faults_errors"


@cache
def observed() -> Observation:
    """All of them, in one process."""
    return Observation(program("faults.py"), *ALERTED, RAISING)


@cache
def alone() -> subprocess.CompletedProcess[str]:
    command = [sys.executable, program("faults.py"), *ALERTED, RAISING]
    return subprocess.run(command, capture_output=True, text=True)


@cache
def marked(module: str) -> list[tuple[str, int]]:
    """The functions that a fault is in, each with the line of the fault."""
    text = Path(program(f"{module}.py")).read_text()
    lines = [
        number for number, line in enumerate(text.splitlines(), 1) if line.endswith("# @fault")
    ]
    blocks = [
        item for item in ast.parse(text).body if isinstance(item, (ast.FunctionDef, ast.ClassDef))
    ]
    return [
        (block.name, number)
        for number in lines
        for block in blocks
        if block.lineno <= number <= (block.end_lineno or 0)
    ]


@cache
def alerts(module: str) -> list[Alert]:
    path = program(f"{module}.py")
    found = [event.alert for event in observed().of(AlertEvent)]
    assert all(alert.source is not None for alert in found), found
    return [alert for alert in found if alert.source is not None and alert.source.path == path]


def test_there_are_enough_of_them() -> None:
    assert sum(len(marked(module)) for module in (*ALERTED, RAISING)) >= 30


def test_they_run_as_they_do_without_us() -> None:
    assert alone().returncode == 0, alone().stderr
    assert (observed().stdout, observed().returncode) == (alone().stdout, 0)
    states = [event.backend for event in observed().of(BackendEvent)]
    assert states and all(state.active and not state.reason for state in states)


@pytest.mark.parametrize("module", ALERTED)
def test_each_fault_is_named_at_its_line_once_and_no_twin_is(module: str) -> None:
    """A line outside of the faults would be a twin's."""
    told = [alert.source.line for alert in alerts(module) if alert.source is not None]
    assert sorted(told) == sorted(line for _, line in marked(module))
    assert {alert.kind for alert in alerts(module)} == ALERTED[module]


def test_what_raises_does_so_at_its_line() -> None:
    raised = [
        line.split()[1:] for line in observed().stdout.splitlines() if line.startswith("raised")
    ]
    assert {name: int(line) for name, line in raised} == dict(marked(RAISING))
    assert alerts(RAISING) == []


def test_what_raises_is_explained_at_its_line() -> None:
    lines = [line for line in observed().stderr.splitlines() if line.startswith('{"raised"')]
    said = {item["raised"]: item["said"] for item in map(json.loads, lines)}
    assert said.keys() == dict(marked(RAISING)).keys()
    wrong = [
        text
        for name, line in marked(RAISING)
        if f"{RAISING}.py:{line}" not in (text := said[name] or name).partition("\n")[0]
    ]
    assert not wrong, "\n\n".join(wrong)


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (
            "fault_log_of_zero",
            ["log", "made Inf", "were finite", "0 to 6", "through mean", "clamp"],
        ),
        (
            "masked_quotient",
            ["DivBackward0", "made NaN in backward", "model.w.grad", "came through"],
        ),
        ("fault_softmax_by_hand", ["exp", "100 to 300", "through div", "softmax"]),
        ("fault_row_masked_whole", ["softmax", "held Inf, but no NaN", "masked whole"]),
        ("exploding", ["pow", "error: float32 (8, 1)", "values have exploded"]),
        ("fault_update_overflows", ["SGD.step", "finite gradients", "lr 1e+38", "model.w"]),
        ("fault_data", ["came in at mul", "with NaN"]),
        ("fault_detached", ["model.body.weight and model.body.bias", "detach", "cuts them off"]),
        ("fault_frozen_head", ["model.head.weight", "requires_grad is False"]),
        ("fault_never_zeroed", ["Call zero_grad"]),
        ("fault_difference", ["(6, 1)", "(6,)", "(6, 6)", "squeeze"]),
    ],
)
def test_what_is_said(function: str, words: list[str]) -> None:
    module, line = next(
        (module, line) for module in ALERTED for name, line in marked(module) if name == function
    )
    said = next(item.message for item in alerts(module) if item.source and item.source.line == line)
    assert all(word in said for word in words), said
    assert "\n" not in said


def test_where_in_the_step_it_was() -> None:
    """The node that an alert names is the one that it speaks of."""
    for alert in alerts("faults_numbers"):
        if alert.node is not None and alert.step is not None:
            node = observed().nodes(alert.step)[alert.node]
            assert node.name in alert.message
            assert node.source == alert.source or node.phase == "backward"
    assert sum(alert.node is not None for alert in alerts("faults_numbers")) > 15
