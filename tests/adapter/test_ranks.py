"""The ranks of a distributed job in one session."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest
from support.dap import Message, Session, Start
from support.jobs import job
from support.markers import line, program
from support.processes import Run, wait_until
from support.ranks import (
    ENVIRONMENT,
    free_port,
    rank_of,
    states,
    stops,
    torchrun,
    undisturbed,
)

from graphdebug.commands.controlling import Control
from graphdebug.commands.finding import target
from graphdebug.protocol.observers import RunningSession
from graphdebug.transport.registry import running

pytestmark = pytest.mark.frameworks

MLP = program("ranks_mlp.py")
SPAWNED = program("ranks_spawned.py")
STEPS = "40"
TIMEOUT = 3
"""Seconds after which a collective of the program's gives up, for torch's half an hour."""


def launch(
    session: Session,
    ranks: int,
    place: Path,
    *breakpoints: Message,
    gate: Path | None = None,
    **config: object,
) -> None:
    """Start the program as so many ranks."""
    session.launch(
        **torchrun(ranks, MLP, str(place), STEPS, str(TIMEOUT), *([str(gate)] if gate else [])),
        breakpoints={MLP: list(breakpoints)},
        **config,
    )


def at(name: str, condition: str) -> Message:
    """A conditional breakpoint on a line of the program."""
    return {"line": line(MLP, name), "condition": condition}


def attachable(word: str) -> RunningSession:
    """The job that has this word in its command, once it can be attached to."""

    def found() -> list[RunningSession]:
        return [one for one in running() if one.attachable and word in one.program]

    wait_until(lambda: bool(found()), "a job that can be attached to", 30)
    return found()[0]


def test_two_ranks_in_one_session_end_as_if_nobody_had_looked(start: Start, tmp_path: Path) -> None:
    session = start("graphdebug", timeout=90, environment=ENVIRONMENT)
    gate = tmp_path / "gate"
    launch(session, 2, tmp_path / "debugged", at("batch", "step == 1"), gate=gate)

    threads = stops(session, 2)
    assert sorted(threads) == [0, 1]
    assert len(set(threads.values())) == 2
    for stop in session.transcript.events("stopped"):
        rank = rank_of(session, stop["threadId"])
        assert stop["description"] == f"Rank {rank}"
        assert stop["text"].startswith(f"rank {rank}: breakpoint")
        assert stop["allThreadsStopped"] is False
        assert stop["hitBreakpointIds"] == [session.breakpoints[MLP][0]["id"]]
    names = {item["id"]: item["name"] for item in session.request("threads")["threads"]}
    assert {rank: names[thread] for rank, thread in threads.items()} == {
        0: "rank 0 cpu MainThread",
        1: "rank 1 cpu MainThread",
    }
    assert "launcher MainThread" in names.values()
    assert states(session) == {0: "stopped", 1: "stopped"}

    # Each rank's own values, under ids of their own.
    references = set()
    for rank, thread in threads.items():
        frame = session.stack(thread)[0]
        shown = session.locals(frame)
        references.add(shown["losses"]["variablesReference"])
        kept = session.variables(shown["losses"]["variablesReference"])
        assert kept["0"]["value"].startswith("float32 () cpu")
        assert session.evaluate("dist.get_rank()", frameId=frame["id"])["result"] == str(rank)
    assert len(references) == 2

    # One goes on alone, and waits for the other.
    session.thread = threads[0]
    body = session.request("continue", threadId=threads[0], singleThread=True)
    assert body == {"allThreadsContinued": False}
    session.client.wait_for_event("continued", lambda body: body["threadId"] == threads[0])
    assert states(session) == {0: "running", 1: "stopped"}

    # Pause holds all of them.
    session.set_breakpoints(MLP, [])
    session.thread = threads[1]
    session.cont()
    for rank in range(2):
        wait_until((tmp_path / f"gate-{rank}").exists, "the ranks to be in step 2", 60)
    session.request("pause", threadId=threads[0])
    paused = [session.wait_for_stop("pause") for _ in range(2)]
    assert {stop["threadId"] for stop in paused} == set(threads.values())
    assert states(session) == {0: "stopped", 1: "stopped"}

    # A breakpoint in one rank only, for longer than collectives wait by themselves.
    session.set_breakpoints(MLP, [at("after", "rank == 1 and step == 2")])
    gate.touch()
    session.cont()
    stop = session.wait_for_stop("breakpoint")
    assert rank_of(session, stop["threadId"]) == 1
    held = time.monotonic()
    wait_until(lambda: time.monotonic() - held > TIMEOUT + 1, "the timeout to pass", TIMEOUT + 5)
    assert states(session) == {0: "running", 1: "stopped"}
    assert session.step("next")[1] == line(MLP, "loop")
    assert states(session) == {0: "running", 1: "stopped"}

    # In one rank's backward, at the forward line, while the other waits for its gradients.
    mean = "rank == 1 and phase == 'backward' and node == 'MeanBackward0'"
    session.set_breakpoints(MLP, [at("loss", mean)])
    session.cont()
    stop = session.wait_for_stop("breakpoint")
    assert rank_of(session, stop["threadId"]) == 1
    here, caller = session.stack()[:2]
    assert here["name"].startswith("MeanBackward0") and here["line"] == line(MLP, "loss")
    assert caller["line"] == line(MLP, "backward")
    assert session.locals(here)["grad_outputs"]["value"].startswith("(float32 () cpu")
    session.set_breakpoints(MLP, [])
    session.cont()
    assert session.wait_for_exit() == 0
    expected = undisturbed(2, MLP, STEPS, "60")
    assert (tmp_path / "debugged").read_text() == expected
    steps = session.request("graphdebugSteps")["steps"]
    assert {step["rank"] for step in steps} == {0, 1}
    assert states(session) == {0: "ended", 1: "ended"}


def test_kept_timeouts_end_the_job(start: Start, tmp_path: Path) -> None:
    session = start("graphdebug", timeout=90, environment=ENVIRONMENT)
    launch(session, 2, tmp_path / "debugged", at("batch", "rank == 1 and step == 1"),
           collectiveTimeout="keep")  # fmt: skip
    session.wait_for_stop("breakpoint")
    session.wait_for_output(f"Timed out waiting {TIMEOUT}000ms", "stderr")
    assert session.wait_for_exit() == 1


def test_a_killed_rank_is_said_and_those_that_follow_it_join(start: Start, tmp_path: Path) -> None:
    """Before they join a group: after that, torch's own restart of gloo ranks fails."""
    session = start("graphdebug", timeout=90, environment=ENVIRONMENT)
    session.launch(
        **torchrun(2, MLP, str(tmp_path / "debugged"), "3", "60", options=("--max-restarts", "1")),
        breakpoints={MLP: [line(MLP, "init")]},
    )
    threads = stops(session, 2)
    ranks = {item["rank"]: item["pid"] for item in session.request("graphdebugState")["ranks"]}
    os.kill(ranks[1], signal.SIGKILL)
    for thread in threads.values():
        gone = {"reason": "exited", "threadId": thread}
        session.client.wait_for_event("thread", gone.__eq__)
    assert f"rank 1 (process {ranks[1]}) is gone" in session.said()
    again = stops(session, 2)
    assert sorted(again) == [0, 1]
    assert not set(again.values()) & set(threads.values())
    # Who ends the session ends all of them: torchrun's ranks are in process groups of their own.
    session.request("disconnect", terminateDebuggee=True)
    session.close()
    assert not (tmp_path / "debugged").exists()


