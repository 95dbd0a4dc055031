"""Nobody without the token gets in, and nobody who tries does the job any harm."""

from __future__ import annotations

import os
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from support.jobs import Job, command, debugging, job
from support.markers import line, program
from support.observers import observing
from support.processes import wait_until
from support.sandbox import Sandbox

from graphdebug.protocol.hub import DEBUG, JOB
from graphdebug.protocol.observers import OBSERVE
from graphdebug.transport.endpoint import connect, new_token
from graphdebug.transport.framing import encode

PLAIN = program("attached_plain.py")


@pytest.fixture(scope="module")
def victim() -> Iterator[Job]:
    """A job that listens on loopback, for all tests here: each leaves it as it was."""
    box = Sandbox()
    before = dict(os.environ)
    os.environ.update(box.environment)
    try:
        with job("--listen", "127.0.0.1:0", PLAIN) as started:
            assert started.read() == "ready"
            os.environ.update(before)
            started.sandbox = box
            yield started
            started.tell()
            assert started.read().startswith("told to stop")
            assert started.process.wait(20) == 0
    finally:
        os.environ.clear()
        os.environ.update(before)
    leaks = box.leaks()
    box.remove()
    assert not leaks


@pytest.fixture(autouse=True)
def unharmed(victim: Job, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """After each test the job runs, and whoever has the token is let in."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(victim.sandbox.runtime))
    memory = victim.hub().memory_info().rss
    yield
    with observing(victim.session) as observer:
        assert len(observer.request(JOB)["ranks"]) == 1
    assert victim.hub().memory_info().rss < memory + (20 << 20), "memory is bounded"


def knock(victim: Job, *data: bytes) -> socket.socket:
    """Connect to the TCP port and send this."""
    link = socket.create_connection(("127.0.0.1", victim.port), 10)
    for part in data:
        link.sendall(part)
    return link


def ask(command: str, **arguments: object) -> bytes:
    return encode({"seq": 1, "type": "request", "command": command, "arguments": arguments})


def closed(link: socket.socket) -> bool:
    """Whether the other side closes without a word."""
    link.settimeout(15)
    try:
        return link.recv(1) == b""
    except ConnectionError:
        return True
    finally:
        link.close()


TOO_LONG = b"Content-Length: 1000000000\r\n\r\n" + b" " * 100_000
WRONG = [
    ("no token", ask(DEBUG)),
    ("a wrong token", ask(DEBUG, token="0" * 64)),
    ("a token that is too long", ask(OBSERVE, token=2 * new_token())),
    ("a token that is no text", ask(DEBUG, token={"a": 1})),
    ("DAP", ask("initialize", adapterID="graphdebug")),
    (
        "a rank with a wrong token",
        encode({"type": "event", "event": "hello", "body": {"token": ""}}),
    ),
    (
        "a debuggee",
        encode({"type": "event", "event": "debuggee", "body": {"token": "", "key": ""}}),
    ),
    ("no message", b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"),
    ("no JSON", b"Content-Length: 3\r\n\r\n{{{"),
    ("a frame that is too long", TOO_LONG),
    ("a header that is too long", b"a" * 39 + b": " + b"a" * 10_000),
]


def test_who_has_no_token_is_refused_with_one_line_each(victim: Job) -> None:
    links = {what: knock(victim, data) for what, data in WRONG}
    for what, link in links.items():
        assert closed(link), what
    lines = victim.refusals()
    assert len(lines) == len(WRONG), lines
    assert sum("the token is wrong" in text for text in lines) == 5, lines
    assert sum("is no message" in text for text in lines) == 4, lines
    assert "0000" not in victim.errors() and victim.session.token not in victim.errors()


def test_the_token_of_a_job_is_of_no_use_to_the_next_one(victim: Job) -> None:
    with job("--listen", PLAIN) as older:
        replayed = older.session.token
    before = len(victim.refusals())
    assert closed(knock(victim, ask(OBSERVE, token=replayed)))
    (line,) = victim.refusals()[before:]
    assert line.endswith("the token is wrong") and replayed not in victim.errors()


def test_who_is_refused_waits_longer_each_time_and_others_dont(victim: Job) -> None:
    links = [knock(victim, ask(DEBUG)) for _ in range(3)]
    with observing(victim.session) as observer:
        assert observer.request(JOB)
    assert all(closed(link) for link in links)


def test_those_who_keep_silent_or_send_slowly_make_room(victim: Job) -> None:
    slow = [knock(victim, b"Content-Le") for _ in range(100)]
    with debugging(victim.session, {PLAIN: [line(PLAIN, "turn")]}) as client:
        assert client.wait_for_event("stopped")["reason"] == "breakpoint"
    assert all(closed(link) for link in slow)


@pytest.mark.parametrize("hundreds", [10, pytest.param(100, marks=pytest.mark.stress)])
def test_thousands_of_connections(victim: Job, hundreds: int) -> None:
    files = victim.hub().num_fds()
    port = victim.port
    for _ in range(hundreds):
        links = [socket.create_connection(("127.0.0.1", port), 10) for _ in range(100)]
        for link in links:
            # As they come from a program that is killed: without a farewell.
            link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            link.close()
    wait_until(lambda: victim.hub().num_fds() <= files, "their sockets to be closed", 20)
    assert len(victim.refusals()) < 60, "not a line for each"


@pytest.mark.skipif(os.getuid() != 0, reason="only root can be somebody else")
def test_another_user_gets_nowhere(victim: Job) -> None:
    code = (
        "import os, socket, sys\n"
        "os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        "for what in (lambda: os.listdir(sys.argv[1]), lambda: open(sys.argv[2]),\n"
        "             lambda: socket.socket(socket.AF_UNIX).connect(sys.argv[3])):\n"
        "    try: what()\n"
        "    except PermissionError: print('refused')\n"
    )
    path = victim.session.endpoint.removeprefix("unix:")
    words = (str(Path(path).parent), path.replace(".socket", ".json"), path)
    done = subprocess.run(
        [sys.executable, "-c", code, *words], capture_output=True, text=True, check=False
    )
    assert done.stdout.split() == ["refused"] * 3, done.stderr


def test_no_port_takes_initialize_without_the_token(victim: Job) -> None:
    """Not even while somebody debugs: debugpy's own ports ask for tokens, too."""
    with debugging(victim.session) as client:
        assert client.request("threads")
        for port in sorted(ports(victim)):
            with socket.create_connection(("127.0.0.1", port), 5) as link:
                link.sendall(ask("initialize", adapterID="graphdebug"))
                link.settimeout(1)
                heard = b""
                try:
                    while data := link.recv(65536):
                        heard += data
                except (TimeoutError, ConnectionError):
                    pass
                assert b'"success":true' not in heard.replace(b" ", b""), port
                assert b"capabilities" not in heard and b"supports" not in heard
        assert client.request("threads"), "the session goes on"


def ports(victim: Job) -> set[int]:
    found = set()
    for process in (victim.hub(), *victim.hub().children(recursive=True)):
        for connection in process.net_connections("inet"):
            if connection.status == psutil.CONN_LISTEN:
                found.add(connection.laddr.port)
    return found


def test_secrets_are_on_no_command_line(victim: Job) -> None:
    with debugging(victim.session):
        processes = (victim.hub(), *victim.hub().children(recursive=True))
        secrets = {victim.session.token}
        for process in processes:
            for name in ("GRAPHDEBUG", "GRAPHDEBUG_DEBUGPY_TOKENS"):
                secrets |= set(words(process.environ().get(name, "")))
        assert len(secrets) >= 3
        for process in psutil.process_iter():
            try:
                shown = " ".join(process.cmdline())
            except psutil.Error:
                continue
            assert not any(secret in shown for secret in secrets)
        assert not any(secret in victim.errors() for secret in secrets)
    assert victim.session.token not in command("ps", "--json").stdout


def words(text: str) -> list[str]:
    import re

    return re.findall(r"\b[0-9a-f]{64}\b", text)


def test_other_machines_are_let_in_with_tls_alone(victim: Job) -> None:
    with job("--listen", "0.0.0.0:0", PLAIN) as exposed:
        assert exposed.read() == "ready"
        session = exposed.session
        endpoint = f"tls:127.0.0.1:{exposed.port}"
        with socket.create_connection(("127.0.0.1", exposed.port), 10) as plain:
            plain.sendall(ask(OBSERVE, token=session.token))
            assert closed(plain), "nothing is said without TLS"
        wait_until(lambda: len(exposed.refusals()) == 1, "a line about it", 10)
        assert "doesn't speak TLS" in exposed.refusals()[0]
        files = exposed.hub().num_fds()
        silent = [knock(exposed) for _ in range(200)]
        wait_until(lambda: len(exposed.refusals()) > 10, "the oldest to be sent away", 10)
        wait_until(
            lambda: exposed.hub().num_fds() < files + 100,
            "those who keep silent not to fill it up",
            10,
        )
        with connect(endpoint, 10, session.fingerprint) as link:
            link.sendall(ask(OBSERVE, token=session.token))
            assert b'"success":true' in link.recv(4096)
        for fingerprint, why in (("0" * 64, "another certificate"), ("", "isn't trusted")):
            with pytest.raises(OSError, match=why):
                connect(endpoint, 10, fingerprint)
        assert all(map(closed, silent))
        exposed.tell()
        assert exposed.process.wait(20) == 0
