"""Functions that torch compiled: what a breakpoint in each is answered, and that this is what happens."""

from __future__ import annotations

import os
from collections import Counter
from typing import Any

import pytest
from support.dap import Session, Start
from support.markers import line, program

pytestmark = pytest.mark.frameworks

PROGRAM = program("compiled.py")
RUNS = 2

CALLED = {
    "helper": "function",
    "function": "function",
    "calls": "function",
    "before": "broken",
    "after": "broken",
    "linear": "compiled_layer layer",
    "relu": "compiled_layer layer",
    "scripted": "scripted loaded",
    "loop": "scripted loaded",
    "method": "module",
    "traced": "traced",
    "exported": "exported",
}
"""The lines of graphs, and the lines of ``main`` whose calls run those."""

REMOVED = {"folded", "returned"}
"""Lines that no node is left of."""

COMPILED = {"helper", "folded", "function", "calls", "before", "after", "linear", "relu"}
"""Lines that torch.compile compiles."""


def launch(session: Session, marks: list[str], *args: str, **config: Any) -> dict[int, str]:
    """Run the program with breakpoints; their ids, and the marks they stand at."""
    lines = [line(PROGRAM, mark) for mark in marks]
    session.launch(program=PROGRAM, args=list(args), breakpoints={PROGRAM: lines}, **config)
    return {
        item["id"]: mark for item, mark in zip(session.breakpoints[PROGRAM], marks, strict=True)
    }


def answers(session: Session, ids: dict[int, str]) -> dict[str, str]:
    """The kinds that breakpoints were answered with, and corrected to since."""
    bodies = [
        *session.breakpoints[PROGRAM],
        *(event["breakpoint"] for event in session.client.pending_events("breakpoint")),
    ]
    return {ids[item["id"]]: item["message"].partition(":")[0] for item in bodies}


def stops(session: Session, ids: dict[int, str]) -> Counter[tuple[str, str, str]]:
    """Each stop to the end: the breakpoint's mark, what the stop is called, the mark where it is."""
    marks = _marks()
    seen: Counter[tuple[str, str, str]] = Counter()
    while (stop := session.next_stop()) is not None:
        frame = session.frame()
        for id in stop["hitBreakpointIds"]:
            seen[ids[id], stop.get("description", ""), marks[frame["line"]]] += 1
        session.cont()
    assert session.output().endswith("done\n")
    return seen


def _marks() -> dict[int, str]:
    with open(PROGRAM) as file:
        found = enumerate((text.rpartition("# @")[2].strip() for text in file), 1)
        return dict(found)


@pytest.mark.parametrize("backend", ["eager", "aot_eager"])
def test_a_line_of_a_graph_stops_where_the_graph_is_called(
    start: Start, graphdebug_adapter: str, backend: str
) -> None:
    session = start(graphdebug_adapter, timeout=120)
    marks = [*CALLED, *REMOVED, "plain"]
    ids = launch(session, marks, backend)
    promised = answers(session, ids)
    assert promised == {**dict.fromkeys(marks, "boundary"), "plain": "line"}
    seen = stops(session, ids)
    expected = {
        (mark, "Graph boundary", f"call_{call}"): RUNS
        for mark, calls in CALLED.items()
        for call in calls.split()
    }
    building = {key: seen.pop(key) for key in list(seen) if key[0] == key[2] != "plain"}
    assert set(building) == {("traced", "", "traced"), ("exported", "", "exported")}
    assert seen == {**expected, ("plain", "", "plain"): RUNS}
    kinds = answers(session, ids)
    assert {mark for mark, kind in kinds.items() if kind == "never"} == REMOVED


def test_node_runs_the_function_eagerly(start: Start, graphdebug_adapter: str) -> None:
    session = start(graphdebug_adapter, timeout=120)
    marks = [*sorted(COMPILED), "scripted"]
    ids = launch(session, marks, staticGraphs="node")
    for item in session.breakpoints[PROGRAM][: len(COMPILED)]:
        assert item["message"].startswith(
            "node: runs eagerly while this breakpoint is set; results may differ in the last bits "
            "from the compiled ones"
        )
    seen = stops(session, ids)
    times = {mark: RUNS * len(CALLED.get(mark, "one").split()) for mark in COMPILED}
    assert {key: seen[key] for key in seen if key[0] != "scripted"} == {
        (mark, "", mark): count for mark, count in times.items()
    }
    kinds = answers(session, ids)
    assert kinds == {**dict.fromkeys(COMPILED, "node"), "scripted": "boundary"}
    # Nothing but the function without a breakpoint was compiled.
    assert "'unique_graphs': 1}" in session.output()


