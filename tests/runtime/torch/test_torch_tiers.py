"""Both tiers say the same of all programs, and do nothing to them; how the native one is come by."""

from __future__ import annotations

import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from support.markers import program
from support.observer import Observation
from support.tiers import TIERS, tier_environment

from graphdebug.protocol.dap import Configuration
from graphdebug.protocol.model import Backend
from graphdebug.protocol.runtime import AlertEvent, BackendEvent, GraphEvent, StepEvent

pytestmark = pytest.mark.frameworks

PROGRAMS = (
    "torch_mlp.py", "torch_cnn.py", "torch_transformer.py", "torch_autograd.py", "torch_loops.py",
    "torch_many_optimizers.py", "torch_by_hand.py", "torch_kinds.py", "torch_steps.py:20",
)  # fmt: skip
FAULTS = ("faults_numbers", "faults_learning", "faults_shapes")


@cache
def observed(tier: str, *args: str) -> Observation:
    """Programs, one after the other in one process."""
    first, *rest = args
    return Observation(program(first), *rest, env=tier_environment(tier))


@pytest.mark.parametrize(
    "args", [("several.py", *PROGRAMS), ("faults.py", *FAULTS)], ids=["programs", "faults"]
)
def test_both_tiers_say_the_same(args: tuple[str, ...], native: dict[str, str]) -> None:
    """Of each step, node and alert, times aside."""
    python, quick = (observed(name, *args) for name in TIERS)
    assert state(quick).tier == "native" and state(quick).tier_reason == ""
    assert state(python).tier == "python"
    assert python.returncode == 0, python.stderr
    assert (quick.stdout, quick.stderr, quick.returncode) == (python.stdout, python.stderr, 0)
    assert quick.of(AlertEvent) == python.of(AlertEvent)
    one, other = told(python), told(quick)  # as text, since a loss may be NaN
    assert len(one) == len(other)
    for expected, found in zip(one, other, strict=True):
        assert found == expected


@pytest.mark.parametrize("capture", ["nodes", "steps"])
def test_steps_that_are_as_those_before_are_told_alike_until_one_is_not(
    capture: Any, native: dict[str, str]
) -> None:
    """What goes wrong once steps have settled, and what only changes; nothing of it is changed by us."""
    path, configuration = program("torch_settled.py"), Configuration(capture=capture)
    python, quick = (
        Observation(path, configuration=configuration, env=tier_environment(name)) for name in TIERS
    )
    assert (state(python).tier, state(quick).tier) == ("python", "native")
    for found in (python, quick):
        assert (found.returncode, found.stdout) == (0, alone(path))
    alerts = [event.alert.kind for event in python.of(AlertEvent)]
    assert alerts == (
        ["parameter", "inf", "nan", "gradient", "parameter"] if capture == "nodes" else []
    )
    assert quick.of(AlertEvent) == python.of(AlertEvent)
    assert told(quick) == told(python)
    assert [step.index for step in quick.steps] == list(range(179))
    assert all(step.duration_ns > 0 for found in (python, quick) for step in found.steps)


@cache
def alone(path: str, *args: str) -> str:
    """What a program prints without us."""
    command = [sys.executable, path, *args]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def state(observation: Observation) -> Backend:
    """The last that was said of the backend."""
    backend: Backend = observation.of(BackendEvent)[-1].backend
    return backend


def told(observation: Observation) -> list[str]:
    """Steps, each with its nodes, without times and the process; sorted, since threads take turns."""
    graphs: dict[int, tuple[Any, ...]] = {}
    for event in observation.of(GraphEvent):
        nodes = tuple(replace(node, duration_ns=0) for node in event.nodes)
        graphs[event.graph] = graphs.get(event.graph, ()) + nodes
    steps = [
        (replace(event.step, index=0, detail=0, duration_ns=0, pid=0), graphs.get(event.graph))
        for event in observation.of(StepEvent)
    ]
    return sorted(map(repr, steps))


