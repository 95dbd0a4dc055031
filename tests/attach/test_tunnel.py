"""A job at an ``ssh://`` address: a real sshd on loopback, and the system's ssh."""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.dap import Start
from support.jobs import command, job
from support.markers import line, program
from support.processes import wait_until
from support.sandbox import Sandbox

PLAIN = program("attached_plain.py")
SSHD = shutil.which("sshd", path=os.environ.get("PATH", "") + ":/usr/sbin")

pytestmark = [
    pytest.mark.one_python,
    pytest.mark.skipif(SSHD is None or os.getuid() != 0, reason="no sshd here that root may start"),
]


@pytest.fixture
def server(tmp_path: Path, sandbox: Sandbox) -> Iterator[int]:
    """The port of an sshd that lets us in by a key of ours."""
    assert SSHD is not None
    os.makedirs("/run/sshd", mode=0o755, exist_ok=True)
    for name in ("host", "user"):
        made = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / name)]
        subprocess.run(made, check=True)
    keys = tmp_path / "keys"
    keys.write_text((tmp_path / "user.pub").read_text())
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = int(free.getsockname()[1])
    (tmp_path / "sshd").write_text(
        f"ListenAddress 127.0.0.1:{port}\nHostKey {tmp_path}/host\nAuthorizedKeysFile {keys}\n"
        f"PidFile none\nStrictModes no\nUsePAM no\nPermitRootLogin yes\n"
        f"SetEnv XDG_RUNTIME_DIR={sandbox.runtime} TMPDIR={sandbox.temp}\n"
    )
    (tmp_path / "ssh").write_text(
        f"IdentityFile {tmp_path}/user\nUserKnownHostsFile {tmp_path}/known\n"
        "StrictHostKeyChecking accept-new\nBatchMode yes\n"
    )
    log = tmp_path / "log"
    words = [SSHD, "-D", "-f", str(tmp_path / "sshd"), "-E", str(log)]
    process = subprocess.Popen(words)
    try:
        wait_until(lambda: log.exists() and "listening" in log.read_text(), "sshd", 10)
        os.environ["GRAPHDEBUG_SSH"] = f"ssh -F {tmp_path}/ssh"
        yield port
    finally:
        os.environ.pop("GRAPHDEBUG_SSH", None)
        process.terminate()
        process.wait()


def test_a_job_behind_ssh_is_debugged_and_the_tunnel_goes_with_the_client(
    server: int, start: Start
) -> None:
    host = f"ssh://{getpass.getuser()}@127.0.0.1:{server}"
    none = command("attach", f"{host}/1")  # others of this user's may run here
    assert none.returncode == 1 and "there is no job 1 of yours on 127.0.0.1" in none.stderr
    with job("--listen", PLAIN) as there:
        assert there.read() == "ready"
        session = start("attach", options=[f"{host}/{there.pid}"], timeout=60)
        session.attach(breakpoints={PLAIN: [line(PLAIN, "turn")]})
        session.wait_for_stop("breakpoint")
        session.request("disconnect", terminateDebuggee=False)
        session.close()
        there.tell()
        assert there.read() == "told to stop True"
        assert there.process.wait(20) == 0
    refused = command("attach", "ssh://127.0.0.1:1/")
    assert refused.returncode == 1 and "ssh doesn't come to 127.0.0.1" in refused.stderr