def keys_hold_all_ranks_and_let_them_go_on(control: Control, ranks: int) -> None:
    """Those of ``graphdebug attach``, where all ranks run Python."""

    def stopped() -> list[str]:
        return [text for text in control.lines if text.startswith("stopped at ranks_mlp.py")]

    control.press("p")
    wait_until(lambda: len(stopped()) == ranks, "all ranks to stop", 30)
    control.press("c")
    wait_until(lambda: not control.lines, "them to go on", 30)
    control.press("n")
    wait_until(lambda: bool(control.lines), "the filter to be set", 30)
    control.close()
    assert control.lines == []


@pytest.mark.parametrize("ranks", [2, 4])
def test_ranks_of_a_running_job_are_attached_to_and_left(
    start: Start, run: Run, tmp_path: Path, ranks: int
) -> None:
    place, gate = tmp_path / "debugged", tmp_path / "gate"
    words = ["torchrun", *torchrun(ranks, MLP, str(place), STEPS, str(TIMEOUT), str(gate))["args"]]
    launcher = run("-m", "graphdebug", "run", "--listen", "--", *words, **ENVIRONMENT)
    for rank in range(ranks):
        wait_until((tmp_path / f"gate-{rank}").exists, "the ranks to be in step 2", 60)
    found = attachable(str(place))
    keys_hold_all_ranks_and_let_them_go_on(Control(target(found)), ranks)
    session = start("attach", options=[str(found.pid)], timeout=90)
    session.attach(breakpoints={MLP: [at("batch", "step >= 3")]})
    running_all = session.request("continue", threadId=1)
    assert running_all == {"allThreadsContinued": True}, "answered, where none stands"
    for _ in range(ranks):  # debugpy has found the threads that run already
        session.client.wait_for_event("thread", lambda body: body["reason"] == "started")
    gate.touch()
    assert sorted(stops(session, ranks)) == list(range(ranks))
    session.set_breakpoints(MLP, [at("after", f"rank == {ranks - 1} and step == 20")])
    session.cont()
    assert rank_of(session, session.wait_for_stop("breakpoint")["threadId"]) == ranks - 1
    held = time.monotonic()
    wait_until(lambda: time.monotonic() - held > TIMEOUT + 1, "the timeout to pass", TIMEOUT + 5)
    running = dict.fromkeys(range(ranks - 1), "running")
    assert states(session) == {**running, ranks - 1: "stopped"}
    session.request("disconnect")
    assert launcher.wait(60) == 0
    assert place.read_text() == undisturbed(ranks, MLP, STEPS, "60")