def test_a_step_that_was_seen_is_not_looked_at_in_python(
    tier: dict[str, str], tmp_path: Path
) -> None:
    path = tmp_path / "trains.py"
    path.write_text(COUNTED)
    found = Observation(path, env=tier)
    assert found.returncode == 0, found.stderr
    seen, walked, updated = map(int, found.stdout.split())
    native = state(found).tier == "native"
    assert (seen == walked == updated == 0) if native else (seen >= 80 and walked == updated == 10)


COUNTED = """
import sys
import torch
from torch import nn

model = nn.Sequential(nn.Linear(4, 8), nn.LayerNorm(8), nn.GELU(), nn.Linear(8, 2))
optimizer = torch.optim.Adam(model.parameters())
x, labels = torch.randn(5, 4), torch.randint(0, 2, (5,))

def step():
    optimizer.zero_grad()
    y = model(x)
    a, b = y.chunk(2, 1)
    loss = nn.functional.cross_entropy(torch.cat([a, b], dim=1), labels)
    loss.backward()
    optimizer.step()

for _ in range(4):
    step()
if sys.modules.get("graphdebug.runtime.boot"):
    from graphdebug.runtime.backends.torch import backward, forward, optimizers

    counts = {}

    def counted(owner, name):
        original = getattr(owner, name)

        def call(*args):
            counts[name] = counts.get(name, 0) + 1
            return original(*args)

        setattr(owner, name, call)

    counted(forward.ForwardMode, "seen")
    counted(backward, "_root")
    counted(optimizers.OptimizerSteps, "end")
    for _ in range(10):
        step()
    print(counts.get("seen", 0), counts.get("_root", 0), counts.get("end", 0))
"""


def test_a_chain_that_is_too_long_to_be_looked_at_does_no_harm(tier: dict[str, str]) -> None:
    """Torch lets go of Nodes that Python has seen one within the other, until the stack ends."""
    path = program("torch_deep.py")
    found = Observation(path, "60000", env=tier)
    assert (found.returncode, found.stdout, found.stderr) == (0, alone(path, "60000"), "")
    assert not found.of(AlertEvent)
    assert [event.graph for event in found.of(StepEvent)] == [None, None]


# -- how it is come by

TRAINS = """
import os, sys, time
import torch

torch.manual_seed(0)
layer = torch.nn.Linear(4, 3)
optimizer = torch.optim.SGD(layer.parameters(), lr=0.001, momentum=0.9)
steps, until = int(sys.argv[1]), time.monotonic() + 100

def quick():
    module = sys.modules.get("graphdebug.runtime.backends.torch.finite")
    return module is None or module.quickly is not None or time.monotonic() > until

made, more = 0, 20
while made < steps or (steps == 0 and more):
    optimizer.zero_grad()
    layer(torch.randn(5, 4)).square().mean().backward()
    optimizer.step()
    made += 1
    more -= quick()
print(made, layer.weight.sum().item().hex())
"""


@pytest.fixture
def trains(tmp_path: Path) -> Path:
    """Makes as many steps as it is told; with 0, until it is observed quickly, and some more."""
    path = tmp_path / "trains.py"
    path.write_text(TRAINS)
    return path


@pytest.fixture
def compiler(native: dict[str, str], tmp_path: Path) -> Path:
    """A compiler that hands out what was compiled before, and notes that it was called."""
    directory = Path(native["XDG_CACHE_HOME"]) / "graphdebug"
    with pytest.MonkeyPatch.context() as patch:
        assert sought(patch, native)[0] == "native"  # it is waited for
    library = max(directory.glob("native-*.so"), key=lambda path: path.stat().st_mtime)
    path = tmp_path / "c++"
    path.write_text(
        f'#!/bin/sh\necho called >> "{tmp_path}/calls"\n'
        f'for last in "$@"; do :; done\ncp "{library}" "$last"\n'
    )
    path.chmod(0o755)
    return path


class Place:
    """A cache of its own, and a compiler."""

    def __init__(self, home: Path, compiler: Path) -> None:
        self.directory = home / "cache" / "graphdebug"
        self._calls = home / "calls"
        self.env = {"XDG_CACHE_HOME": str(home / "cache"), "CXX": str(compiler)}

    @property
    def calls(self) -> int:
        """How often the compiler was called."""
        return len(self._calls.read_text().split()) if self._calls.exists() else 0


