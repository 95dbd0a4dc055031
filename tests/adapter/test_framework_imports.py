"""Importing a framework isn't traced, but for what is the user's in it."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from support.dap import Start
from support.markers import line, program

pytestmark = [
    pytest.mark.frameworks,
    pytest.mark.skipif(
        sys.version_info >= (3, 12), reason="tracing by sys.monitoring costs nothing"
    ),
]

PROGRAM = program("imports_torch.py")


def test_a_step_over_the_import_goes_to_the_next_line(start: Start) -> None:
    session = start("graphdebug")
    session.launch(program=PROGRAM, breakpoints={PROGRAM: [line(PROGRAM, "torch")]})
    session.wait_for_stop("breakpoint")
    assert session.step() == ("imports_torch.py", line(PROGRAM, "after"))
    assert session.step() == ("imports_torch.py", line(PROGRAM, "after") + 1)
    session.cont()
    assert session.wait_for_exit() == 0
    assert session.output() == "[True, False, None, None]\nTrue\n"


def test_all_is_traced_where_libraries_are_looked_into(start: Start) -> None:
    session = start("graphdebug")
    session.launch(program=PROGRAM, justMyCode=False)
    assert session.wait_for_exit() == 0
    assert session.output() == "[True, True, None, None]\nTrue\n"


def test_breakpoints_in_a_plugin_of_the_users_stop(start: Start, tmp_path: Path) -> None:
    """torch imports it, and calls it."""
    plugin = tmp_path / "backend_of_mine.py"
    plugin.write_text("loaded = 1\n\n\ndef load():\n    import colorsys\n    return colorsys\n")
    about = tmp_path / "mine-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: mine\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[torch.backends]\nmine = backend_of_mine:load\n")
    session = start("graphdebug")
    path = os.pathsep.join(filter(None, [str(tmp_path), os.environ.get("PYTHONPATH")]))
    session.launch(
        program=PROGRAM,
        env={"PYTHONPATH": path},
        breakpoints={str(plugin): [1, 6], PROGRAM: [line(PROGRAM, "after")]},
    )
    stops = []
    while session.next_stop() is not None:
        stops.append(session.place())
        session.cont()
    after = ("imports_torch.py", line(PROGRAM, "after"))
    assert stops == [(plugin.name, 1), (plugin.name, 6), after]
    assert session.output().startswith("[True, False, False, True]\n")
