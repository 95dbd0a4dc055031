"""Programs that make themselves attachable, wait for a client, or were never prepared."""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import signal
import subprocess
import sys

import psutil
import pytest
from support.dap import Start
from support.jobs import GRAPHDEBUG, command, job, listed, published
from support.markers import line, program
from support.processes import Run, wait_until
from support.terminal import terminal

from graphdebug.transport.framing import encode

PLAIN = program("attached_plain.py")
TURN = line(PLAIN, "turn")

PTRACE_SEIZE = 0x4206
"""Of ptrace(2): become the process's debugger, of which there can be one."""


def test_a_program_makes_itself_attachable_and_waits(run: Run, start: Start) -> None:
    process = run(PLAIN, "--listen", "127.0.0.1:0")
    assert process.stdin is not None and process.stdout is not None
    address = process.stdout.readline().strip()
    assert address.startswith("tcp:127.0.0.1:")
    (found,) = listed()
    assert found["pid"] == process.pid and found["program"].endswith("--listen 127.0.0.1:0")
    assert psutil.Process(process.pid).children() == [], "no wait of the program's sees the hub"
    session = start("attach", options=[address])
    session.attach(breakpoints={PLAIN: [TURN]})
    assert process.stdout.readline() == "ready\n", "it waited until the breakpoints were set"
    session.wait_for_stop("breakpoint")
    assert session.locals()["count"]["value"] == "0"
    session.set_breakpoints(PLAIN, [])
    session.request("disconnect", terminateDebuggee=False)
    session.close()
    process.stdin.write("\n")
    process.stdin.flush()
    assert process.stdout.readline() == "told to stop True\n"
    assert process.wait(20) == 0
    wait_until(lambda: published() == [], "the hub to end with the program", 10)


def test_a_program_that_is_run_waits_and_is_paused_and_watched(start: Start) -> None:
    with job("--listen", "--wait-for-client", PLAIN) as waiting:
        session = start("attach", options=[str(waiting.session.pid)])
        session.attach()
        assert waiting.read() == "ready"
        watching = subprocess.Popen(
            [*GRAPHDEBUG, "attach", str(waiting.pid)], stdout=subprocess.PIPE, text=True
        )
        assert watching.stdout is not None
        assert watching.stdout.readline().startswith("rank 0 · pid ")
        (thread,) = [t for t in session.request("threads")["threads"] if t["name"] == "MainThread"]
        session.request("pause", threadId=thread["id"])
        session.wait_for_stop("pause")
        assert "turns" in session.evaluate("dir()")["result"]
        session.cont()
        session.request("disconnect", terminateDebuggee=False)
        session.close()
        waiting.tell()
        assert waiting.read().startswith("told to stop")
        assert waiting.process.wait(20) == 0
        assert "the job has ended" in watching.stdout.read()
        assert watching.wait(10) == 0
        watching.stdout.close()


ENTERED = hasattr(sys, "remote_exec")
"""Whether Python itself lets others in."""


@pytest.mark.skipif(
    not (ENTERED or shutil.which("gdb") or shutil.which("lldb")),
    reason="neither gdb nor lldb is here",
)
@pytest.mark.one_python
def test_a_process_that_was_not_prepared_is_joined_by_its_number(run: Run, start: Start) -> None:
    process = run(PLAIN)
    assert process.stdin is not None and process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    session = start("attach", options=[str(process.pid)], timeout=90)
    session.attach(breakpoints={PLAIN: [TURN]})
    session.wait_for_stop("breakpoint")
    assert session.place() == ("attached_plain.py", TURN)
    session.request("disconnect", terminateDebuggee=False)
    session.close()
    process.stdin.write("\n")
    process.stdin.flush()
    assert process.stdout.readline() == "told to stop True\n"
    assert process.wait(20) == 0
    wait_until(lambda: published() == [], "the hub to end with the program", 10)


