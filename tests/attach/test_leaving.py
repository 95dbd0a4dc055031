"""A job that is attached to and left, in every way, runs on as if nobody had come."""

from __future__ import annotations

import os
import signal
import subprocess
from typing import Any

import psutil
import pytest
from support.dap import Start
from support.jobs import Job, command, debugging, job, listed, published, undisturbed
from support.markers import line, program
from support.observers import observing
from support.processes import wait_until
from support.sandbox import Sandbox

from graphdebug.protocol.hub import JOB

pytestmark = pytest.mark.frameworks

TRAINING = program("attached_training.py")
BACKWARD = line(TRAINING, "backward")
STAND = {"traced": False, "debugpy": False}


def test_it_runs_on_with_the_same_result_and_can_be_attached_to_again(
    start: Start, sandbox: Sandbox
) -> None:
    expected = undisturbed(TRAINING, "8", lines=8).splitlines()[-1]
    with (
        job("--listen", TRAINING, "8") as training,
        observing(training.session) as observer,
    ):

        def wait_until_left() -> None:
            wait_until(lambda: not observer.request(JOB)["clients"], "no client", 20)

        def after_leaving() -> dict[str, Any]:
            """How it stands a round later: at the end of the first one, somebody may be just leaving."""
            training.stands()
            wait_until_left()
            wait_until(lambda: child.num_threads() <= before["threads"], "debugpy to be gone", 20)
            training.tell()
            return training.stands()

        before = training.stands()
        (child,) = [p for p in training.hub().children() if TRAINING in p.cmdline()]
        assert before == {**before, **STAND}, "nothing is loaded before somebody comes"
        (found,) = listed()
        assert found["ranks"][0]["steps"] == 0 and found["program"].endswith("training.py 8")
        assert not found["clients"]

        # The client disconnects, at a stop.
        session = start("attach", options=[str(training.pid)], timeout=60)
        session.attach(breakpoints={TRAINING: [BACKWARD]})
        training.tell()
        session.wait_for_stop("breakpoint")
        assert session.locals()["loss"]["type"] == "Tensor"
        assert session.evaluate("loss.requires_grad")["result"] == "True"
        assert [client["kind"] for client in observer.request(JOB)["clients"]] == ["editor"]
        busy = command("attach", str(training.pid), "--adapter", stdin=subprocess.DEVNULL)
        assert busy.returncode == 1 and "one debugger at a time" in busy.stderr
        session.cont()
        session.wait_for_stop()
        assert session.request("graphdebugSteps")["total"] == 1
        session.request("disconnect", terminateDebuggee=False)
        session.close()
        assert after_leaving() == {**before, "round": 2, "debugpy": True}
        assert observer.request(JOB)["ranks"][0]["steps"] == 100

        # The client is killed, at a stop.
        session = start("attach", options=[str(training.pid)], timeout=60, tolerant=True)
        session.attach(breakpoints={TRAINING: [BACKWARD]})
        training.tell()
        session.wait_for_stop("breakpoint")
        assert session.process is not None
        session.process.process.send_signal(signal.SIGKILL)
        assert after_leaving() == {**before, "round": 4, "debugpy": True}
        session.close(check=False)

        # debugpy's adapter is killed, while the job runs.
        with debugging(training.session) as client:
            os.kill(adapter_of(training), signal.SIGKILL)
            client.wait_for_event("terminated")
            wait_until_left()
            wait_until(lambda: child.num_threads() <= before["threads"], "debugpy to be gone", 20)
            training.tell()
            assert training.stands() == {**before, "round": 5, "debugpy": True}

        # The hub is killed, at a stop: nobody comes any more, and the job runs on.
        with debugging(training.session, {TRAINING: [BACKWARD]}) as client:
            training.tell()
            client.wait_for_event("stopped")
            os.kill(training.pid, signal.SIGKILL)
            training.stands()
            wait_until(lambda: child.num_threads() <= before["threads"], "debugpy to be gone", 20)
        training.tell()
        after = training.stands()
        assert after == {**after, "round": 7, "traced": False}
        training.tell()
        assert training.stands()["round"] == 8
        assert training.read() == expected
        child.wait(10)
    assert published() == [], "who looks next removes what a killed hub left"


def adapter_of(training: Job) -> int:
    """debugpy's adapter, which is a child of the hub."""
    (found,) = [
        child.pid
        for child in training.hub().children(recursive=True)
        if "graphdebug.adapter.guarded" in child.cmdline()
    ]
    return found


@pytest.mark.parametrize("rounds", [10, pytest.param(1000, marks=pytest.mark.stress)])
@pytest.mark.timeout(3600)
def test_rounds_of_attaching_leave_nothing_behind(rounds: int) -> None:
    with job("--listen", TRAINING, "100000") as training, observing(training.session) as observer:
        training.stands()
        (child,) = [p for p in training.hub().children() if TRAINING in p.cmdline()]
        seen = []
        for number in range(rounds + 2):
            with debugging(training.session, {TRAINING: [BACKWARD]}) as client:
                if number % 2:
                    training.tell()
                    client.wait_for_event("stopped")
                if number % 4 < 2:
                    client.request("disconnect", terminateDebuggee=False)
            if number % 2:
                training.stands()
            wait_until(lambda: not observer.request(JOB)["clients"], "no client", 20)
            seen.append(footprint(child, training.hub()))
        least = list(map(min, *seen[1:]))  # a thread may just be leaving

        def stands() -> bool:
            return footprint(child, training.hub()) == least

        wait_until(
            stands, "threads and files of the program, and of the hub, to be as in round 2", 10
        )


def footprint(*processes: psutil.Process) -> list[int]:
    return [number for one in processes for number in (one.num_threads(), one.num_fds())]
