"""``graphdebug demo``: what a newcomer runs first."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from support.logs import LOG_DIR, check

pytestmark = pytest.mark.frameworks


def demo(logs: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "graphdebug", "demo", *options],
        env={**os.environ, LOG_DIR: str(logs)}, stdin=subprocess.DEVNULL,
        capture_output=True, text=True, timeout=170,
    )  # fmt: skip


def test_both_loops_and_the_comparison(tmp_path: Path) -> None:
    done = demo(tmp_path)
    check(tmp_path, sessions=2)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    torch, tensorflow = done.stdout.split("TensorFlow", 1)
    stops = re.findall(r"stop (\d+) line \d+ in <module>: first_counter = (.*)", torch)
    assert [int(number) for number, _ in stops] == list(range(1, 11))
    assert [value for _, value in stops] == [
        f"float32 (1,) cpu [{float(n)}]" for n in range(0, 20, 2)
    ]
    assert "boundary:" in tensorflow
    made = re.findall(r"iteration (\d+): \S+ made int32 \(\) \S+ (\d+)", tensorflow)
    assert made == [(str(n), str(2 * n + 2)) for n in range(10)]
    assert "symbolic" in tensorflow
    assert "the program printed: 20 20" in tensorflow
    assert "session boundary" in tensorflow


@pytest.mark.parametrize(
    ("option", "absent"), [("--torch", "TensorFlow"), ("--tensorflow", "PyTorch")]
)
def test_one_half(option: str, absent: str, tmp_path: Path) -> None:
    done = demo(tmp_path, option)
    check(tmp_path, sessions=1)
    assert done.returncode == 0, done.stderr
    assert absent not in done.stdout
