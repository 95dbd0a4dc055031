"""Hooks that fail leave the program alone; hooks taken out leave torch as it was."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from support.listening import Listening
from support.markers import program
from support.observer import Observation
from support.tiers import tier_environment

from graphdebug.protocol.dap import Configuration
from graphdebug.protocol.runtime import AlertEvent, BackendEvent, DroppedEvent

pytestmark = pytest.mark.frameworks


@pytest.mark.parametrize(
    ("where", "tier_name"),
    [
        *((where, "python") for where in ("operation", "pass", "node", "update", "step")),
        *(
            (where, "native") for where in ("operation", "update")
        ),  # the others are Python there, too
    ],
)
def test_an_error_of_ours_is_told_once_and_ends_the_observation(where: str, tier_name: str) -> None:
    tier = tier_environment(tier_name)
    path = program("torch_breaks_hook.py")
    alone = subprocess.run([sys.executable, path, where], capture_output=True, text=True)
    observed = Observation(path, where, env=tier)
    assert alone.returncode == 0, alone.stderr
    assert (observed.stdout, observed.stderr) == (alone.stdout, alone.stderr)
    (alert,) = [event.alert for event in observed.of(AlertEvent)]
    assert alert.kind == "hook" and "LookupError: planted" in alert.message
    assert [event.backend.active for event in observed.of(BackendEvent)] == [True, False]


@pytest.mark.parametrize(("capture", "steps"), [("nodes", 8_000), ("values", 5_000)])
def test_nothing_of_a_step_stays_alive(capture: Any, steps: int) -> None:
    check_memory(steps, capture, tier_environment("python"))


def test_nothing_of_a_step_stays_alive_in_the_native_tier() -> None:
    check_memory(8_000, "nodes", tier_environment("native"))


def check_memory(steps: int, capture: Any, env: dict[str, str]) -> None:
    observed = Observation(
        program("torch_memory.py"),
        str(steps),
        configuration=Configuration(capture=capture),
        env=env,
    )
    assert observed.returncode == 0, observed.stderr
    assert observed.stdout.startswith("alive 0 0\n")
    grown = re.search(r"^grown (-?\d+) (-?\d+)$", observed.stdout, re.MULTILINE)
    assert grown is not None, observed.stdout
    blocks, size = map(int, grown.groups())
    # In the second half of the run, not one object stays in twenty steps,
    assert blocks <= steps // 40
    # and not 1.6 KB of a step; what waits to be sent on a busy machine takes half of that.
    assert capture == "values" or size < 16 << 20
    assert observed.of(AlertEvent) == []
    dropped = [event.count for event in observed.of(DroppedEvent)][-1:]
    assert len(observed.steps) + sum(dropped) == steps + 3


@pytest.fixture
def torch() -> Any:
    return pytest.importorskip("torch")


@pytest.fixture
def listening() -> Listening:
    return Listening()


@pytest.fixture
def backend(
    torch: Any, listening: Listening, tier: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> Any:
    for name, value in tier.items():
        monkeypatch.setenv(name, value)
    from graphdebug.runtime.backends.torch import backend as make

    made = make(listening)  # type: ignore[arg-type]
    yield made
    made.remove()


def train(torch: Any, steps: int) -> None:
    weight = torch.zeros(2, requires_grad=True)
    optimizer = torch.optim.SGD([weight], lr=0.1)
    for _ in range(steps):
        optimizer.zero_grad()
        (weight - 1).pow(2).sum().backward()
        optimizer.step()


def hooked(torch: Any) -> dict[str, Any]:
    """Everything that is hooked."""
    import warnings

    from torch.optim import optimizer

    return {
        "modes": torch._C._len_torch_function_stack(),
        "engines": (torch.autograd._engine_run_backward, torch.autograd.graph._engine_run_backward),
        "init": torch.optim.Optimizer.__init__,
        "zero_grad": (torch.optim.Optimizer.zero_grad, torch.nn.Module.zero_grad),
        "steps": (
            dict(optimizer._global_optimizer_pre_hooks),
            dict(optimizer._global_optimizer_post_hooks),
        ),
        "asks": torch.overrides.has_torch_function,
        "traces": (torch.jit._trace._trace_impl, torch.jit.trace_module),
        "dynamo": getattr(sys.modules.get("torch._dynamo.eval_frame"), "set_eval_frame", None),
        "imports": list(sys.meta_path),
        "warnings": warnings._showwarnmsg,  # type: ignore[attr-defined]
    }


def test_taken_out_hooks_leave_torch_as_it_was(
    torch: Any, backend: Any, listening: Listening
) -> None:
    train(torch, 1)  # imports torch._dynamo
    before = hooked(torch)
    backend.install()
    during = hooked(torch)
    assert all(during[name] != before[name] for name in before if name != "imports")
    train(torch, 3)
    assert listening.steps == 3
    backend.remove()
    assert hooked(torch) == before
    train(torch, 2)
    assert (listening.steps, listening.errors) == (3, [])


def test_what_is_recorded_can_be_changed_while_the_program_runs(
    torch: Any, backend: Any, listening: Listening
) -> None:
    backend.install()
    steps = 0
    for capture in ("nodes", "steps", "off", "values", "nodes", "off", "nodes"):
        listening.configuration = Configuration(capture=capture)  # type: ignore[arg-type]
        backend.configure()
        train(torch, 4)
        steps += 0 if capture == "off" else 4
        assert listening.steps == steps
        if capture in ("nodes", "values"):
            assert listening.sent[-1]().graph is not None
        if capture == "steps":
            assert listening.sent[-1]().graph is None
    assert listening.errors == []


def called(call: Callable[[], None]) -> Counter[str]:
    """The functions of ours that it runs, and how often."""
    found: Counter[str] = Counter()

    def profile(frame: Any, event: str, argument: Any) -> None:
        if event == "call" and "/graphdebug/runtime/" in frame.f_code.co_filename:
            found[frame.f_code.co_name] += 1

    sys.setprofile(profile)
    try:
        call()
    finally:
        sys.setprofile(None)
    return found


def test_while_nothing_is_wanted_steps_are_counted_and_nothing_else_is_done(
    torch: Any, backend: Any, listening: Listening
) -> None:
    listening.configuration = Configuration(capture="off")
    backend.install()
    train(torch, 3)
    assert backend.unrecorded == 3
    again = called(lambda: train(torch, 2))
    made = again - called(lambda: train(torch, 1))  # without the optimizer that each call makes
    hooks = {"before", "after"}
    assert {name for name in made if name != "set_eval_frame"} == hooks
    assert [made[name] for name in sorted(hooks)] == [1, 1]
    assert backend.unrecorded == 6 and listening.steps == 0

    listening.configuration = Configuration(capture="nodes")
    backend.configure()
    train(torch, 2)
    assert listening.steps == 2 and backend.unrecorded == 6
    assert listening.sent[-1]().graph is not None


def test_it_wakes_and_sleeps_while_threads_train(
    torch: Any, backend: Any, listening: Listening
) -> None:
    backend.install()
    threads = [threading.Thread(target=train, args=(torch, 300)) for _ in range(3)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        for capture in ("off", "steps", "nodes"):
            listening.configuration = Configuration(capture=capture)  # type: ignore[arg-type]
            backend.configure()
            threads[0].join(0.002)
    before = listening.steps
    train(torch, 5)
    assert (listening.steps - before, listening.errors) == (5, [])
    assert before + backend.unrecorded <= 900


@pytest.mark.parametrize("capture", ["off", "steps", "nodes"])
def test_tracebacks_of_the_programs_errors_are_its_own(capture: Any, raises_alone: str) -> None:
    observed = Observation(
        program("torch_raises.py"),
        configuration=Configuration(capture=capture),
        env=tier_environment("python"),
    )
    assert observed.returncode == 0, observed.stderr
    if capture == "nodes":  # torch tells that there is a mode
        assert "handle_torch_function" in observed.stdout
        assert "/graphdebug/runtime/" not in observed.stdout
        assert unindented(observed.stdout) == unindented(raises_alone)
    else:
        assert observed.stdout == raises_alone
    assert observed.of(AlertEvent) == []


@pytest.fixture(scope="module")
def raises_alone() -> str:
    command = [sys.executable, program("torch_raises.py")]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def unindented(text: str) -> list[str]:
    """The lines that no frame makes."""
    return [line for line in text.splitlines() if not line.startswith(" ")]


def test_the_mode_leaves_a_program_that_only_calls_operations(
    torch: Any, backend: Any, listening: Listening
) -> None:
    backend.install()
    assert torch._C._len_torch_function_stack() == 1
    listening.configuration = Configuration(capture="off")
    backend.configure()
    x = torch.ones(2)
    for _ in range(2):
        x.add(1)
    assert torch._C._len_torch_function_stack() == 0
    assert sys.getprofile() is None


def test_a_torch_that_is_not_as_expected(
    torch: Any, backend: Any, listening: Listening, monkeypatch: pytest.MonkeyPatch
) -> None:
    def other(tensors: Any, *args: Any) -> None:
        """Not what it used to be."""

    monkeypatch.setattr(torch.autograd, "_engine_run_backward", other)
    backend.install()
    assert "backward passes" in backend.reason and "not (t_outputs)" in backend.reason
    assert torch.autograd._engine_run_backward is other
    backend.remove()
    monkeypatch.undo()

    from graphdebug.runtime.backends import HookUnfit
    from graphdebug.runtime.backends.torch import backend as make

    with monkeypatch.context() as patch:
        patch.setattr(
            "graphdebug.runtime.backends.torch.observer.torch._C",
            SimpleNamespace(),
        )
        with pytest.raises(HookUnfit, match="torch has no _C"):
            make(listening).install()  # type: ignore[arg-type]
