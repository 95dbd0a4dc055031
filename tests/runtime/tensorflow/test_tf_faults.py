"""Small programs with one planted fault each: it is named at its line, and the fixed twin is left alone."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import pytest
from support.markers import program
from support.observer import Observation
from tf_observed import ENVIRONMENT, bare

from graphdebug.protocol.model import Alert
from graphdebug.protocol.runtime import AlertEvent

pytestmark = pytest.mark.frameworks

FAULTS = program("faults_tensorflow.py")
KINDS = ("eager", "graphs")
NAN = "graphdebug.nan"


@cache
def observed(filtered: bool) -> Observation:
    """All of them in one process; with the filter, those in graphs alone."""
    kinds = KINDS[1:] if filtered else KINDS
    filters = (NAN,) if filtered else ()
    return Observation(Path(FAULTS), *kinds, filters=filters, env=ENVIRONMENT)


def alerts(kind: str) -> list[Alert]:
    """What was told of eager code, and of graphs with the filter."""
    found = [event.alert for event in observed(kind == "graphs").of(AlertEvent)]
    last = max(marked(kind))
    return [
        item for item in found if item.source and (kind == "graphs" or item.source.line <= last)
    ]


@cache
def marked(kind: str) -> dict[int, str]:
    """The lines of the faults, and the functions that they are in."""
    text = Path(FAULTS).read_text()
    (scope,) = (
        item
        for item in ast.parse(text).body
        if isinstance(item, ast.ClassDef) and item.name.lower() == kind
    )
    functions = [item for item in scope.body if isinstance(item, ast.FunctionDef)]
    return {
        number: function.name
        for number, line in enumerate(text.splitlines(), 1)
        for function in functions
        if line.endswith("# @fault") and function.lineno <= number <= (function.end_lineno or 0)
    }


def said(kind: str, function: str) -> str:
    number = next(number for number, name in marked(kind).items() if name == function)
    return next(item.message for item in alerts(kind) if item.source and item.source.line == number)


def test_there_are_enough_of_them() -> None:
    assert sum(len(marked(kind)) for kind in KINDS) >= 20


def test_they_run_to_the_same_bits_as_without_us() -> None:
    alone = bare("faults_tensorflow.py", *KINDS)
    assert observed(False).stdout == alone.stdout and len(alone.stdout.splitlines()) > 40
    graphs = [line for line in alone.stdout.splitlines() if line.startswith("graphs")]
    assert observed(True).stdout.splitlines() == graphs
    for filtered in (False, True):
        assert observed(filtered).returncode == 0
        assert "Warning" not in observed(filtered).stderr


@pytest.mark.parametrize("kind", KINDS)
def test_each_fault_is_named_at_its_line_once_and_no_twin_is(kind: str) -> None:
    """A line outside of the faults would be a twin's."""
    told = [item.source.line for item in alerts(kind) if item.source is not None]
    assert sorted(told) == sorted(marked(kind)), alerts(kind)
    assert {item.kind for item in alerts(kind)} == {"nan", "inf"}


@pytest.mark.parametrize(
    ("kind", "function", "words"),
    [
        (
            "eager",
            "fault_log_of_zero",
            ["Log", "made Inf", "were finite", "0 to 6", "through Mean"],
        ),
        ("eager", "fault_masked_quotient", ["gradient of RealDiv", "made NaN", "gradient of w"]),
        ("eager", "fault_row_masked_whole", ["Softmax", "held Inf, but no NaN", "masked whole"]),
        ("eager", "fault_update_overflows", ["in the variable w after SGD", "have exploded"]),
        ("eager", "fault_evaluation", ["the program reads it", "batch: float32 (2,), 0 to 1"]),
        ("eager", "fault_data", ["NaN came in at Mul", "images: float32 (3,), with NaN"]),
        ("graphs", "fault_session_loop", ["Exp", "made Inf", "what Session.run fetches (sub:0)"]),
        ("graphs", "fault_session_data", ["came in at", "was put into the graph"]),
        (
            "graphs",
            "fault_function_masked",
            ["gradient of RealDiv", "a variable that step writes"],
        ),
        ("graphs", "fault_keras_layer", ["Log", "in a variable that Model.fit writes"]),
        ("graphs", "fault_called_function", ["Log", "what tape.gradient is asked of"]),
    ],
)
def test_what_is_said(kind: str, function: str, words: list[str]) -> None:
    text = said(kind, function)
    assert all(word in text for word in words), text
    assert "\n" not in text


def test_where_in_the_step_it_was() -> None:
    """The node that an alert names is the one that it speaks of."""
    named = [item for item in alerts("eager") if item.node is not None]
    assert len(named) > 8
    for alert in named:
        assert alert.step is not None and alert.node is not None
        node = observed(False).nodes(alert.step)[alert.node]
        assert node.name in alert.message and node.source == alert.source


def test_without_the_filter_the_next_run_tells_or_it_is_said_that_nobody_knows() -> None:
    """Nothing is run again: where a run changed what the next one starts from, its node is gone."""
    found = [event.alert for event in observed(False).of(AlertEvent)]
    lines = {item.source.line: item.message for item in found if item.source}
    numbers = {name: number for number, name in marked("graphs").items()}
    for known in ("fault_session_quotient", "fault_session_loop", "fault_session_data"):
        assert numbers[known] in lines
    # No number that comes out shows the NaN that a masked quotient leaves in the weights.
    texts = [item.message for item in found]
    assert numbers["fault_function_masked"] not in lines
    unknown = [text for text in texts if "which node made it isn't known" in text]
    assert sorted(text.partition(" (")[0] for text in unknown) == [
        "Inf came about in Model.fit",
        "Inf came about in Session.run",
        "Inf came about in step",
    ]
    called = [text for text in texts if "the compiled function logs (" in text]
    assert len(called) == 1 and "made Inf" in called[0]