def sought(patch: pytest.MonkeyPatch, *environment: dict[str, str]) -> tuple[str, str]:
    """Which tier this process gets with these variables, and why; the Python tier runs on."""
    pytest.importorskip("torch")
    from graphdebug.runtime.backends.torch.native import Tiers

    for name, value in {
        "GRAPHDEBUG_TORCH_TIER": "native",
        **{k: v for each in environment for k, v in each.items()},
    }.items():
        patch.setenv(name, value)
    tiers = Tiers(lambda: None)
    tiers.install()
    found = tiers.tier, tiers.reason
    tiers.remove()
    return found


@pytest.fixture
def place(tmp_path: Path, compiler: Path) -> Place:
    return Place(tmp_path, compiler)


def test_it_takes_over_between_two_steps(place: Place, trains: Path) -> None:
    """Built in the background: no step is lost, and the weights are the same to the bit."""
    found = Observation(trains, "0", env={**place.env, "GRAPHDEBUG_TORCH_TIER": "auto"})
    assert found.returncode == 0, found.stderr
    steps = found.stdout.split()[0]
    states = [event.backend for event in found.of(BackendEvent)]
    assert [(item.tier, item.tier_reason) for item in states] == [
        ("python", ""),
        ("python", "the native observer is being built"),
        ("native", ""),
    ]
    assert [step.index for step in found.steps] == list(range(int(steps)))
    assert len({step.detail for step in found.steps[10:]}) == 1
    alone = subprocess.run([sys.executable, trains, steps], capture_output=True, text=True)
    assert alone.stdout == found.stdout


def test_it_is_kept_privately_and_built_again_where_it_is_broken(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(2):
        assert sought(monkeypatch, place.env) == ("native", "")
    assert place.calls == 1
    (library,) = place.directory.glob("*.so")
    assert stat.S_IMODE(place.directory.stat().st_mode) == 0o700
    assert stat.S_IMODE(library.stat().st_mode) & 0o077 == 0
    half = library.read_bytes()[:5000]
    library.unlink()  # this process has loaded it
    library.write_bytes(half)
    assert sought(monkeypatch, place.env) == ("native", "")
    assert place.calls == 2
    place.directory.chmod(0o755)
    tier, reason = sought(monkeypatch, place.env)
    assert tier == "python" and "chmod 700" in reason


def test_two_that_begin_at_once_build_it_once(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    from graphdebug.runtime.backends.torch.native_cache import Cache

    for name, value in place.env.items():
        monkeypatch.setenv(name, value)
    caches = [Cache() for _ in range(3)]
    with ThreadPoolExecutor() as pool:
        for done in [pool.submit(cache.build) for cache in caches]:
            done.result()
    assert len({cache.library() for cache in caches} - {None}) == 1
    assert place.calls == 1
    assert not list(place.directory.glob("draft-*"))


def test_without_a_compiler_the_python_tier_goes_on_and_says_why(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    nowhere = {"CXX": "", "PATH": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path)}
    tier, reason = sought(monkeypatch, nowhere)
    assert tier == "python" and "there is no C++ compiler" in reason


def test_where_it_cant_be_built_the_python_tier_goes_on_and_says_why(
    place: Place, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def why(**changed: str) -> str:
        with monkeypatch.context() as patch:
            tier, reason = sought(patch, place.env, changed)
        assert tier == "python"
        return reason

    asked = "GRAPHDEBUG_TORCH_TIER is fast, which is none of auto, python and native"
    assert why(GRAPHDEBUG_TORCH_TIER="fast") == asked
    failing = tmp_path / "g++"
    failing.write_text(
        f'#!/bin/sh\necho called >> "{tmp_path}/calls"\necho "error: planted" >&2\nexit 1\n'
    )
    broken = tmp_path / "clang++"
    broken.write_text('#!/bin/sh\nfor last in "$@"; do :; done\necho no library > "$last"\n')
    for path in (failing, broken):
        path.chmod(0o755)
    for _ in range(2):
        assert "the compiler failed: error: planted" in why(CXX=str(failing))
    assert place.calls == 1, "what failed isn't tried again at once"
    assert "it can't be loaded" in why(CXX=str(broken))
