"""``graphdebug demo``: what a newcomer runs first."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

pytestmark = pytest.mark.frameworks


def demo(*options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "graphdebug", "demo", *options],
        capture_output=True, text=True, timeout=170, env=None, stdin=subprocess.DEVNULL,
    )  # fmt: skip


def test_both_loops_and_the_comparison() -> None:
    done = demo()
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
def test_one_half(option: str, absent: str) -> None:
    done = demo(option)
    assert done.returncode == 0, done.stderr
    assert absent not in done.stdout
