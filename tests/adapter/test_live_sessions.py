"""Stops inside of running sessions: where, how often, with which values; and nothing is changed."""

from __future__ import annotations

from collections import Counter, defaultdict

import pytest
from support.dap import Session, Start
from support.live import ENVIRONMENT, INSIDE, OVER, bare, evaluated, frames, node_stops
from support.markers import line, program

pytestmark = pytest.mark.frameworks

SEED = program("seed_tensorflow.py")
GRAPHS = program("live_graphs.py")
KINDS = pytest.mark.parametrize("kind", ["v1", "v2"])


def begin(start: Start, path: str, *args: str, **config: object) -> Session:
    """Launch with stops inside of graphs."""
    session = start("graphdebug", timeout=120, environment=ENVIRONMENT)
    session.launch(program=path, args=list(args), **{"staticGraphs": "node", **config})
    return session


def first_inside(session: Session) -> None:
    """Go on to the first stop at a node."""
    while session.wait_for_stop().get("description") != INSIDE:
        session.cont()


@KINDS
def test_the_seed_stops_in_each_iteration(start: Start, kind: str) -> None:
    add = line(SEED, "add")
    session = begin(start, SEED, kind, breakpoints={SEED: [add]})
    (breakpoint,) = session.breakpoints[SEED]
    assert breakpoint["message"].startswith("node: ")
    assert "not built" not in session.said()
    stops = node_stops(session, evaluated("f'{first_counter} {value} {iteration} {phase}'"))
    assert [stop.seen for stop in stops] == [
        f"{2 * n + 2} {2 * n + 2} {n} graph" for n in range(10)
    ]
    for number, stop in enumerate(stops):
        assert stop.stack == [("body", add), ("<module>", line(SEED, "run"))]
        assert stop.event["reason"] == "breakpoint"
        assert stop.event["hitBreakpointIds"] == [breakpoint["id"]]
        assert f"iteration {number}, in Session.run (step 0)" in stop.event["text"]
        assert "Add (AddV2)" in stop.event["text"]
    assert session.output() == "20\n20\n"
    (step,) = session.request("graphdebugSteps")["steps"]
    assert (step["kind"], step["source"]["line"]) == ("session", line(SEED, "run"))
    (changed,) = session.client.pending_events("breakpoint") or [None]
    assert changed is None or changed["breakpoint"]["message"].startswith("node: ")
    assert not session.client.pending_events("graphdebugAlert")


VARIABLES = {
    "inner": "b",
    "even": "value",
    "mapped": "value",
    "scanned": "value",
    "power": "p",
    "noise": "noise",
    "moved": "moved",
    "total": "total",
    "split": "first + second + third",
}
"""Marked lines, and what of theirs is looked at; nodes of a line that don't make it are left out."""


@KINDS
def test_every_kind_of_graph_stops_with_the_values_that_it_computes(
    start: Start, kind: str
) -> None:
    truth = bare(GRAPHS, kind)
    lines = {line(GRAPHS, mark): mark for mark in VARIABLES}
    session = begin(start, GRAPHS, kind, breakpoints={GRAPHS: list(lines)})
    seen: dict[tuple[str, str], list[str]] = defaultdict(list)
    callers = {
        line(GRAPHS, f"run_{name}"): name
        for name in ("nested", "branched", "mapped", "scanned", "powers", "slope", "train", "parts")
    }
    callers |= {
        line(GRAPHS, name): name for name in ("call_fed", "call_unfed", "eval", "monitored")
    }
    while (event := session.next_stop()) is not None:
        if event.get("description") == INSIDE:
            (_, at), (caller, called) = frames(session)
            assert caller == "<module>"
            expression = f"numbers({VARIABLES[lines[at]]})"
            wanted = VARIABLES[lines[at]].split(" ")[0]
            if wanted in session.locals():
                seen[callers[called], lines[at]].append(
                    session.evaluate(expression)["result"].strip("'")
                )
        session.cont()
    assert session.output() == truth
    assert not session.client.pending_events("graphdebugAlert")

    said = defaultdict(list)
    for text in truth.splitlines():
        name, *values = text.split()
        said[name].append(values)
    (inner,), (branched,), (mapped,), (scanned,) = (
        said[name] for name in ("inner", "branched", "mapped", "scanned")
    )
    assert seen.pop(("nested", "inner")) == inner
    assert seen.pop(("branched", "even")) == branched[::2]
    assert seen.pop(("mapped", "mapped")) == mapped
    assert seen.pop(("scanned", "scanned")) == scanned[1:]
    powers = [float(3**n).hex() for n in (1, 2, 3)]
    assert seen.pop(("powers", "power")) == powers
    assert seen.pop(("slope", "power")) == powers
    noise, moved = seen.pop(("train", "noise")), seen.pop(("train", "moved"))
    assert [f"noise {a} moved {b}" for a, b in zip(noise, moved, strict=True)] == [
        text for text in truth.splitlines() if text.startswith("noise")
    ]
    assert seen.pop(("call_fed", "total")) == said["total"][0]
    assert seen.pop(("call_unfed", "moved")) == [" ".join(said["moved"][0])]
    assert len(seen.pop(("call_unfed", "noise"))) == 1
    assert seen.pop(("eval", "total")) == said["eval"][0]
    assert seen.pop(("parts", "split")) == [float(3).hex()]
    (monitored,) = said["monitored"]
    assert seen.pop(("monitored", "moved")) == [" ".join(monitored[:3])]
    assert seen.pop(("monitored", "total")) == monitored[3:]
    assert len(seen.pop(("monitored", "noise"))) == 1
    assert not seen


