"""The matrix: every way to run a graph and every control flow, stopping at the boundary and inside.

The programs say themselves what each marked line computed. Here each is run once bare, and once for
each kind of stop, which are counted, and whose values are held against what the program said.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import pytest
from support.dap import Session, Start
from support.live import ENVIRONMENT, INSIDE, bare, frames
from support.markers import line, mark_at, program
from support.replay import BOUNDARY, places

pytestmark = [pytest.mark.frameworks, pytest.mark.timeout(360)]

MODES = ("boundary", "node")
BUILDING = "Building graph"

SESSIONS = {
    "session": ("looped",),
    "callable": ("called",),
    "callable_unfed": ("unfed",),
    "nested": ("inner", "outer"),
    "cond": ("even",),
    "map_fn": ("mapped",),
    "scan": ("scanned",),
    "gradients": ("power",),
    "variables": ("noise", "moved"),
    "run_monitored": ("monitored",),
}
FUNCTIONS = {
    "function": ("f_outer", "f_inner", "f_odd"),
    "autograph_off": ("p_looped", "p_even"),
    "map_functions": ("p_mapped", "p_scanned"),
    "taped": ("f_power",),
    "updates": ("f_moved",),
    "keras_fit": ("k_scaled",),
    "keras_step": ("k_loss",),
    "drawing": ("f_drawn",),
}
"""Rows: the mark of the line that runs a graph, and the marks of the lines that are stopped at."""

NO_STOP = {
    "first": "line: stops only where Python itself runs this line, as while the graph is built; "
    "nothing stops when the graph runs, since a partial run tells nothing of its nodes",
    "second": "line: stops only where Python itself runs this line, as while the graph is built; "
    "nothing stops when the graph runs, since a partial run tells nothing of its nodes",
    "folded": "never: TensorFlow's optimizer left nothing of what this line built "
    "(Atan) when the graph ran, so nothing stops there; a session with "
    "ConfigProto(graph_options=GraphOptions(rewrite_options=RewriterConfig("
    "disable_meta_optimizer=True))) keeps it",
}  # fmt: skip
"""Lines of runs that can't stop, and what is said of them."""

DRAWN = (
    "without values, times and repetitions, since RandomStandardNormal keeps a state of its own "
    "(RandomStandardNormal)"
)
"""A copy of the function would begin the random stream anew, so there is none."""

SAID_DRAWN = {
    "boundary": "boundary: the nodes that this line builds run inside of a compiled function, so it "
    "stops where that is called; a condition sees no values there, since {}",
    "node": "boundary: the nodes that this line builds can't be held while they run, since {}; so it "
    "stops where the compiled function is called",
}

AUTOGRAPH = {"mapped", "f_outer", "f_inner", "f_odd", "f_power", "f_moved", "f_drawn"}
"""Lines of which AutoGraph runs a copy, so that Python never stops there itself."""

TRACED = {"k_scaled": 2, "k_loss": 2}
"""How often Python passes a line to build graphs, where that isn't once."""

PROGRAMS: dict[str, tuple[str, tuple[str, ...], dict[str, tuple[str, ...]]]] = {
    "v1": ("static_sessions.py", ("v1",), SESSIONS),
    "v2": ("static_sessions.py", ("v2",), SESSIONS),
    "functions": ("static_functions.py", (), FUNCTIONS),
}

Values = tuple[str, ...]
"""What a line computed, one for each of its executions, every number in hexadecimal."""


@dataclass
class Stop:
    """One stop."""

    kind: str
    text: str
    caller: str
    """The mark of the line that runs the graph; nothing where Python stands at the line itself."""
    values: dict[str, Values]
    """By the mark of the line that it stops for."""
    said: dict[str, str]
    """What all breakpoints were said to do, before it."""
    walked: dict[str, Values] = field(default_factory=dict)
    """What a walk through the recorded run shows of each line."""


class Truth:
    """What a program prints when nobody debugs it."""

    def __init__(self, name: str, *args: str) -> None:
        self.path = program(name)
        self.output = bare(self.path, *args)
        self.runs: dict[str, list[Values]] = defaultdict(list)
        for text in self.output.splitlines():
            mark, *values = text.split()
            self.runs[mark].append(tuple(values))

    def variable(self, mark: str) -> str:
        """The variable that a marked line assigns."""
        with open(self.path) as file:
            text = file.read().splitlines()[line(self.path, mark) - 1]
        found = re.match(r"\s*(\w+) = ", text)
        assert found, text
        return found[1]


