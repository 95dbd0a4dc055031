"""Whoever leaves in the middle of a running graph leaves the program as it would be without them."""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path

import pytest
from support.dap import Session, Start
from support.live import ENVIRONMENT, INSIDE, bare, ended, vanish
from support.markers import line, program

pytestmark = pytest.mark.frameworks

LONG = program("live_long.py")
ROUNDS, RUNS = "30", "3"


@functools.cache
def expected(kind: str) -> str:
    """The program's results without a debugger."""
    with tempfile.NamedTemporaryFile("r") as file:
        bare(LONG, kind, ROUNDS, RUNS, file.name)
        return file.read()


@pytest.fixture(params=["v1", "v2"])
def args(request: pytest.FixtureRequest, tmp_path: Path) -> list[str]:
    """Arguments for the program, whose results must be those that it has without a debugger."""
    (tmp_path / "bare").write_text(expected(request.param))
    return [request.param, ROUNDS, RUNS, str(tmp_path / "debugged")]


def same(args: list[str]) -> bool:
    """Whether the results are there, and the same to the bit."""
    debugged = Path(args[-1])
    expected = debugged.with_name("bare").read_text()
    return len(expected) > 100 and debugged.is_file() and debugged.read_text() == expected


def go_inside(session: Session, stops: int) -> None:
    """Go on to the stop at a node that has this number."""
    while True:
        if session.wait_for_stop().get("description") == INSIDE:
            stops -= 1
        if stops == 0:
            return
        session.cont()


@pytest.mark.parametrize("stops", [1, 38])
def test_a_client_that_disconnects_lets_the_run_go_on(
    start: Start, args: list[str], stops: int
) -> None:
    session = start("graphdebug", timeout=120, environment=ENVIRONMENT)
    session.launch(
        program=LONG, args=args, staticGraphs="node", breakpoints={LONG: [line(LONG, "add")]}
    )
    pid = session.client.wait_for_event("process")["systemProcessId"]
    go_inside(session, stops)
    session.request("disconnect", terminateDebuggee=False)
    assert ended(pid)
    assert same(args)


@pytest.mark.parametrize("step", [False, True])
def test_an_adapter_that_vanishes_lets_the_run_go_on(
    start: Start, args: list[str], step: bool
) -> None:
    """The program is a child of the one that was launched, whose end it survives."""
    session = start("graphdebug", timeout=120, environment=ENVIRONMENT, tolerant=True)
    session.launch(program=program("live_parent.py"), args=[LONG, *args], staticGraphs="node")
    configuration = session.client.wait_for_event("debugpyAttach")
    session.set_breakpoints(LONG, [line(LONG, "add")])
    child = session.join(configuration)
    child._tolerant = True
    child.attach(**configuration, breakpoints={LONG: [line(LONG, "add")]})
    for _ in range(5):  # one while the graph is built
        child.wait_for_stop()
        child.cont()
    assert child.wait_for_stop()["reason"] == "breakpoint"
    if step:
        child.request("next", threadId=child.thread)
        child.wait_for_stop()
    vanish(session)
    assert ended(configuration["subProcessId"])
    assert same(args)


def test_a_program_that_is_ended_at_a_stop_leaves_nothing(start: Start, args: list[str]) -> None:
    session = start("graphdebug", timeout=120, environment=ENVIRONMENT)
    session.launch(
        program=LONG, args=args, staticGraphs="node", breakpoints={LONG: [line(LONG, "add")]}
    )
    pid = session.client.wait_for_event("process")["systemProcessId"]
    go_inside(session, 3)
    session.request("disconnect", terminateDebuggee=True)
    assert ended(pid)
    assert not Path(args[-1]).exists()