def test_spawned_ranks_stop_and_data_loader_workers_do_not(start: Start) -> None:
    session = start("graphdebug", timeout=90, environment=ENVIRONMENT)
    session.launch(
        program=SPAWNED,
        args=[free_port()],
        breakpoints={SPAWNED: [line(SPAWNED, "item"), line(SPAWNED, "sum")]},
    )
    seen = set()
    for _ in range(2):
        session.wait_for_stop("breakpoint")
        assert session.place()[1] == line(SPAWNED, "sum")
        frame = session.frame()["id"]
        rank = session.evaluate("dist.get_rank()", frameId=frame)["result"]
        names = {item["id"]: item["name"] for item in session.request("threads")["threads"]}
        assert names[session.thread].startswith(f"rank {rank} ")
        seen.add(rank)
    assert seen == {"0", "1"}
    session.cont()
    assert session.wait_for_exit() == 0
    assert session.output().count("sum 28") == 2
    assert not session.transcript.events("debugpyAttach")


def test_spawned_ranks_of_a_job_that_is_attached_to(start: Start) -> None:
    """What they are shows only once they join a group, where they wait for the debugger."""
    with job("--listen", "--wait-for-client", SPAWNED, free_port(), **ENVIRONMENT) as waiting:
        session = start("attach", options=[str(waiting.session.pid)], timeout=60)
        session.attach(breakpoints={SPAWNED: [line(SPAWNED, "item"), line(SPAWNED, "sum")]})
        seen = set()
        for _ in range(2):
            seen.add(session.wait_for_stop("breakpoint")["description"])
            assert session.place()[1] == line(SPAWNED, "sum")
        assert seen == {"Rank 0", "Rank 1"}
        session.cont()
        assert {waiting.read() for _ in range(2)} == {"rank 0 sum 28", "rank 1 sum 28"}
        assert waiting.process.wait(20) == 0
