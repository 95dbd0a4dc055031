"""The registry of running sessions: private, and clean of what dead processes left."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from support.sandbox import Sandbox

from graphdebug.protocol.observers import RunningSession
from graphdebug.transport.endpoint import Listener, connect
from graphdebug.transport.registry import Place, RegistryError, running


def session(**changes: object) -> RunningSession:
    fields = {
        "endpoint": "unix:/nowhere", "token": "secret", "pid": os.getpid(), "kind": "debug",
        "program": "train.py", "cwd": "/work", "started": 1.0,
    }  # fmt: skip
    return RunningSession(**{**fields, **changes})  # type: ignore[arg-type]


@pytest.fixture
def registry(sandbox: Sandbox) -> Path:
    return sandbox.runtime / "graphdebug"


def mode(path: Path | str) -> int:
    return stat.S_IMODE(os.lstat(path).st_mode)


def test_what_is_published_is_found_until_it_is_removed(registry: Path) -> None:
    places = [Place(), Place()]
    for started, place in zip((2.0, 1.0), places, strict=True):
        place.publish(session(started=started))
    assert [item.started for item in running()] == [1.0, 2.0]
    assert running()[0] == session(started=1.0)
    places[0].remove()
    assert running() == [session(started=1.0)]
    places[1].remove()
    assert running() == []
    assert list(registry.iterdir()) == []


def test_nothing_is_open_to_others(registry: Path) -> None:
    before = os.umask(0)
    try:
        place = Place()
        listener = Listener(place.socket)
        place.publish(session(endpoint=listener.endpoint))
    finally:
        os.umask(before)
    assert mode(registry) == 0o700
    assert [mode(path) for path in registry.iterdir()] == [0o600, 0o600]
    connect(listener.endpoint, 1).close()
    listener.close()
    place.remove()


@pytest.mark.parametrize("bad", ["open", "link", "file", "foreign"])
def test_a_directory_that_others_can_enter_is_not_used(
    registry: Path, sandbox: Sandbox, tmp_path: Path, bad: str
) -> None:
    if bad == "open":
        registry.mkdir(mode=0o755)
    elif bad == "link":
        registry.symlink_to(tmp_path)
    elif bad == "file":
        registry.touch()
    elif os.geteuid() == 0:
        registry.mkdir(mode=0o700)
        os.chown(registry, 12345, 12345)
    else:
        pytest.skip("only root can give a directory away")
    code = (
        "from graphdebug.transport.registry import Place, running; print(Place().socket, running())"
    )
    # A process of its own: where temporary files lie is settled once for each.
    used = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    other = sandbox.temp / f"graphdebug-{os.geteuid()}"
    assert used.stdout.startswith(str(other))
    other.chmod(0o755)
    refused = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "RegistryError" in refused.stderr and f"chmod 700 {other}" in refused.stderr
    other.rmdir()
    if registry.is_symlink() or registry.is_file():
        registry.unlink()
    else:
        registry.rmdir()


def test_what_a_killed_process_left_is_removed(registry: Path) -> None:
    code = (
        "import os, test_registry as t\n"
        "place = t.Place()\n"
        "listener = t.Listener(place.socket)\n"
        "place.publish(t.session(endpoint=listener.endpoint))\n"
        "assert t.running()\n"
        "os.kill(os.getpid(), 9)"
    )
    places = [str(Path(__file__).parent), str(Path(__file__).parents[1])]
    places += filter(None, [os.environ.get("PYTHONPATH")])
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(places)}
    killed = subprocess.run([sys.executable, "-c", code], env=environment)
    assert killed.returncode == -9
    assert len(list(registry.iterdir())) == 2
    assert running() == []
    assert list(registry.iterdir()) == []
    subprocess.run([sys.executable, "-c", code], env=environment)
    Place()
    assert list(registry.iterdir()) == [], "who comes next looks as well"


def test_files_that_are_no_sessions_are_passed_over(registry: Path) -> None:
    place = Place()
    for name, text in {"1": "{}", "2": "not JSON", "3": '{"pid": "x"}'}.items():
        (registry / f"{os.getpid()}-90{name}.json").write_text(text)
    (registry / "notes.txt").write_text("mine")
    place.publish(session())
    written = registry / f"{os.getpid()}-904.json"
    written.write_text(next(registry.glob("*-[0-9].json"), registry / "notes.txt").read_text())
    written.chmod(0o644)
    assert running() == [session()]
    place.remove()
    assert (registry / "notes.txt").exists()
    for path in registry.iterdir():
        path.unlink()


def test_a_registry_that_cannot_be_used_says_why(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    monkeypatch.setattr("tempfile.tempdir", str(sandbox.root / "absent"))
    with pytest.raises(RegistryError, match="absent"):
        Place()
    assert running() == []
