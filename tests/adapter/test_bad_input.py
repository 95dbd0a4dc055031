"""Bad input gets a clear error that names its cause: no traceback, no hang, nothing left behind.

That no traceback is on stderr and that no process is left, the fixtures check in every test here.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest
from support.dap import Session, Start
from support.logs import check
from support.markers import line, program
from support.processes import wait_until
from support.sandbox import Sandbox

from graphdebug.transport.dap import RequestFailed
from graphdebug.transport.framing import encode

pytestmark = pytest.mark.usefixtures("graphdebug_adapter")

LOOP = program("loop.py")
DIES = program("dies.py")
WAITS = program("waits.py")
SPEWS = program("spews.py")


def stopped(start: Start, **options: Any) -> Session:
    """A session at a breakpoint."""
    s = start("graphdebug", **options)
    s.launch(program=LOOP, breakpoints={LOOP: [line(LOOP, "step")]})
    s.wait_for_stop("breakpoint")
    return s


# The program


@pytest.mark.parametrize("cwd", [None, "/tmp"])
def test_a_program_that_is_not_there(start: Start, cwd: str | None) -> None:
    s = start("graphdebug")
    s.initialize()
    where = {"cwd": cwd} if cwd else {}
    message = s.refused("launch", program="nowhere/missing.py", **where)
    assert os.path.join(cwd or os.getcwd(), "nowhere/missing.py") in message
    assert '"program"' in message


def test_braces_in_an_error_are_shown_as_they_are(start: Start) -> None:
    s = start("graphdebug")
    s.initialize()
    assert "/nowhere/{name}.py" in s.refused("launch", program="/nowhere/{name}.py")


def test_a_program_that_is_a_directory(start: Start, tmp_path: Path) -> None:
    s = start("graphdebug")
    try:
        s.launch(program=str(tmp_path))
    except RequestFailed as error:
        assert str(tmp_path) in str(error)
    else:
        assert s.wait_for_exit() == 1
        assert "__main__" in s.output("stderr") and str(tmp_path) in s.output("stderr")


@pytest.mark.parametrize(
    ("text", "cause"),
    [("x = 1\nif x\n    pass\n", "line 2"), ("def f():\nreturn 1\n", "line 2"), ("a\0b", "null")],
)
def test_a_syntax_error_in_the_program(start: Start, tmp_path: Path, text: str, cause: str) -> None:
    path = tmp_path / "broken.py"
    path.write_text(text)
    s = start("graphdebug")
    s.initialize()
    message = s.refused("launch", program=str(path))
    assert str(path) in message and cause in message and "\n" not in message


def test_nothing_to_run(start: Start) -> None:
    s = start("graphdebug")
    s.initialize()
    assert '"program"' in s.refused("launch", console="internalConsole")


def test_after_a_refused_launch_comes_another(start: Start) -> None:
    s = start("graphdebug")
    s.initialize()
    s.refused("launch", program="missing.py")
    s.launch(program=LOOP)
    assert s.wait_for_exit() == 0


@pytest.mark.parametrize("name", ["SIGKILL", "SIGSEGV"])
def test_a_program_that_dies_by_a_signal(start: Start, name: str) -> None:
    s = start("graphdebug")
    s.launch(program=DIES, args=[name])
    assert s.wait_for_exit() == -getattr(signal, name) & 0xFF
    assert name in s.said()


def test_a_program_that_is_killed_while_stopped(start: Start) -> None:
    s = stopped(start)
    (process,) = s.transcript.events("process")
    os.kill(process["systemProcessId"], signal.SIGKILL)
    assert s.wait_for_exit() == 247
    assert "SIGKILL" in s.said()
    s.refused("stackTrace", threadId=s.thread)


# The configuration


def test_unknown_attributes_are_named(start: Start) -> None:
    s = start("graphdebug")
    s.launch(program=LOOP, captur="nodes", somethingElse={"a": 1})
    assert s.wait_for_exit() == 0
    console = s.output("console")
    assert '"captur"' in console and '"capture"' in console
    assert '"somethingElse"' in console
    assert '"program"' not in console


@pytest.mark.parametrize(
    ("attribute", "value", "allowed"),
    [
        ("capture", "everything", ["off", "steps", "nodes", "values"]),
        ("capture", 5, ["off", "steps", "nodes", "values"]),
        ("staticGraphs", "nodes", ["boundary", "node"]),
        ("backward", "yes", ["true", "false"]),
        ("backward", None, ["true", "false"]),
    ],
)
@pytest.mark.parametrize("command", ["launch", "attach"])
def test_bad_values_are_named(
    start: Start, command: str, attribute: str, value: object, allowed: list[str]
) -> None:
    s = start("graphdebug")
    s.initialize()
    more = {"program": LOOP} if command == "launch" else {"listen": {"port": 0}}
    message = s.refused(command, **more, **{attribute: value})
    assert attribute in message
    assert all(word in message for word in allowed)


@pytest.mark.parametrize(
    ("attribute", "value"),
    [("args", 5), ("program", 7), ("console", "nowhere"), ("cwd", ["x"]), ("cwd", "/nowhere"),
     ("python", [5]), ("python", "/nowhere/python"), ("env", "A=1"), ("env", {"A": 1}),
     ("subProcess", "no")],
)  # fmt: skip
def test_bad_values_of_debugpys_attributes(start: Start, attribute: str, value: object) -> None:
    s = start("graphdebug")
    s.initialize()
    config = {"program": LOOP, "console": "internalConsole", attribute: value}
    message = s.refused("launch", **config)
    assert attribute in message or str(value) in message
    assert not any(word in message for word in ("Traceback", "Error(", "object at"))


# The client's ends


@pytest.mark.parametrize("moment", ["at once", "initialized", "running", "stopped", "terminal"])
def test_the_client_closes_stdin(start: Start, sandbox: Sandbox, moment: str) -> None:
    s = start("graphdebug", tolerant=True)
    if moment != "at once":
        s.initialize()
    if moment == "running":
        s.launch(program=WAITS)
        s.wait_for_output("ready\n")
    elif moment == "stopped":
        s.launch(program=WAITS, breakpoints={WAITS: [line(WAITS, "turn")]})
        s.wait_for_stop("breakpoint")
    elif moment == "terminal":
        s.launch(program=WAITS, console="integratedTerminal")
        wait_until(lambda: "ready" in s.terminal_output(), "the program's start")
    s.client.close_input()
    assert s.wait_for_adapter() == 0
    assert not sandbox.leaks(timeout=3.0)
    s.said()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_adapter_is_told_to_end(start: Start, sandbox: Sandbox, number: int) -> None:
    s = stopped(start, tolerant=True)
    assert s.process is not None
    s.process.process.send_signal(number)
    assert s.wait_for_adapter() is not None
    assert not sandbox.leaks(timeout=3.0)
    s.said()


def test_the_client_closes_stdin_while_launching(start: Start, sandbox: Sandbox) -> None:
    s = start("graphdebug", tolerant=True)
    s.initialize()
    s.client.send("launch", program=WAITS, console="internalConsole")
    s.client.close_input()
    assert s.wait_for_adapter() == 0
    assert not sandbox.leaks(timeout=3.0)


def test_a_client_that_never_reads(sandbox: Sandbox, tmp_path: Path) -> None:
    """Its pipe fills up, the adapter still sees that it goes, and ends the program."""
    with subprocess.Popen(
        [sys.executable, "-m", "graphdebug", "adapter", "--log-dir", str(tmp_path)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as adapter:  # fmt: skip
        assert adapter.stdin is not None and adapter.stderr is not None
        launch = {"program": SPEWS, "console": "internalConsole", "noDebug": True}
        for seq, (command, arguments) in enumerate(
            [("initialize", {"adapterID": "graphdebug"}), ("launch", launch)], start=1
        ):
            request = {"seq": seq, "type": "request", "command": command, "arguments": arguments}
            adapter.stdin.write(encode(request))
        adapter.stdin.flush()
        wait_until(lambda: any(spews(p) for p in sandbox.processes()), "the program's start")
        adapter.stdin.close()
        try:
            assert adapter.wait(timeout=10) == 0
        finally:
            adapter.kill()
        assert not sandbox.leaks(timeout=3.0)
        assert b"Traceback" not in adapter.stderr.read()
    check(tmp_path, sessions=1)


def spews(process: psutil.Process) -> bool:
    """Whether it is the program that writes all the time."""
    try:
        return process.cmdline()[-1] == SPEWS and "launcher" not in str(process.cmdline())
    except (psutil.Error, IndexError):
        return False


# Ports and options


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    """``graphdebug adapter`` with these arguments, to its end."""
    return subprocess.run(
        [sys.executable, "-m", "graphdebug", "adapter", *arguments],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=20,
    )  # fmt: skip


def test_a_port_in_use() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = command("--port", str(port))
    assert ended.returncode == 1
    assert ended.stdout == ""
    assert len(ended.stderr.splitlines()) <= 2 and "Traceback" not in ended.stderr
    assert str(port) in ended.stderr and "in use" in ended.stderr and "--port 0" in ended.stderr


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("--port", "many"), 2),
        (("--port", "70000"), 2),
        (("--no-such-option",), 2),
        (("--host", "999.999.999.999", "--port", "0"), 1),
    ],
)
def test_options_that_cannot_be_used(arguments: tuple[str, ...], code: int) -> None:
    ended = command(*arguments)
    assert ended.returncode == code
    assert ended.stdout == ""
    assert arguments[-1] in ended.stderr or arguments[1] in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_log_directory_that_cannot_be_made(start: Start) -> None:
    s = start("graphdebug", options=["--log-dir", "/proc/nowhere"], tolerant=True)
    assert s.wait_for_adapter() == 1
    assert "/proc/nowhere" in s.said()
