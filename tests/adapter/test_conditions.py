"""Conditions of breakpoints never end the program, whatever their value is."""

from __future__ import annotations

from support.dap import Start
from support.markers import line, program


def test_a_condition_that_is_neither_true_nor_false_counts_as_one_that_raises(
    start: Start,
) -> None:
    path = program("undecided.py")
    session = start("graphdebug")
    session.launch(
        program=path, breakpoints={path: [{"line": line(path, "looped"), "condition": "value > 0"}]}
    )
    assert session.next_stop() is None
    assert session.wait_for_exit() == 0
    assert session.output("stdout") == "0\n1\n2\n"
    assert "neither true nor false" in session.output("important")


def test_other_conditions_are_as_they_were(start: Start) -> None:
    path = program("undecided.py")
    session = start("graphdebug")
    session.launch(
        program=path, breakpoints={path: [{"line": line(path, "looped"), "condition": "count"}]}
    )
    for expected in ("1", "2"):
        session.wait_for_stop()
        assert session.evaluate("count")["result"] == expected
        session.cont()
    assert session.wait_for_exit() == 0


def test_what_is_said_of_one_that_raises_is_what_debugpy_says(start: Start) -> None:
    path = program("undecided.py")
    conditions = ["missing + 1", " next(once)", "value.missing() > 0", "count >", "bool(value)"]
    wanted = [
        {"line": line(path, "looped") + number, "condition": condition}
        for number, condition in enumerate(conditions, 1)
    ]
    said = []
    for adapter in ("debugpy", "graphdebug"):
        session = start(adapter)
        session.launch(program=path, breakpoints={path: wanted})
        assert session.next_stop() is None
        assert session.wait_for_exit() == 0
        said.append(session.output("important"))
    assert said[0].count("Error while evaluating expression") == 11  # a NameError is passed over
    assert said[1] == said[0]
