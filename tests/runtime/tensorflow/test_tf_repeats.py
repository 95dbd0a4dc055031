"""Steps that are as the last one are told in short: each has its own line, name and nodes all the same."""

from __future__ import annotations

import pytest
from support.dap import Start
from support.markers import line, program
from tf_observed import Observed, bare, graph_of

pytestmark = pytest.mark.frameworks

LINES = {
    "doubled": "run_doubled", "added": "run_added", "again": "run_again",
    "squared": "call_squared", "twice": "call_twice", "cubed": "call_cubed",
}  # fmt: skip


@pytest.mark.parametrize("seed", ["1", "2"])
def test_each_step_is_told_as_what_it_was(seed: str) -> None:
    seen = Observed("tf_repeats.py", seed)
    assert seen.stdout == bare("tf_repeats.py", seed).stdout, seen.stderr[-2000:]
    ran = [tuple(text.split()[:2]) for text in seen.stdout.splitlines()]
    lines = [step.source.line if step.source else 0 for step in seen.steps]
    assert lines == [seen.line(LINES[which]) for which, _ in ran]
    kinds = {"squared": "squared", "twice": "squared", "cubed": "cubed"}
    assert [step.name for step in seen.steps] == [
        kinds.get(which, "Session.run") for which, _ in ran
    ]
    graphs = {"again": "doubled", "twice": "squared"}
    by_graph: dict[str, set[int | None]] = {}
    for (which, _), step in zip(ran, seen.steps, strict=True):
        by_graph.setdefault(graphs.get(which, which), set()).add(graph_of(seen, step.index))
        assert step.forward_nodes == len(seen.nodes(step.index)) > 0
        assert step.duration_ns > 0
    numbers = [number for found in by_graph.values() for number in found]
    assert len(numbers) == len(set(numbers)), "graphs are mixed up"


@pytest.mark.parametrize("which", ["doubled", "squared"])
def test_breakpoints_that_come_and_go_are_heard_by_the_next_run(
    start: Start, graphdebug_adapter: str, which: str
) -> None:
    path = program("tf_repeats.py")
    session = start(graphdebug_adapter, timeout=120)
    session.launch(program=path, args=["3"], breakpoints={path: [line(path, "loop")]})
    for _ in range(40):  # each graph ran as before by then
        session.wait_for_stop()
        session.cont()
    session.wait_for_stop()
    session.set_breakpoints(path, [line(path, which)])
    for _ in range(3):
        session.cont()
        session.wait_for_stop()
        assert session.place()[1] in {line(path, mark) for mark in LINES.values()}
    session.set_breakpoints(path, [])
    session.cont()
    assert session.wait_for_exit() == 0
    assert session.output() == bare("tf_repeats.py", "3").stdout
