"""What debugpy does works through graphdebug unchanged: how programs are started, and how they end.

The other halves are in ``test_debugpy_parity_stops`` and ``test_debugpy_parity_frames``.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from support.adapters import COMMANDS
from support.dap import Session, Start
from support.markers import PROGRAMS, line, program
from support.processes import Run, wait_until
from support.sandbox import Sandbox

REPORT = program("report.py")
WAITS = program("waits.py")
CONNECTS = program("connects.py")
PARENT = program("parent.py")
CHILD = program("child.py")


def started(text: str) -> dict[str, Any]:
    """What ``report.py`` said of how it was started."""
    says = next(part for part in text.splitlines() if part.startswith("started "))
    found: dict[str, Any] = json.loads(says.removeprefix("started "))
    return found


def attach(s: Session, run: Run, *arguments: str, **config: Any) -> subprocess.Popen[str]:
    """Attach ``s`` to ``connects.py``, a program of ours that comes to the adapter by itself."""
    running: list[subprocess.Popen[str]] = []

    def on_waiting(host: str, port: int) -> None:
        running.append(run(CONNECTS, host, str(port), *arguments))

    s.attach(listen={"host": "127.0.0.1", "port": 0}, on_waiting=on_waiting, **config)
    return running[0]


# Starting


def test_launch_program(adapter: str, start: Start, tmp_path: Path) -> None:
    s = start(adapter, environment={"REPORT_REMOVED": "still here"})
    s.launch(
        program=REPORT,
        args=["one", "two words", "drei ☃"],
        env={"REPORT_SET": "by the launch", "REPORT_REMOVED": None},
        cwd=str(tmp_path),
        breakpoints={REPORT: [line(REPORT, "report")]},
    )
    stopped = s.wait_for_stop("breakpoint")
    assert stopped["allThreadsStopped"] is True
    assert stopped["hitBreakpointIds"] == [s.breakpoints[REPORT][0]["id"]]
    assert s.place() == ("report.py", line(REPORT, "report"))
    s.cont()
    assert s.wait_for_exit() == 3
    assert started(s.output()) == {
        "args": ["one", "two words", "drei ☃"],
        "name": "__main__",
        "cwd": str(tmp_path),
        "set": "by the launch",
        "removed": None,
    }
    assert s.output().endswith("grüße ☃\n")
    assert "to stderr\n" in s.output("stderr")
    (process,) = s.transcript.events("process")
    assert process["name"] == REPORT
    assert process["startMethod"] == "launch" and process["isLocalProcess"] is True
    assert process["systemProcessId"] > 0 and process["pointerSize"] == 64


@pytest.mark.parametrize("what", ["module", "code"])
def test_launch_module_and_code(adapter: str, start: Start, what: str) -> None:
    code = ["import runpy", f"runpy.run_path({REPORT!r}, run_name='__main__')"]
    s = start(adapter)
    s.launch(
        **{what: "report" if what == "module" else code},
        args=["one"],
        cwd=str(PROGRAMS),
        breakpoints={REPORT: [line(REPORT, "report")]},
    )
    s.wait_for_stop("breakpoint")
    assert s.evaluate("sys.argv[1:]")["result"] == "['one']"
    s.cont()
    assert s.wait_for_exit() == 3
    assert started(s.output())["cwd"] == str(PROGRAMS)
    (process,) = s.transcript.events("process")
    assert process["name"] == ("report" if what == "module" else "-c")


@pytest.mark.parametrize("redirect", [False, True])
def test_integrated_terminal(adapter: str, start: Start, redirect: bool) -> None:
    s = start(adapter)
    s.launch(
        program=REPORT,
        console="integratedTerminal",
        redirectOutput=redirect,
        consoleTitle="a title",
        args=["one"],
        cwd=str(PROGRAMS),
        breakpoints={REPORT: [line(REPORT, "report")]},
    )
    s.wait_for_stop("breakpoint")
    s.cont()
    assert s.wait_for_exit() == 3
    (run,) = [e.message for e in s.transcript.entries if e.message["type"] == "request"
              and e.direction == "received"]  # fmt: skip
    assert run["arguments"]["kind"] == "integrated"
    assert run["arguments"]["title"] == "a title"
    assert run["arguments"]["cwd"] == str(PROGRAMS)
    assert run["arguments"]["args"][-2:] == [REPORT, "one"]
    assert started(s.terminal_output())["args"] == ["one"]
    assert ("started " in s.output()) is redirect
    assert ("to stderr" in s.output("stderr")) is redirect


def test_a_terminal_that_the_client_cannot_open(adapter: str, start: Start) -> None:
    s = start(adapter)
    s.initialize(supportsRunInTerminalRequest=False)
    assert "supportsRunInTerminalRequest" in s.refused(
        "launch", program=REPORT, console="integratedTerminal"
    )


def test_stop_on_entry(adapter: str, start: Start) -> None:
    s = start(adapter)
    s.launch(program=REPORT, stopOnEntry=True)
    s.wait_for_stop("entry")
    assert s.place() == ("report.py", 1)
    s.cont()
    assert s.wait_for_exit() == 3


def test_no_debug(adapter: str, start: Start) -> None:
    s = start(adapter)
    s.launch(
        program=REPORT, noDebug=True, args=["one"], breakpoints={REPORT: [line(REPORT, "report")]}
    )
    assert s.wait_for_exit() == 3
    assert started(s.output())["args"] == ["one"]
    assert not s.transcript.events("stopped")


def test_python_and_its_arguments(adapter: str, start: Start) -> None:
    s = start(adapter)
    s.launch(
        code="import sys; print('optimised', sys.flags.optimize, sys.executable)",
        python=[sys.executable, "-O"],
        pythonArgs=["-B"],
    )
    assert s.wait_for_exit() == 0
    assert s.output() == f"optimised 1 {sys.executable}\n"


# Processes of the program


@pytest.mark.parametrize("reverse", [False, True])
def test_a_child_process_is_announced_and_joined(adapter: str, start: Start, reverse: bool) -> None:
    asked: list[dict[str, Any]] = []

    def start_debugging(command: str, arguments: dict[str, Any]) -> dict[str, Any]:
        assert command == "startDebugging"
        asked.append(arguments)
        return {}

    s = start(adapter, on_request=start_debugging if reverse else None)
    s.initialize(supportsStartDebuggingRequest=reverse)
    s.launch(program=PARENT, breakpoints={PARENT: [line(PARENT, "after")]})
    if reverse:
        s.client.wait_until(lambda: bool(asked), "startDebugging")
        assert asked[0]["request"] == "attach"
        configuration = asked[0]["configuration"]
    else:
        configuration = s.client.wait_for_event("debugpyAttach")
        assert configuration["request"] == "attach"
    assert configuration["name"] == f"Subprocess {configuration['subProcessId']}"

    child = s.join(configuration)
    child.attach(**configuration, breakpoints={CHILD: [line(CHILD, "child")]})
    child.wait_for_stop("breakpoint")
    assert child.locals()["given"]["value"] == "'from-parent'"
    (process,) = child.transcript.events("process")
    assert process["systemProcessId"] == configuration["subProcessId"]
    child.cont()
    child.client.wait_for_event("terminated")

    s.wait_for_stop("breakpoint")
    assert s.locals()["code"]["value"] == "5"
    s.cont()
    assert s.wait_for_exit() == 5
    assert "child got from-parent\n" in s.output()


def test_child_processes_are_left_alone_if_so_asked(adapter: str, start: Start) -> None:
    s = start(adapter)
    s.launch(program=PARENT, subProcess=False)
    assert s.wait_for_exit() == 5
    assert not s.transcript.events("debugpyAttach")


def test_a_child_that_nobody_joined_ends_with_the_session(adapter: str, start: Start) -> None:
    s = start(adapter)
    s.launch(program=PARENT)
    s.client.wait_for_event("debugpyAttach")
    s.request("disconnect", terminateDebuggee=True)


# Attaching


def test_attach_to_a_program_that_connects(adapter: str, start: Start, run: Run) -> None:
    s = start(adapter)
    program = attach(s, run, breakpoints={CONNECTS: [line(CONNECTS, "here")]})
    s.wait_for_stop("breakpoint")
    assert s.locals()["here"]["value"] == "'connected'"
    (process,) = s.transcript.events("process")
    assert process["systemProcessId"] == program.pid
    assert process["startMethod"] == "attach"
    s.cont()
    s.client.wait_for_event("terminated")
    assert program.communicate(timeout=10)[0] == "connected\n"
    assert program.returncode == 0


def test_detach_leaves_the_program_running(adapter: str, start: Start, run: Run) -> None:
    s = start(adapter)
    program = attach(s, run, "--wait", breakpoints={CONNECTS: [line(CONNECTS, "here")]})
    s.wait_for_stop("breakpoint")
    s.request("disconnect", terminateDebuggee=False)
    assert program.stdout is not None
    assert [program.stdout.readline() for _ in range(2)] == ["connected\n", "ready\n"]
    assert program.communicate(timeout=10)[0] == "told to stop\n"
    assert program.returncode == 0


def test_disconnect_ends_an_attached_program_if_so_asked(
    adapter: str, start: Start, run: Run
) -> None:
    s = start(adapter)
    program = attach(s, run, "--wait", breakpoints={CONNECTS: [line(CONNECTS, "here")]})
    s.wait_for_stop("breakpoint")
    s.request("disconnect", terminateDebuggee=True)
    assert program.communicate(timeout=10)[0] == ""


# Ending


def test_terminate_then_launch_again(adapter: str, start: Start) -> None:
    for _ in range(2):
        s = start(adapter)
        s.launch(program=WAITS, breakpoints={WAITS: [line(WAITS, "turn")]})
        s.wait_for_stop("breakpoint")
        s.request("terminate")
        assert s.wait_for_exit() != 0
        s.request("disconnect", restart=True)
        s.close()


def test_terminate_by_interrupt(adapter: str, start: Start) -> None:
    s = start(adapter)
    s.launch(program=WAITS, onTerminate="KeyboardInterrupt")
    s.wait_for_output("ready\n")
    s.request("terminate")
    assert s.wait_for_exit() == 0
    assert s.output() == "ready\ninterrupted\n"


@pytest.mark.parametrize("arguments", [{}, {"terminateDebuggee": True}])
def test_disconnect_ends_a_launched_program(
    adapter: str, start: Start, arguments: dict[str, Any]
) -> None:
    s = start(adapter)
    s.launch(program=WAITS)
    s.wait_for_output("ready\n")
    (process,) = s.transcript.events("process")
    s.request("disconnect", **arguments)
    s.close()
    with pytest.raises(ProcessLookupError):
        os.kill(process["systemProcessId"], 0)


def test_the_adapter_says_what_it_runs_on(adapter: str, start: Start) -> None:
    s = start(adapter)
    s.launch(program=REPORT, stopOnEntry=True)
    info = s.request("debugpySystemInfo")
    assert info["debugpy"]["version"] == s.transcript.events("output")[0]["data"]["packageVersion"]
    assert info["python"]["version"].startswith(sys.version.split()[0])
    assert info["process"]["executable"] == sys.executable


def test_an_adapter_that_listens(adapter: str, run: Run, start: Start, sandbox: Sandbox) -> None:
    """``--port 0``: the port stands in the endpoints file, as with debugpy's adapter."""
    endpoints = sandbox.root / "endpoints.json"
    process = run(*COMMANDS[adapter][1:], "--port", "0", DEBUGPY_ADAPTER_ENDPOINTS=str(endpoints))
    wait_until(lambda: endpoints.exists() and bool(endpoints.read_text()), "the endpoints file")
    place = json.loads(endpoints.read_text())["client"]
    s = start(adapter, address=(place["host"], place["port"]))
    s.launch(program=REPORT, stopOnEntry=True)
    s.wait_for_stop("entry")
    s.cont()
    assert s.wait_for_exit() == 3
    s.close()
    assert process.wait(timeout=10) == 0
    assert not endpoints.exists()
