"""A job on one host and its client on another, as network namespaces; and the link between them cut."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from support import adapters
from support.dap import Session, Start
from support.jobs import Job
from support.markers import line, program
from support.observers import observing
from support.processes import wait_until
from support.sandbox import Sandbox

from graphdebug.protocol.hub import JOB

PLAIN = program("attached_plain.py")
TURN = line(PLAIN, "turn")
NUMBER = os.getpid()
THERE, HERE = f"gd-job-{NUMBER}", f"gd-client-{NUMBER}"
ADDRESS = "10.231.77.1"


def ip(*words: str) -> int:
    return subprocess.run(["ip", *words], capture_output=True, check=False).returncode


@pytest.fixture
def hosts() -> Iterator[None]:
    """Two namespaces with a cable between them."""
    if shutil.which("ip") is None or ip("netns", "add", THERE):
        pytest.skip("no network namespaces may be made here")
    try:
        ends = f"gda{NUMBER}", f"gdb{NUMBER}"
        assert not ip("netns", "add", HERE)
        assert not ip("link", "add", ends[0], "type", "veth", "peer", "name", ends[1])
        for end, host, address in zip(ends, (THERE, HERE), (ADDRESS, "10.231.77.2"), strict=True):
            assert not ip("link", "set", end, "netns", host, "name", "cable")
            assert not ip("-n", host, "addr", "add", f"{address}/24", "dev", "cable")
            assert not ip("-n", host, "link", "set", "cable", "up")
            assert not ip("-n", host, "link", "set", "lo", "up")
        yield
    finally:
        for host in (THERE, HERE):
            ip("netns", "delete", host)


def cable(state: str) -> None:
    assert not ip("-n", THERE, "link", "set", "cable", state)


@pytest.mark.stress
@pytest.mark.one_python
def test_a_cut_link_lets_the_program_go_on_and_it_can_be_attached_to_again(
    hosts: None, start: Start, sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("--listen", f"{ADDRESS}:0", PLAIN)
    running = Job(*words, host=THERE)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir(mode=0o700)
    file = tmp_path / "job.json"
    monkeypatch.setitem(
        adapters.COMMANDS, "attach", ("ip", "netns", "exec", HERE, *adapters.COMMANDS["attach"])
    )

    def attach(**options: object) -> Session:
        where = {"XDG_RUNTIME_DIR": str(elsewhere), "TMPDIR": str(elsewhere)}
        found = [f"{ADDRESS}:{running.port}", "--connection-file", str(file)]
        session: Session = start("attach", options=found, environment=where, timeout=60, **options)
        session.attach(breakpoints={PLAIN: [TURN]})
        session.wait_for_stop("breakpoint")
        return session

    try:
        assert running.read() == "ready"
        (published,) = (sandbox.runtime / "graphdebug").glob("*.json")
        file.write_text(published.read_text())
        file.chmod(0o600)
        session = attach(tolerant=True)
        cable("down")
        with observing(running.session) as observer:
            wait_until(lambda: not observer.request(JOB)["clients"], "the hub to notice", 30)
        session.close(check=False)
        cable("up")
        again = attach()
        again.set_breakpoints(PLAIN, [])
        again.request("disconnect", terminateDebuggee=False)
        again.close()
        running.tell()
        assert running.read() == "told to stop True"
        assert running.process.wait(20) == 0
    finally:
        running.end()
