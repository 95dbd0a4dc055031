"""``graphdebug run``: an error that ended the program is explained below its traceback, and no other."""

from __future__ import annotations

import subprocess
import sys

import pytest
from support.markers import line, program

pytestmark = pytest.mark.frameworks

CASES = program("errors_cases.py")
TORCH = program("errors_torch.py")


def run(*command: str) -> tuple[int, str, str]:
    done = subprocess.run([sys.executable, *command], capture_output=True, text=True, timeout=120)
    return done.returncode, done.stdout, done.stderr


def observed(function: str) -> tuple[int, str, str]:
    return run("-m", "graphdebug", "run", CASES, "errors_torch", function)


def test_below_the_traceback() -> None:
    bare, seen = run(CASES, "errors_torch", "ends"), observed("ends")
    assert (seen[0], seen[1]) == (bare[0], bare[1]) == (1, "")
    assert seen[2].startswith(bare[2])
    text = seen[2].removeprefix(bare[2])
    assert text.startswith(f"\ngraphdebug: F.linear at errors_torch.py:{line(TORCH, 'nested')} in ")
    assert "\nRemedy: nn.Linear(6, 2)" in text and text.count("graphdebug: ") == 1


def test_below_what_the_programs_own_hook_printed() -> None:
    code, out, err = observed("ends_otherwise")
    assert (code, out) == (1, "")
    mine, _, text = err.partition("\n")
    assert mine == "mine: mat1 and mat2 shapes cannot be multiplied (2x3 and 2x3)"
    assert text.startswith(f"\ngraphdebug: a @ b at errors_torch.py:{line(TORCH, 'matmul')} in ")


def test_nothing_for_an_error_that_was_handled() -> None:
    assert observed("ends_with_another_error") == (3, "", "")