@KINDS
def test_next_goes_from_node_to_node_and_back_to_the_caller(start: Start, kind: str) -> None:
    add = line(SEED, "add")
    session = begin(start, SEED, kind, breakpoints={SEED: [add]})
    first_inside(session)
    session.set_breakpoints(SEED, [])
    seen: Counter[int] = Counter({frames(session)[0][1]: 1})
    for turn in range(100):
        session.request("stepIn" if turn % 2 else "next", threadId=session.thread)
        stop = session.wait_for_stop("step")
        if stop["description"] == OVER:
            break
        at = frames(session)
        assert stop["hitBreakpointIds"] == []
        assert at[1:] == [("<module>", line(SEED, "run"))]
        assert session.evaluate("value")["result"]
        seen[at[0][1]] += 1
    assert stop["description"] == OVER
    assert frames(session) == [("<module>", line(SEED, "run"))]
    assert seen[add] == 10
    assert seen[add + 1] >= 9  # which of both is first in an iteration, is open
    assert seen[line(SEED, "cond")] >= 10
    session.step()  # the end of the ``with``
    assert session.step() == ("seed_tensorflow.py", line(SEED, "printed"))
    session.cont()
    assert session.wait_for_exit() == 0
    assert session.output() == "20\n20\n"


@KINDS
def test_a_breakpoint_ends_a_step_out_and_a_graph_without_more_goes_to_the_caller(
    start: Start, kind: str
) -> None:
    add = line(SEED, "add")
    session = begin(start, SEED, kind, breakpoints={SEED: [add]})
    first_inside(session)
    session.request("stepOut", threadId=session.thread)
    assert session.wait_for_stop("breakpoint")["description"] == INSIDE
    assert session.evaluate("int(first_counter)")["result"] == "4"
    session.set_breakpoints(SEED, [])
    session.request("stepOut", threadId=session.thread)
    assert session.wait_for_stop("step")["description"] == OVER
    assert frames(session) == [("<module>", line(SEED, "run"))]
    session.cont()
    assert session.wait_for_exit() == 0
    assert session.output() == "20\n20\n"


def test_continue_after_steps_stops_at_breakpoints_only(start: Start) -> None:
    add = line(SEED, "add")
    session = begin(start, SEED, "v2", breakpoints={SEED: [add]})
    first_inside(session)
    for _ in range(4):
        session.request("next", threadId=session.thread)
        assert session.wait_for_stop()["description"] == INSIDE
    session.cont()
    stops = node_stops(session, evaluated("str(first_counter)"))
    assert {stop.line for stop in stops} == {add}
    assert [stop.seen for stop in stops] == [str(n) for n in range(20 - 2 * len(stops) + 2, 21, 2)]
    assert len(stops) >= 6
    assert session.output() == "20\n20\n"


def test_breakpoints_set_at_a_stop_count_at_once(start: Start) -> None:
    add = line(SEED, "add")
    session = begin(start, SEED, "v2", breakpoints={SEED: [add]})
    first_inside(session)
    session.set_breakpoints(SEED, [add + 1])
    session.cont()
    stops = node_stops(session, evaluated("str(second_counter)"))
    assert {stop.line for stop in stops} == {add + 1}
    assert [stop.seen for stop in stops] == [str(n) for n in range(21 - len(stops), 21)]
    assert len(stops) >= 9
    assert session.output() == "20\n20\n"