def test_what_cant_be_attached_to_says_why_and_what_helps() -> None:
    gone = subprocess.Popen(["true"])
    gone.wait()
    sleeping = subprocess.Popen(["sleep", "60"])
    try:
        for words, cause in (
            ((), "nothing can be attached to"),
            ((str(gone.pid),), f"there is no process {gone.pid}"),
            ((str(sleeping.pid),), "isn't a Python program"),
            (("127.0.0.1:1",), "the token of the job at 127.0.0.1:1 isn't known here"),
            (("unix:/nowhere",), "isn't known here"),
            (("nonsense",), "no address"),
            (("--connection-file", "/nowhere"), "can't be used"),
        ):
            done = command("attach", *words)
            assert done.returncode == 1 and cause in done.stderr, (words, done.stderr)
            assert "Traceback" not in done.stderr and len(done.stderr.splitlines()) == 2
    finally:
        os.kill(sleeping.pid, signal.SIGKILL)
        sleeping.wait()
    initialize = {"seq": 3, "type": "request", "command": "initialize", "arguments": {}}
    done = command("attach", "--adapter", "nonsense", input=encode(initialize).decode())
    assert done.returncode == 1 and "no address" in done.stderr
    answer = json.loads(done.stdout.partition("\n\n")[2])
    assert answer["request_seq"] == 3 and answer["command"] == "initialize"
    assert not answer["success"] and answer["body"]["error"]["showUser"]
    assert answer["message"].startswith('"nonsense" is no address: HOST:PORT, ')
    assert "nothing can be attached to" in command("ps").stdout


def test_keys_of_a_terminal_pause_the_job_and_let_it_go_on() -> None:
    with job("--listen", PLAIN) as running_job:
        assert running_job.read() == "ready"
        with terminal("attach", str(running_job.session.pid)) as shown:
            shown.until("q quit")
            shown.type("p")
            shown.until("stopped at attached_plain.py", "stopped at threading.py")
            shown.type("cn")
            shown.until("stops where a NaN")
            assert shown.quit() == 0
        running_job.tell()
        assert running_job.read() == "told to stop True"
        assert running_job.process.wait(20) == 0


def test_a_token_that_could_be_guessed_is_refused() -> None:
    done = command("run", "--listen", PLAIN, env={**os.environ, "GRAPHDEBUG_TOKEN": "secret"})
    assert done.returncode == 1 and "is too short" in done.stderr and "secret" not in done.stderr
    assert "openssl rand" in done.stderr and len(done.stderr.splitlines()) == 2


def test_without_a_name_the_jobs_are_offered() -> None:
    with job("--listen", PLAIN) as one, job("--listen", PLAIN) as other:
        pids = [str(started.session.pid) for started in (one, other)]
        asked = command("attach", stdin=subprocess.DEVNULL)
        assert asked.returncode == 1 and "there are several jobs" in asked.stderr
        with terminal("attach") as shown:
            offered = shown.until("pid: ")
            assert all(pid in offered for pid in pids)
            shown.type(f"{pids[1]}\n")
            assert f"pid {pids[1]} " in shown.until("q quit")
            assert shown.quit() == 0


@pytest.mark.skipif(ENTERED, reason="needs no debugger to be entered")
def test_a_process_that_may_not_be_entered_says_why_and_what_helps(run: Run) -> None:
    """With no debugger to enter it by, and where another one is in it already."""
    process = run(PLAIN)
    assert process.stdin is not None and process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    none = command("attach", str(process.pid), env={**os.environ, "PATH": "/nowhere"})
    assert none.returncode == 1 and "neither gdb nor lldb" in none.stderr
    assert "graphdebug run --listen" in none.stderr
    if shutil.which("gdb"):
        libc = ctypes.CDLL(None, use_errno=True)
        assert libc.ptrace(PTRACE_SEIZE, process.pid, 0, 0) == 0, os.strerror(ctypes.get_errno())
        refused = command("attach", str(process.pid))
        assert refused.returncode == 1 and "can't be attached to" in refused.stderr
        assert f"process {os.getpid()} debugs or traces it already" in refused.stderr
        assert len(refused.stderr.splitlines()) == 2 and "Traceback" not in refused.stderr
    process.stdin.write("\n")
    process.stdin.flush()
    assert process.stdout.readline() == "told to stop False\n", "it isn't harmed"
