"""The editors' views: that they build, what they compute, and what people see of them in Chromium."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from support import npm
from support.dap import Start
from support.markers import line, program
from support.npm import SHARED
from support.pages import Page

pytestmark = [pytest.mark.frameworks, pytest.mark.one_python, pytest.mark.timeout(400)]

HERE = Path(__file__).parent / "views"
PROGRAM = program("views.py")
LINKS, ITERATIONS = 2300, 50_000


@pytest.fixture(scope="module")
def installed() -> None:
    """What the package needs, and the browser."""
    npm.install(SHARED)
    npm.browser()


@pytest.fixture(scope="module")
def page(installed: None, start_shared: Start, graphdebug_adapter: str) -> Iterator[Page]:
    """A page over a program that stands behind its last step."""
    npm.script(SHARED, "bundle")
    session = start_shared(graphdebug_adapter, timeout=120)
    breakpoints = {PROGRAM: [line(PROGRAM, "turn")]}
    session.launch(program=PROGRAM, args=[str(LINKS), str(ITERATIONS)], breakpoints=breakpoints)
    session.wait_for_stop()
    with Page(session, HERE, SHARED / "dist") as served:
        yield served


def node(*arguments: str | Path, **environment: str) -> str:
    """Run tests written in JavaScript; what they print."""
    run = subprocess.run(
        ["node", "--test", *arguments],
        # Chromium would leave a folder of settings.
        env={**os.environ, "GSETTINGS_BACKEND": "memory", **environment},
        cwd=SHARED,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout


def test_types_and_style(installed: None) -> None:
    npm.script(SHARED, "check")
    npm.script(SHARED, "lint")


def test_units(installed: None) -> None:
    npm.script(SHARED, "test")


def test_what_people_see(page: Page) -> None:
    """``PICTURES=FOLDER pytest tests/extension`` keeps pictures."""
    print(node(HERE / "views.test.mjs", ADDRESS=page.address))
