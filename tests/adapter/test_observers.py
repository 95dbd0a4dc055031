"""Other programs of the same user look at a running session through the registry."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest
from support.dap import Session, Start
from support.markers import line, program
from support.observers import observing, the_session
from support.processes import wait_until
from support.sandbox import Sandbox

from graphdebug.transport.dap import Disconnected, RequestFailed
from graphdebug.transport.registry import running

WAITS = program("waits.py")
STEPS = program("torch_steps.py")


def test_a_session_is_found_while_it_runs(start: Start, sandbox: Sandbox) -> None:
    session = start("graphdebug")
    session.launch(program=WAITS, cwd=str(sandbox.root), breakpoints={WAITS: [line(WAITS, "turn")]})
    session.wait_for_stop()
    found = the_session()
    assert (found.program, found.cwd, found.kind) == (WAITS, str(sandbox.root), "debug")
    assert session.process is not None and found.pid == session.process.process.pid
    with observing(found) as observer:
        assert observer.request("graphdebugState")["capture"] == "nodes"
        assert observer.request("graphdebugSteps") == {"steps": [], "total": 0}
        with pytest.raises(RequestFailed, match="there is no step 7"):
            observer.request("graphdebugNodes", step=7)
        with pytest.raises(RequestFailed, match="isn't answered here"):
            observer.request("evaluate", expression="1")
        session.close()
        assert observer.wait_for_end(10)
    assert running() == []


def test_nobody_comes_in_without_the_token(start: Start) -> None:
    session = start("graphdebug")
    session.launch(program=WAITS, breakpoints={WAITS: [line(WAITS, "turn")]})
    session.wait_for_stop()
    found = the_session()
    for token in ("", found.token[:-1], found.token + "0", "\N{SNOWMAN}"):
        with observing(found, token) as stranger, pytest.raises(Disconnected):
            stranger.request("graphdebugState")
    with observing(found) as observer:
        assert observer.request("graphdebugState")


def test_a_killed_adapter_is_not_found(start: Start, sandbox: Sandbox) -> None:
    adapter = Session("graphdebug", environment=sandbox.environment, tolerant=True)
    adapter.launch(program=WAITS, breakpoints={WAITS: [line(WAITS, "turn")]})
    adapter.wait_for_stop()
    found = the_session()
    children = [p.pid for p in sandbox.processes() if p.pid != found.pid]
    os.kill(found.pid, signal.SIGKILL)
    adapter.wait_for_adapter()
    assert running() == []
    assert list((sandbox.runtime / "graphdebug").iterdir()) == []
    for pid in children:  # debugpy's own way out of this isn't what is tested here
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    adapter.close(check=False)


@pytest.mark.frameworks
def test_steps_are_seen_live_as_the_client_sees_them(start: Start) -> None:
    session = start("graphdebug", timeout=120)
    session.launch(program=STEPS, args=["40"], breakpoints={STEPS: [line(STEPS, "zero")]})
    session.wait_for_stop()
    with observing(the_session()) as observer:
        assert observer.request("graphdebugSteps")["total"] == 0
        session.set_breakpoints(STEPS, [line(STEPS, "done")])
        session.cont()
        session.wait_for_stop()
        last = observer.wait_for_event("graphdebugStep", lambda body: body["step"]["index"] == 39)
        assert last["step"] == session.request("graphdebugSteps", begin=39)["steps"][0]
        wanted = {"step": 39, "path": STEPS, "line": line(STEPS, "forward")}
        assert observer.request("graphdebugNodes", **wanted) == (
            session.request("graphdebugNodes", **wanted)
        )
        assert observer.request("graphdebugNodes", **wanted)["total"] > 0


@pytest.mark.frameworks
def test_a_program_in_the_terminal_is_seen_too(sandbox: Sandbox) -> None:
    command = [sys.executable, "-m", "graphdebug", "run", STEPS, "1000000"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        found = the_session()
        assert (found.kind, found.program, found.pid) == ("run", f"{STEPS} 1000000", process.pid)
        with observing(found) as observer:
            observer.timeout = 60
            step = observer.wait_for_event("graphdebugStep")["step"]["index"]
            nodes = observer.request("graphdebugNodes", step=step, path=STEPS)
            assert line(STEPS, "forward") in {n["source"]["line"] for n in nodes["nodes"]}
            process.terminate()
            assert observer.wait_for_end(10)
        process.wait(10)
        wait_until(lambda: running() == [], "the session to be gone")
    finally:
        process.kill()
        process.wait()
