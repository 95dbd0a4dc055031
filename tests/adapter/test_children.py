"""What becomes of the programs that the program starts. (Ranks and workers: ``test_ranks``.)"""

from __future__ import annotations

import pytest
from support.dap import Start
from support.markers import line, program
from support.ranks import ENVIRONMENT


@pytest.mark.parametrize("policy", ["join", "observe"])
def test_programs_that_the_program_starts(start: Start, policy: str) -> None:
    session = start("graphdebug", environment=ENVIRONMENT)
    child, parent = program("child.py"), program("parent.py")
    session.launch(
        program=parent,
        breakpoints={child: [line(child, "child")], parent: [line(parent, "after")]},
        children={"programs": policy},
    )
    if policy == "join":
        assert session.wait_for_stop("breakpoint")["allThreadsStopped"] is False
        assert session.place() == ("child.py", line(child, "child"))
        assert session.locals()["given"]["value"] == "'from-parent'"
        names = [item["name"] for item in session.request("threads")["threads"]]
        assert names[0] == "launcher MainThread"
        assert names[1].startswith("process ")
        session.cont()
    session.wait_for_stop("breakpoint")
    assert session.place()[0] == "parent.py"
    session.cont()
    assert session.wait_for_exit() == 5


def test_a_rank_is_known_before_any_other_has_joined(start: Start) -> None:
    session = start("graphdebug", environment=ENVIRONMENT)
    child = program("child.py")
    starts = f"subprocess.run([sys.executable, {child!r}, 'x'], env={{**os.environ, 'RANK': '1'}})"
    session.launch(
        code=f"import os, subprocess, sys; {starts}",
        breakpoints={child: [{"line": line(child, "child"), "condition": "rank == 1"}]},
    )
    assert session.wait_for_stop("breakpoint")["description"] == "Rank 1"
    session.cont()
    assert session.wait_for_exit() == 0


@pytest.mark.frameworks
def test_a_stop_without_a_breakpoint_in_its_frame_comes_there_too(start: Start) -> None:
    session = start("graphdebug", timeout=90, environment=ENVIRONMENT)
    child = program("torch_mlp.py")
    condition = "phase == 'backward' and grad_outputs[0].dim() == 2"
    session.launch(
        code=f"import subprocess, sys; sys.exit(subprocess.run([sys.executable, {child!r}]).returncode)",
        breakpoints={child: [{"line": line(child, "relu"), "condition": condition}]},
        children={"programs": "join"},
    )
    for _ in range(2):
        session.wait_for_stop("breakpoint")
        assert session.stack()[0]["name"] == "ReluBackward0"
        assert session.place() == ("torch_mlp.py", line(child, "relu"))
        session.cont()
    session.set_breakpoints(child, [])
    while session.next_stop() is not None:
        session.cont()
    assert session.wait_for_exit() == 0
