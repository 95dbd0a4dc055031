"""The layers of the design hold, and nothing of another machine is in the tree."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

pytestmark = pytest.mark.one_python


def test_imports_go_one_way() -> None:
    linter = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([linter, "--no-cache"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_the_runtime_needs_the_standard_library_alone() -> None:
    code = (
        "import sys, graphdebug.runtime.boot, graphdebug.runtime.debugger\n"
        "names = {name.split('.')[0] for name in sys.modules} - set(sys.stdlib_module_names)\n"
        "print(sorted(name for name in names if not name.startswith('_')))"
    )
    done = subprocess.run(
        [sys.executable, "-S", "-c", f"import sys; sys.path[:0] = [{str(ROOT)!r}]\n{code}"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.strip() == "['graphdebug', 'sitecustomize']" or (
        done.stdout.strip() == "['graphdebug']"
    )


def test_lock_files_hold_no_addresses() -> None:
    for lock in ROOT.rglob("package-lock.json"):
        if "node_modules" not in lock.parts:
            assert not re.search(r"https?://[^\"]*\.tgz", lock.read_text()), lock
