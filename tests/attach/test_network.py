"""A job on two hosts and its client on a third, as network namespaces; and the link to the client cut."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support import adapters
from support.dap import Session, Start
from support.jobs import Job
from support.markers import line, program
from support.observers import observing
from support.processes import wait_until
from support.ranks import ENVIRONMENT, stops, undisturbed
from support.sandbox import Sandbox

from graphdebug.protocol.hub import JOB
from graphdebug.transport.endpoint import new_token

PLAIN, MLP = program("attached_plain.py"), program("ranks_mlp.py")
STEPS = "40"
NUMBER = os.getpid()
FIRST, SECOND, CLIENT = (f"gd-{name}-{NUMBER}" for name in ("first", "second", "client"))
NETWORK = "10.231.{}.{}"
ADDRESS = NETWORK.format(78, 1)
"""Of the first host, for the second one and, through the first one's other cable, for the client."""

pytestmark = pytest.mark.one_python


def ip(*words: str) -> int:
    return subprocess.run(["ip", *words], capture_output=True, check=False).returncode


@pytest.fixture
def hosts() -> Iterator[None]:
    """Three namespaces: a cable from the first one to each of the others."""
    if shutil.which("ip") is None or ip("netns", "add", FIRST):
        pytest.skip("no network namespaces may be made here")
    try:
        for host in (SECOND, CLIENT):
            assert not ip("netns", "add", host)
        for host in (FIRST, SECOND, CLIENT):
            assert not ip("-n", host, "link", "set", "lo", "up")
        for number, (name, other) in enumerate((("client", CLIENT), ("nodes", SECOND)), 77):
            ends = f"gda{NUMBER}", f"gdb{NUMBER}"
            assert not ip("link", "add", ends[0], "type", "veth", "peer", "name", ends[1])
            for last, (end, host) in enumerate(zip(ends, (FIRST, other), strict=True), 1):
                address = f"{NETWORK.format(number, last)}/24"
                assert not ip("link", "set", end, "netns", host, "name", name)
                assert not ip("-n", host, "addr", "add", address, "dev", name)
                assert not ip("-n", host, "link", "set", name, "up")
        gateway = NETWORK.format(77, 1)
        assert not ip("-n", CLIENT, "route", "add", "default", "via", gateway)
        yield
    finally:
        for host in (FIRST, SECOND, CLIENT):
            ip("netns", "delete", host)


def cable(state: str) -> None:
    assert not ip("-n", FIRST, "link", "set", "client", state)


def node(number: int, address: str, place: Path, *gates: Path, **environment: str) -> Job:
    """A machine's part of the job."""
    launcher = ("--nnodes", "2", "--node-rank", str(number), "--nproc-per-node", "1")
    meeting = ("--master-addr", ADDRESS, "--master-port", "29511")
    words = [*launcher, *meeting, MLP, str(place), STEPS, "60", *map(str, gates)]
    listen = [*filter(None, ["--listen", address]), "--", "torchrun"]
    return Job(
        *listen, *words, host=(FIRST, SECOND)[number],
        **ENVIRONMENT, GLOO_SOCKET_IFNAME="nodes", **environment,
    )  # fmt: skip


@pytest.mark.frameworks
def test_ranks_of_two_hosts_have_one_hub_and_a_cut_link_to_its_client_does_no_harm(
    hosts: None, start: Start, sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, gates = tmp_path / "debugged", [tmp_path / "gate", tmp_path / "late"]
    there, elsewhere, file = (tmp_path / name for name in ("there", "elsewhere", "job.json"))
    for directory in (there, elsewhere):
        directory.mkdir(mode=0o700)
    monkeypatch.setitem(
        adapters.COMMANDS, "attach", ("ip", "netns", "exec", CLIENT, *adapters.COMMANDS["attach"])
    )

    def attach(**options: object) -> Session:
        where = {"XDG_RUNTIME_DIR": str(elsewhere), "TMPDIR": str(elsewhere)}
        found = [f"{ADDRESS}:{first.port}", "--connection-file", str(file)]
        session: Session = start("attach", options=found, environment=where, timeout=90, **options)
        return session

    token = {"GRAPHDEBUG_TOKEN": new_token()}
    first = node(0, f"{ADDRESS}:0", place, *gates, **token)
    second = node(1, "", place, *gates, XDG_RUNTIME_DIR=str(there), **token)
    try:
        for rank in range(2):
            wait_until(lambda: Path(f"{gates[0]}-{rank}").exists(), "the ranks", 60)  # noqa: B023
        (published,) = (sandbox.runtime / "graphdebug").glob("*.json")
        file.write_text(published.read_text())
        file.chmod(0o600)
        session = attach(tolerant=True)
        batch = {"line": line(MLP, "batch"), "condition": "step >= 3"}
        session.attach(breakpoints={MLP: [batch]})
        gates[0].touch()
        assert sorted(stops(session, 2)) == [0, 1]
        session.cont()
        assert sorted(stops(session, 2)) == [0, 1]
        before = session.request("graphdebugSteps")["total"]
        assert before >= 2
        cable("down")
        for rank in range(2):
            wait_until(lambda: Path(f"{gates[1]}-{rank}").exists(), "them to go on", 60)  # noqa: B023
        with observing(first.session) as observer:
            wait_until(lambda: not observer.request(JOB)["clients"], "the hub to notice", 10)
        session.close(check=False)
        cable("up")
        again = attach()
        again.attach()
        names = [thread["name"] for thread in again.request("threads")["threads"]]
        assert {name[:6] for name in names} == {"rank 0", "rank 1"}
        steps = again.request("graphdebugSteps")
        assert steps["total"] >= before and {step["rank"] for step in steps["steps"]} == {0, 1}
        again.request("disconnect", terminateDebuggee=False)
        again.close()
        gates[1].touch()
        assert (first.process.wait(60), second.process.wait(60)) == (0, 0), first.errors()
    finally:
        first.end()
        second.end()
    assert place.read_text() == undisturbed(2, MLP, STEPS, "60")


def test_ranks_that_a_launcher_starts_elsewhere_come_by_the_network(
    hosts: None, sandbox: Sandbox, tmp_path: Path
) -> None:
    """As with srun and mpirun, which hand the environment on: the hub's socket isn't there."""
    hidden = f'mount -t tmpfs none {sandbox.runtime}; exec "$@"'
    there = f"ip netns exec {SECOND} sh -c '{hidden}' sh"
    script = (
        f"SLURM_PROCID=0 SLURM_NTASKS=2 {sys.executable} {PLAIN} & "
        f"SLURM_PROCID=1 SLURM_NTASKS=2 {there} {sys.executable} {PLAIN} & wait"
    )
    job = Job("--listen", f"{ADDRESS}:0", "--", "sh", "-c", script, host=FIRST)
    try:
        with observing(job.session) as observer:

            def ranks() -> list[int]:
                found = observer.request(JOB)["ranks"]
                return [one["process"]["rank"] for one in found if one["ranked"]]

            wait_until(lambda: ranks() == [0, 1], "both ranks", 30)
    finally:
        job.end()
