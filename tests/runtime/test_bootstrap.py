"""The runtime comes with a program and its children, and is not noticed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.observer import Observation

from graphdebug.observation.injection import BOOTSTRAP, environment
from graphdebug.protocol.runtime import BackendEvent, HelloEvent, Invitation

INVITED = Invitation("unix:/nowhere", "0" * 64)


def python(*words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    base = {**os.environ, **variables}
    return subprocess.run(
        [sys.executable, *words],
        env={**base, **environment(INVITED, base)},
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip


def test_the_path_stays_as_it_was_and_nothing_is_loaded(tmp_path: Path) -> None:
    code = (
        "import json, sys; print(json.dumps([sys.path, sorted(name for name in sys.modules "
        "if 'graphdebug' in name and not name.startswith('__editable__'))]))"
    )
    bare = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
    )  # fmt: skip
    observed = python("-c", code, PYTHONPATH=str(tmp_path))
    assert json.loads(observed.stdout) == json.loads(bare.stdout)
    assert observed.stderr == ""


def test_the_users_sitecustomize_runs(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("import sys\nsys.from_the_user = __file__\n")
    code = "import sys, sitecustomize; print(sys.from_the_user, sitecustomize.__file__)"
    done = python("-c", code, PYTHONPATH=str(tmp_path))
    assert done.stdout.split() == [str(tmp_path / "sitecustomize.py")] * 2, done.stderr


def test_an_error_in_the_users_sitecustomize_is_its_own(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("raise RuntimeError('mine')\n")
    bare = subprocess.run(
        [sys.executable, "-c", "print(1)"], capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
    )  # fmt: skip
    observed = python("-c", "print(1)", PYTHONPATH=str(tmp_path))
    assert observed.stdout == bare.stdout
    assert "RuntimeError: mine" in observed.stderr


def test_bootstrap_stands_first_in_the_path() -> None:
    assert environment(INVITED, {})["PYTHONPATH"] == BOOTSTRAP
    assert environment(INVITED, {"PYTHONPATH": "a"})["PYTHONPATH"] == f"{BOOTSTRAP}{os.pathsep}a"


@pytest.mark.frameworks
def test_an_observer_that_is_gone_is_no_matter() -> None:
    done = python("-c", "import torch; print(torch.ones(2).sum())")
    assert (done.stdout, done.stderr) == ("tensor(2.)\n", "")


@pytest.mark.frameworks
def test_children_come_too(tmp_path: Path) -> None:
    program = tmp_path / "parent.py"
    program.write_text(
        "import multiprocessing, subprocess, sys\n"
        "def work(n):\n    import torch\n    return int(torch.ones(n).sum())\n"
        "if __name__ == '__main__':\n"
        "    with multiprocessing.get_context('spawn').Pool(1) as pool:\n"
        "        print(pool.map(work, [3]))\n"
        "    subprocess.run([sys.executable, '-c', 'import torch; print(torch.ones(4).sum())'])\n"
    )
    seen = Observation(program)
    assert seen.stdout.splitlines() == ["[3]", "tensor(4.)"], seen.stderr
    hellos = seen.of(HelloEvent)
    assert len({hello.pid for hello in hellos}) == 2
    assert {event.backend.name for event in seen.of(BackendEvent)} == {"torch"}


@pytest.mark.frameworks
@pytest.mark.skipif(sys.version_info < (3, 11), reason="3.10 puts a frame that re-raises back")
def test_a_failing_session_run_shows_no_frame_of_ours(tmp_path: Path) -> None:
    program = tmp_path / "fails.py"
    program.write_text(
        "import traceback\nimport tensorflow.compat.v1 as tf\ntf.disable_eager_execution()\n"
        "x = tf.placeholder(tf.float32, [None])\ny = tf.reshape(x, [3, 3])\n"
        "try:\n    tf.Session().run(y, {x: [1, 2, 3, 4]})\n"
        "except tf.errors.InvalidArgumentError:\n    print(traceback.format_exc())\n"
    )
    bare = subprocess.run([sys.executable, program], capture_output=True, text=True, check=True)
    assert Observation(program).stdout == bare.stdout
    assert "InvalidArgumentError" in bare.stdout
