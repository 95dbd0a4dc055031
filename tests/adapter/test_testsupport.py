"""Microsoft's test client for debug adapters passes against graphdebug what it does against debugpy."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from support import npm
from support.logs import LOG_DIR, check

pytestmark = pytest.mark.one_python

SUITE = Path(__file__).with_name("testsupport")


@pytest.fixture(scope="session")
def mocha() -> list[str]:
    """How mocha is run; installed as the lock file says, once."""
    npm.install(SUITE)
    return ["node", str(SUITE / "node_modules" / "mocha" / "bin" / "mocha.js")]


def executable(adapter: str) -> Path:
    """The one path that starts the adapter."""
    if adapter == "graphdebug":
        return SUITE / "graphdebug_adapter.py"
    spec = find_spec("debugpy")
    assert spec is not None and spec.origin is not None
    return Path(spec.origin).parent / "adapter"


def test_microsofts_test_client(adapter: str, mocha: list[str], tmp_path: Path) -> None:
    named = {"PYTHON": sys.executable, "ADAPTER": str(executable(adapter)), LOG_DIR: str(tmp_path)}
    ended = subprocess.run(
        [*mocha, "--reporter", "json", str(SUITE / "adapter.test.js")],
        env={**os.environ, **named},
        capture_output=True, text=True, timeout=150,
    )  # fmt: skip
    assert ended.stdout.startswith("{"), ended.stdout + ended.stderr
    report = json.loads(ended.stdout)
    failures = [f"{test['fullTitle']}: {test['err'].get('message')}" for test in report["failures"]]
    assert not failures, "\n".join(failures)
    assert ended.returncode == 0
    assert report["stats"]["passes"] == report["stats"]["tests"] >= 9
    if adapter == "graphdebug":
        check(tmp_path, sessions=report["stats"]["tests"])