class Cell:
    """A program with one kind of stop, continued at each."""

    def __init__(self, session: Session, truth: Truth, args: tuple[str, ...], mode: str) -> None:
        self.session, self.truth, self.path = session, truth, truth.path
        rows = SESSIONS if args else FUNCTIONS
        self.marks = [mark for marks in rows.values() for mark in marks]
        self.marks += NO_STOP if args else ()
        self.stops: list[Stop] = []
        session.launch(
            program=self.path,
            args=list(args),
            staticGraphs=mode,
            breakpoints={self.path: [line(self.path, mark) for mark in self.marks]},
        )
        answers = session.breakpoints[self.path]
        self.answered = {mark_at(self.path, item["line"]): item["message"] for item in answers}
        self.ids = {item["id"]: mark_at(self.path, item["line"]) for item in answers}
        while (event := session.next_stop()) is not None:
            self.stops.append(self._look(event))
            session.cont()
        self.returncode = session.wait_for_exit()
        self.output = session.output("stdout")
        self.said = self._said()
        self.alerts = session.transcript.events("graphdebugAlert")

    def at(self, caller: str, kind: str) -> list[Stop]:
        """The stops of a row."""
        return [stop for stop in self.stops if (stop.caller, stop.kind) == (caller, kind)]

    def _said(self) -> dict[str, str]:
        told = [event["breakpoint"] for event in self.session.transcript.events("breakpoint")]
        return self.answered | {mark_at(self.path, item["line"]): item["message"] for item in told}

    def _look(self, event: dict[str, Any]) -> Stop:
        kind, said = event.get("description", ""), self._said()
        stack = [mark_at(self.path, at) for _, at in frames(self.session)]
        marks = [self.ids[id] for id in event["hitBreakpointIds"]]
        stop = Stop(kind, event.get("text", ""), "", dict.fromkeys(marks, ()), said)
        if kind == INSIDE:
            assert [stack[0]] == marks
            stop.caller = stack[1]
            stop.values = {stack[0]: (self._evaluated(stack[0]),)}
        elif kind == BOUNDARY:
            stop.caller = stack[0]
            stop.values = {mark: self._recorded(mark) for mark in marks}
            if DRAWN not in stop.text:
                stop.walked = self._walk()
        else:
            assert [stack[0]] == marks
        return stop

    def _evaluated(self, mark: str) -> str:
        expression = f"bits({self.truth.variable(mark)})"
        return str(self.session.evaluate(expression)["result"]).strip("'")

    def _recorded(self, mark: str) -> Values:
        """What the nodes of a line put out, as the newest step tells."""
        step = self.session.request("graphdebugSteps", begin=1 << 30)["total"] - 1
        nodes = self.session.request(
            "graphdebugNodes", step=step, path=self.path, line=line(self.path, mark)
        )["nodes"]
        return tuple(
            ",".join(float(item).hex() for item in flat(node["outputs"][0].get("value")))
            for node in nodes
        )

    def _walk(self) -> dict[str, Values]:
        """Backwards through the record, from one execution of a line with a breakpoint to another."""
        found: dict[str, Values] = defaultdict(tuple)
        for frame in places(self.session, "reverseContinue"):
            mark = mark_at(self.path, frame["line"])
            found[mark] = (self._evaluated(mark), *found[mark])
        return dict(found)


def flat(value: Any) -> Iterator[Any]:
    """The numbers of a value."""
    if isinstance(value, list):
        for item in value:
            yield from flat(item)
    elif value is not None:
        yield value


Cells = Callable[[str, str], Cell]


@pytest.fixture(scope="module")
def cells(start_shared: Start) -> Cells:
    """The cell of a program and a kind of stop."""
    truths: dict[str, Truth] = {}

    @cache
    def run(which: str, mode: str) -> Cell | Exception:
        name, args, _ = PROGRAMS[which]
        if which not in truths:
            truths[which] = Truth(name, *args)
        session = start_shared("graphdebug", timeout=120, environment=ENVIRONMENT)
        try:
            return Cell(session, truths[which], args, mode)
        except Exception as error:
            return error

    def cell(which: str, mode: str) -> Cell:
        result = run(which, mode)
        if isinstance(result, Exception):
            raise result  # to each of its tests, which would else run it again each
        return result

    return cell


