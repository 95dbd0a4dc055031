"""The adapter's log: all that passed between it and its clients, where it was asked for."""

from __future__ import annotations

import json
from pathlib import Path

from support.adapters import COMMANDS
from support.dap import Session, Start
from support.logs import LOG_DIR, check, entries
from support.markers import line, program
from support.processes import Run, wait_until
from support.sandbox import Sandbox

LOOP = program("loop.py")


def debug(session: Session) -> None:
    """A short session: one stop, then to the end."""
    session.launch(program=LOOP, breakpoints={LOOP: [line(LOOP, "print")]})
    session.wait_for_stop("breakpoint")
    session.cont()
    assert session.wait_for_exit() == 0


def test_the_log_has_every_message(start: Start, graphdebug_adapter: str, tmp_path: Path) -> None:
    session = start(graphdebug_adapter, options=["--log-dir", str(tmp_path / "new")])
    debug(session)
    session.close()
    logged = [entry for _, entry in entries(tmp_path / "new")]
    for sender, direction in (("client", "sent"), ("adapter", "received")):
        assert [entry["message"] for entry in logged if entry["from"] == sender] == [
            entry.message for entry in session.transcript.entries if entry.direction == direction
        ]
    assert [entry["at"] for entry in logged] == sorted(entry["at"] for entry in logged)
    assert list((tmp_path / "new").glob("debugpy.adapter-*.log"))
    check(tmp_path / "new", sessions=1)


def test_debugpys_variable_asks_for_it_too(
    start: Start, graphdebug_adapter: str, tmp_path: Path
) -> None:
    session = start(graphdebug_adapter, environment={LOG_DIR: str(tmp_path)})
    debug(session)
    session.close()
    check(tmp_path, sessions=1)


def test_what_was_no_message_is_in_the_log(
    start: Start, graphdebug_adapter: str, tmp_path: Path
) -> None:
    session = start(graphdebug_adapter, options=["--log-dir", str(tmp_path)], tolerant=True)
    session.send_raw(b"Content-Length: 3\r\n\r\n{]}")
    session.initialize()
    session.close()
    (fault,) = [entry["fault"] for _, entry in entries(tmp_path) if "fault" in entry]
    assert "not JSON" in fault


def test_each_client_of_a_port_has_its_number(
    start: Start, graphdebug_adapter: str, run: Run, sandbox: Sandbox, tmp_path: Path
) -> None:
    endpoints = sandbox.root / "endpoints.json"
    options = ("--port", "0", "--log-dir", str(tmp_path))
    process = run(
        *COMMANDS[graphdebug_adapter][1:], *options, DEBUGPY_ADAPTER_ENDPOINTS=str(endpoints)
    )
    wait_until(lambda: endpoints.exists() and bool(endpoints.read_text()), "the endpoints file")
    place = json.loads(endpoints.read_text())["client"]
    sessions = [start(graphdebug_adapter, address=(place["host"], place["port"])) for _ in range(2)]
    for session in sessions:
        session.initialize()
    for session in sessions:
        session.close()
    assert process.wait(timeout=10) == 0
    assert {name for name, _ in entries(tmp_path)} == {
        f"graphdebug.adapter-{process.pid}.log:{number}" for number in (1, 2)
    }
    check(tmp_path, sessions=2)


def test_a_variable_that_names_no_directory(start: Start, graphdebug_adapter: str) -> None:
    environment = {LOG_DIR: "/proc/nowhere"}
    session = start(graphdebug_adapter, environment=environment, tolerant=True)
    assert session.wait_for_adapter() == 1
    assert "/proc/nowhere" in session.said() and LOG_DIR in session.said()
