"""The end of a program is the end of its session, without delays."""

from __future__ import annotations

from pathlib import Path

from support.dap import Start
from support.markers import program


def test_no_thread_of_pydevds_waits_for_one_that_waits_for_it(start: Start, tmp_path: Path) -> None:
    """Each such pair waited half a second."""
    waiting = tmp_path / "waiting"
    session = start("graphdebug")
    session.launch(program=program("ends.py"), args=[str(waiting)])
    assert session.wait_for_exit() == 0
    names = waiting.read_text().splitlines()
    assert names and len([name for name in names if name.startswith("pydevd.")]) <= 1