ROWS = [
    pytest.param(which, row, id=f"{which}-{row}")
    for which, (_, _, rows) in PROGRAMS.items()
    for row in rows
    if row != "drawing"  # has no values, and a test of its own
]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("which", PROGRAMS)
def test_the_result_is_equal_to_the_bit(cells: Cells, which: str, mode: str) -> None:
    cell = cells(which, mode)
    assert cell.output == cell.truth.output
    assert cell.returncode == 0
    assert not cell.alerts


@pytest.mark.parametrize(("which", "row"), ROWS)
def test_one_stop_at_the_boundary_of_each_run(cells: Cells, which: str, row: str) -> None:
    cell, marks = cells(which, "boundary"), PROGRAMS[which][2][row]
    stops = cell.at(row, BOUNDARY)
    for mark in marks:
        assert [stop.values[mark] for stop in stops] == cell.truth.runs[mark]
    for stop in stops:
        assert set(stop.values) == set(marks)
        assert stop.walked == stop.values
        # It was said before it happened.
        assert all(stop.said[mark].startswith("boundary: ") for mark in marks)
    assert all(cell.answered[mark].startswith("boundary: ") for mark in marks)
    assert all(cell.said[mark].startswith("boundary: ") for mark in marks)


@pytest.mark.parametrize(("which", "row"), ROWS)
def test_one_stop_inside_for_each_execution(cells: Cells, which: str, row: str) -> None:
    cell, marks = cells(which, "node"), PROGRAMS[which][2][row]
    stops = cell.at(row, INSIDE)
    for mark in marks:
        seen = [stop.values[mark] for stop in stops if mark in stop.values]
        assert seen == [(value,) for run in cell.truth.runs[mark] for value in run]
    for stop in stops:
        assert set(stop.values) <= set(marks)
        assert all(stop.said[mark].startswith("node: ") for mark in stop.values)
    assert not cell.at(row, BOUNDARY)
    assert all(cell.answered[mark].startswith("node: ") for mark in marks)
    assert all(cell.said[mark].startswith("node: ") for mark in marks)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("which", ["v1", "v2"])
def test_what_cannot_stop_says_so(cells: Cells, which: str, mode: str) -> None:
    """A partial run has no record, and of what was folded to a constant nothing is left."""
    cell = cells(which, mode)
    for mark, message in NO_STOP.items():
        assert cell.answered[mark].startswith(f"{mode}: ")
        assert cell.said[mark] == message
        assert [stop.kind for stop in cell.stops if mark in stop.values] == [BUILDING]
    callers = {stop.caller for stop in cell.stops}
    assert not callers & {"partial", "partial_resumed", "run_folded"}


@pytest.mark.parametrize("mode", MODES)
def test_a_random_stream_of_a_function_is_left_alone(cells: Cells, mode: str) -> None:
    cell = cells("functions", mode)
    stops = cell.at("drawing", BOUNDARY)
    assert len(stops) == len(cell.truth.runs["f_drawn"]) == 2
    for stop in stops:
        assert stop.values == {"f_drawn": ("",)}
        assert stop.text.endswith(f"; {DRAWN}")
    why = DRAWN.partition(", since ")[2]
    assert cell.said["f_drawn"] == SAID_DRAWN[mode].format(why)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("which", PROGRAMS)
def test_python_stops_where_it_builds_a_graph_and_nowhere_else(
    cells: Cells, which: str, mode: str
) -> None:
    cell = cells(which, mode)
    built = Counter(mark for stop in cell.stops if stop.kind == BUILDING for mark in stop.values)
    expected = {mark: TRACED.get(mark, 1) for mark in cell.marks if mark not in AUTOGRAPH}
    assert built == expected


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("which", PROGRAMS)
def test_what_is_said_is_what_happens(cells: Cells, which: str, mode: str) -> None:
    """Of all stops of a program, also where another test tells which there are to be."""
    cell, kinds = cells(which, mode), {BOUNDARY: "boundary: ", INSIDE: "node: "}
    for stop in cell.stops:
        if stop.kind != BUILDING:
            assert stop.caller in PROGRAMS[which][2]
            assert all(stop.said[mark].startswith(kinds[stop.kind]) for mark in stop.values)