CONDITIONS: tuple[tuple[dict[str, str], list[str]], ...] = (
    ({"condition": "first_counter == 8"}, ["8"]),
    ({"condition": "iteration > 7 and phase == 'graph'"}, ["18", "20"]),
    ({"hitCondition": "% 4"}, ["8", "16"]),
    ({"condition": "value > 10", "hitCondition": ">= 3"}, ["16", "18", "20"]),
    ({"condition": "inputs[0] + inputs[1] == outputs[0] == 6"}, ["6"]),
    ({"logMessage": "{iteration}: {first_counter}", "condition": "value < 9"}, []),
)
"""The fields of a breakpoint, and the values of the nodes that it stops at, one run for each."""


@KINDS
def test_conditions_hit_counts_and_logs_are_looked_at_in_each_iteration(
    start: Start, kind: str
) -> None:
    path = program("live_repeated.py")
    add, run, printed = (line(path, mark) for mark in ("add", "run", "printed"))
    fields = [{"line": add, **fields} for fields, _ in CONDITIONS]
    session = begin(
        start, path, kind, str(len(CONDITIONS)), breakpoints={path: [fields[0], printed]}
    )
    for number, (_, expected) in enumerate(CONDITIONS):
        seen = []
        while (stop := session.wait_for_stop()) and session.place()[1] != printed:
            if stop.get("description") == INSIDE:
                assert frames(session)[1] == ("<module>", run)
                seen.append(evaluated("str(first_counter)")(session))
            session.cont()
        assert seen == expected, fields[number]
        session.set_breakpoints(path, [*fields[number + 1 : number + 2], printed])
        session.cont()
    assert session.wait_for_exit() == 0
    # What the program prints and what is logged come by different ways.
    output = session.output().splitlines()
    assert [text for text in output if ":" in text] == ["0: 2", "1: 4", "2: 6", "3: 8"]
    assert [text for text in output if ":" not in text] == ["20 20"] * len(CONDITIONS)


@KINDS
def test_an_error_in_the_graph_is_the_programs_own(start: Start, kind: str) -> None:
    path = program("live_errors.py")
    marks = ("add", "checked")
    session = begin(start, path, kind, breakpoints={path: [line(path, mark) for mark in marks]})
    stops = node_stops(session, evaluated("str(value)"))
    seen = [stop.seen for stop in stops if stop.line == line(path, "add")]
    assert seen == ["1", "2", "3"]
    assert stops[0].stack[1:] == [("run", line(path, "run")), ("<module>", line(path, "calls"))]
    # The message holds the stack that built the node, with debugpy in it.
    undisturbed = begin(start, path, kind)
    assert undisturbed.wait_for_exit() == 0
    assert session.output() == undisturbed.output()
    assert "InvalidArgumentError" in session.output()


def test_two_sessions_stop_in_two_threads(start: Start) -> None:
    path = program("live_threads.py")
    session = begin(start, path, breakpoints={path: [line(path, "body")]})
    stops = node_stops(session, evaluated("str(n) if 'n' in dir() else ''"))
    seen = defaultdict(list)
    for stop in stops:
        assert stop.stack[1] == ("work", line(path, "run"))
        if stop.seen:
            seen[stop.event["threadId"]].append(int(stop.seen))
    assert sorted(seen.values()) == [[1, 2, 3, 4, 5], [101, 102, 103, 104, 105]]
    assert session.output() == bare(path)


def test_a_session_can_be_run_at_a_stop_even_where_the_held_graph_has_all_threads(
    start: Start,
) -> None:
    path = program("live_interrupted.py")
    session = begin(start, path, breakpoints={path: [line(path, "add")]})
    first_inside(session)
    for _ in range(3):
        assert session.evaluate("session.run(other)")["result"] in ("21", "np.int32(21)")
        session.cont()
        session.wait_for_stop()
    session.cont()
    assert len(node_stops(session)) == 12
    assert session.output() == bare(path)


def test_an_interrupt_comes_when_the_run_is_over(start: Start) -> None:
    path = program("live_interrupted.py")
    condition = "iteration == 3 and not caught and interrupt()"
    add = {"line": line(path, "add"), "condition": condition}
    session = begin(start, path, breakpoints={path: [add]})
    assert node_stops(session) == []
    second = bare(path).splitlines()[1].split()
    assert session.output().split() == [second[0], "1", second[2]]