@pytest.mark.parametrize(("mark", "graphs"), [("helper", 6), ("function", 5)])
def test_node_goes_back_to_compiled(
    start: Start, graphdebug_adapter: str, mark: str, graphs: int
) -> None:
    """Dynamo has to look once to see that ``function`` inlines ``helper``; that graph isn't used."""
    session = start(graphdebug_adapter, timeout=120)
    launch(session, [mark, "plain"], staticGraphs="node")
    assert session.wait_for_stop() and session.place()[1] == line(PROGRAM, mark)
    session.set_breakpoints(PROGRAM, [line(PROGRAM, "plain")])
    session.cont()
    for _ in range(RUNS):
        session.wait_for_stop()
        assert session.place()[1] == line(PROGRAM, "plain")
        session.cont()
    assert session.wait_for_exit() == 0
    compiled = [text for text in session.output().splitlines() if "unique_graphs" in text]
    assert f"'unique_graphs': {graphs}}}" in compiled[0]


def test_node_from_the_second_run_on(start: Start, graphdebug_adapter: str) -> None:
    """A breakpoint in what has been compiled already, and inlined."""
    session = start(graphdebug_adapter, timeout=120)
    launch(session, ["plain"], staticGraphs="node")
    session.wait_for_stop()
    (answer,) = session.set_breakpoints(PROGRAM, [line(PROGRAM, "helper")])
    assert answer["message"].startswith("node: runs eagerly")
    session.cont()
    session.wait_for_stop()
    assert session.place()[1] == line(PROGRAM, "helper")
    session.cont()
    assert session.wait_for_exit() == 0


def test_a_boundary_shows_the_nodes(start: Start, graphdebug_adapter: str) -> None:
    session = start(graphdebug_adapter, timeout=120)
    launch(session, ["helper"])
    stop = session.wait_for_stop()
    assert stop["text"].startswith(f"function ran b (line {line(PROGRAM, 'helper')})")
    scope = next(scope for name, scope in session.scopes().items() if name.startswith("Graph run"))
    (node,) = session.variables(scope["variablesReference"]).values()
    assert (node["name"], node["value"]) == ("b [0]", "float32 (3, 4) cpu")
    (step,) = (s for s in session.request("graphdebugSteps")["steps"] if s["kind"] == "compiled")
    assert (step["name"], step["forwardNodes"]) == ("function", 4)
    assert step["source"]["line"] == line(PROGRAM, "call_function")
    nodes = session.request("graphdebugNodes", step=step["index"])["nodes"]
    assert [node["opType"] for node in nodes] == [
        "aten::mul",
        "aten::relu",
        "aten::mul",
        "aten::sum",
    ]
    assert [node["phase"] for node in nodes] == ["graph"] * 4
    assert nodes[1]["source"]["function"] == "helper"
    session.set_breakpoints(PROGRAM, [])
    session.cont()
    assert session.wait_for_exit() == 0


def test_conditions_and_log_points(start: Start, graphdebug_adapter: str) -> None:
    session = start(graphdebug_adapter, timeout=120)
    session.launch(
        program=PROGRAM,
        breakpoints={
            PROGRAM: [
                {"line": line(PROGRAM, "helper"), "logMessage": "ran {node} in {phase}"},
                {"line": line(PROGRAM, "function"), "hitCondition": "2"},
                {"line": line(PROGRAM, "before"), "condition": "False"},
            ]
        },
    )
    stop = session.wait_for_stop()
    assert session.output().count("ran b in graph") == 2
    assert f"(line {line(PROGRAM, 'function')})" in stop["text"]
    session.cont()
    assert session.wait_for_exit() == 0


@pytest.mark.parametrize("sub_process", [True, False])
def test_inductor_under_the_debugger(
    start: Start, graphdebug_adapter: str, sub_process: bool, tmp_path_factory: Any
) -> None:
    """Its probes and workers run without a debugger, are no ranks, and end with the program."""
    path = program("inductor.py")
    cache = (
        tmp_path_factory.getbasetemp() / "inductor"
    )  # what it compiled once is there for the other
    session = start(
        graphdebug_adapter,
        timeout=240,
        environment={"TORCHINDUCTOR_CACHE_DIR": str(cache)},
    )
    session.launch(program=path, breakpoints={path: [line(path, "body")]}, subProcess=sub_process)
    stop = session.wait_for_stop()
    assert session.place()[1] == line(path, "call")
    assert "inductor fuses nodes" in stop["text"] and "nothing depends on unused" in stop["text"]
    session.cont()
    assert session.wait_for_exit() == 0
    assert not session.client.pending_events("debugpyAttach")
    assert len(session.request("graphdebugState")["ranks"]) == 1
    worker = int(session.output().split("worker ")[1].split()[0])
    session.client.wait_until(lambda: not _runs(worker), "the end of inductor's worker")


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
