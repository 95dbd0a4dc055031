"""Programs run as they do alone: same output to the bit, same errors and warnings."""

from __future__ import annotations

import re
import subprocess
import sys
from functools import cache
from typing import Any, get_args

import pytest
from support.markers import program
from support.observer import Observation

from graphdebug.protocol.dap import Configuration
from graphdebug.protocol.model import Capture
from graphdebug.protocol.runtime import AlertEvent, BackendEvent

pytestmark = pytest.mark.frameworks

LEVELS: tuple[Any, ...] = get_args(Capture)

TRAINING = ["torch_mlp.py", "torch_cnn.py", "torch_transformer.py"]

OTHERS = [
    "compiled.py",
    "torch_autograd.py",
    "torch_by_hand.py",
    "torch_compilers.py",
    "torch_kinds.py",
]

_CHANGING = re.compile(r"W\d{4} [\d:.]+ \d+")
"""Time and process id in torch's log."""


@cache
def bare(name: str, *args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, program(name), *args], capture_output=True, text=True)


@pytest.mark.parametrize("capture", LEVELS)
def test_training_ends_with_the_same_weights_and_random_state(capture: Any) -> None:
    check("several.py", capture, *TRAINING)


@pytest.mark.parametrize("capture", ["nodes", "values"])
@pytest.mark.parametrize("name", OTHERS)
def test_everything_torch_has_runs_as_it_does_alone(name: str, capture: Any) -> None:
    check(name, capture)


def check(name: str, capture: Any, *args: str) -> None:
    alone = bare(name, *args)
    observed = Observation(program(name), *args, configuration=Configuration(capture=capture))
    assert alone.returncode == 0, alone.stderr
    assert observed.stdout == alone.stdout
    assert _CHANGING.sub("", observed.stderr) == _CHANGING.sub("", alone.stderr)
    assert observed.returncode == 0
    assert observed.of(AlertEvent) == []
    states = [event.backend for event in observed.of(BackendEvent)]
    assert states and all(state.active and not state.reason for state in states)


def test_errors_carry_no_frame_of_ours(tmp_path: Any) -> None:
    path = tmp_path / "fails.py"
    path.write_text(
        "import torch\nx = torch.ones(2, 3, requires_grad=True)\n"
        "def fails():\n    return x @ x\n"
        "try:\n    fails()\nexcept RuntimeError:\n"
        "    import traceback\n    print(traceback.format_exc())\n"
        "x[:, :1] @ x\ny = x.sum()\ny.backward()\nfails()\n"
    )
    alone = subprocess.run([sys.executable, path], capture_output=True, text=True)
    observed = Observation(path)
    assert "RuntimeError" in alone.stdout and "RuntimeError" in alone.stderr
    assert (observed.stdout, observed.returncode) == (alone.stdout, alone.returncode)
    if sys.version_info >= (3, 11):
        assert observed.stderr == alone.stderr
    assert "graphdebug" not in observed.stderr or sys.version_info < (3, 11)
