"""Training under the adapter, with real stops, ends with the same losses and weights to the bit."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import cache
from typing import Any, get_args

import pytest
from support.dap import Session, Start
from support.markers import line, mark_at, program

from graphdebug.protocol.model import Capture

pytestmark = pytest.mark.frameworks

LEVELS = get_args(Capture)
QUIET = {"TF_CPP_MIN_LOG_LEVEL": "2"}

Breakpoints = dict[str, dict[str, str]]
"""By program: the marks of its lines, and each one's hit condition."""

TORCH: Breakpoints = {
    "torch_mlp.py": {"relu": "3", "backward": "2"},
    "torch_cnn.py": {"residual": "% 12", "score": "2"},
    "torch_transformer.py": {"embed": "4", "encoder": "9"},
}
TENSORFLOW: Breakpoints = {
    "tf_keras_fit.py": {"noisy": "2", "layer": "6", "apply": "% 3"},
    "tf_training.py": {"hidden": "", "dropout": "", "loss": "", "train": ""},
}

TORCH_STOPS = [
    "torch_mlp.py:backward", "torch_mlp.py:relu", "torch_mlp.py:drop",
    "torch_mlp.py:relu Backward",
    "torch_cnn.py:residual Backward", "torch_cnn.py:score", "torch_cnn.py:residual",
    *["torch_cnn.py:residual Backward", "torch_cnn.py:residual"] * 2,
    "torch_transformer.py:encoder Backward", "torch_transformer.py:embed Backward",
    "torch_transformer.py:embed", "torch_transformer.py:encoder",
]  # fmt: skip
TENSORFLOW_STOPS = [
    "tf_keras_fit.py:layer", "tf_keras_fit.py:noisy", *["tf_keras_fit.py:apply"] * 3,
    *[f"tf_training.py:{mark} Building graph" for mark in ("hidden", "dropout", "loss", "train")],
    "tf_training.py:seeded Building graph",
    "tf_training.py:initialize Graph boundary", *["tf_training.py:step Graph boundary"] * 3,
]  # fmt: skip

STEPPED = ("torch_mlp.py:relu", "tf_training.py:train Building graph")
"""Stops from which the program goes on by a line."""


@cache
def bare(name: str) -> str:
    """What the program prints without us: its losses, its weights and what it drew, in hexadecimal."""
    done = subprocess.run(
        [sys.executable, program(name)],
        env={**os.environ, **QUIET}, capture_output=True, text=True, timeout=170,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def lines(breakpoints: Breakpoints) -> dict[str, list[Any]]:
    """As ``Session.launch`` takes them."""
    found: dict[str, list[Any]] = {}
    for name, marks in breakpoints.items():
        path = program(name)
        found[path] = [
            {"line": line(path, mark), **({"hitCondition": hits} if hits else {})}
            for mark, hits in marks.items()
        ]
    return found


def walk(session: Session) -> list[str]:
    """Look at everything at each stop, as an editor does, and go on, to the end; the stops."""
    seen: list[str] = []
    while (stop := session.next_stop()) is not None:
        frame = session.frame()
        for scope in session.scopes(frame).values():
            session.variables(scope["variablesReference"])
        path = frame["source"]["path"]
        place = f"{os.path.basename(path)}:{mark_at(path, frame['line'])}"
        place = f"{place} {stop.get('description', '')}".rstrip()
        # A line that goes on below is passed twice, and by some Pythons once.
        if [place] != seen[-1:] or "Building" not in place:
            seen.append(place)
        if seen.count("tf_training.py:step Graph boundary") == 3:
            session.set_breakpoints(path, [])
        if place in STEPPED:
            session.request("next", threadId=session.thread)
        else:
            session.cont()
    return seen


def trained(
    start: Start, name: str, capture: str, breakpoints: Breakpoints, stops: list[str]
) -> None:
    """Run it with these stops, and hold what it printed against the bare program's."""
    session = start("graphdebug", environment=QUIET, timeout=120)
    filters = ["graphdebug.nan"]
    session.launch(
        program=program(name), capture=capture, breakpoints=lines(breakpoints), filters=filters
    )
    assert walk(session) == stops
    assert session.wait_for_exit() == 0
    assert session.output("stdout") == bare(name)
    assert not session.transcript.events("graphdebugAlert")
    steps = session.request("graphdebugSteps")["steps"]
    if capture != "off":
        assert (steps[-1]["forwardNodes"] > 0) == (capture != "steps")


@pytest.mark.parametrize("capture", LEVELS)
def test_torch_trains_to_the_same_bits(start: Start, capture: str) -> None:
    trained(start, "trains_torch.py", capture, TORCH, TORCH_STOPS)


@pytest.mark.parametrize("capture", LEVELS)
def test_tensorflow_trains_to_the_same_bits(start: Start, capture: str) -> None:
    trained(start, "trains_tensorflow.py", capture, TENSORFLOW, TENSORFLOW_STOPS)
