"""JupyterLab as a person uses it: the seed's notebook under its debugger, and one that trains."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.sandbox import Sandbox

pytest.importorskip("jupyterlab")
from support.jupyter import Server, build

pytestmark = [
    pytest.mark.frameworks,
    pytest.mark.one_python,
    pytest.mark.timeout(400),
]

HERE = Path(__file__).parent
NOTEBOOKS = HERE.parent / "programs" / "notebooks"


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """What was seen on the way through ``people.mjs``."""
    build()
    box = Sandbox()
    server = Server(box.root / "jupyter", box.environment)
    try:
        for notebook in NOTEBOOKS.glob("*.ipynb"):
            shutil.copy(notebook, server.notebooks)
        picture = os.environ.get("GRAPHDEBUG_PICTURE", "")
        command = ["node", str(HERE / "people.mjs"), server.url, server.token, picture]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr
        found = json.loads(done.stdout)
        assert "failed" not in found, found["failed"]
        yield found
    finally:
        server.close()
        leaks = box.leaks()
        box.remove()
    assert not leaks


def test_a_wheel_carries_what_jupyter_looks_for(seen: dict[str, Any], tmp_path: Path) -> None:
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(command, cwd=HERE.parents[1], check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    names = "\n".join(zipfile.ZipFile(wheel).namelist())
    assert "/data/etc/jupyter/jupyter_server_config.d/graphdebug.json" in names
    place = "/data/share/jupyter/labextensions/@graphdebug/jupyterlab/"
    assert f"{place}static/remoteEntry." in names and f"{place}install.json" in names
    assert f"{place}ThirdPartyNotices.txt" in names


def test_breakpoints_say_what_they_will_do(seen: dict[str, Any]) -> None:
    graph, eager = seen["messages"]
    assert graph.startswith("cell 2, line 5 boundary: ") and "tf.while_loop" in graph
    assert "line 1 of code cell 3" in graph
    assert eager == "cell 7, line 3 line: stops each time this line runs"


def test_a_breakpoint_in_a_static_graph_stops_while_it_is_built_and_at_the_boundary(
    seen: dict[str, Any],
) -> None:
    (built,), (run,) = seen["stops"]["2"], seen["stops"]["3"]
    assert built["said"].startswith("Building graph")
    assert "symbolic" in built["variables"]
    assert run["said"].startswith("Graph boundary Session.run made 10 executions of while/body")
    assert run["steps"] == 1


def test_the_eager_loop_stops_at_each_iteration_with_shapes_and_a_live_sidebar(
    seen: dict[str, Any],
) -> None:
    stops = seen["stops"]["6"]
    assert len(stops) == 10
    for number, stop in enumerate(stops):
        assert f"first_counterfloat32 (1,) cpu [{2.0 * (number + 1)}]" in stop["variables"]
        assert f"second_counterfloat32 (1,) cpu [{10.0 + number}]" in stop["variables"]
        # The session's step, and the iterations that are over.
        assert stop["steps"] == 1 + number
    assert set(seen["stops"]) == {"2", "3", "6"}
    assert "float32 (1,) cpu" in seen["tensor"]


def test_the_sidebar_shows_one_session_step_and_the_loops_iterations(seen: dict[str, Any]) -> None:
    steps = [row.split("\n") for row in seen["seed"] if "iteration" in row or "Session" in row]
    assert [row[1] for row in steps] == ["Session.run", *["iteration"] * 10]
    assert [row[3] for row in steps] == ["186", *["4"] * 10]
    executions = [node for node in seen["nodes"] if node["name"].endswith("while/body/_1/Add")]
    assert [node["iteration"] for node in executions] == list(range(10))
    cell, line = seen["cell"]
    assert (cell, line) == (7, 2), "the markdown cell comes first"


def test_training_streams_to_the_sidebar_while_the_cell_runs(seen: dict[str, Any]) -> None:
    first, second, third = seen["streamed"]
    assert 6 < first < second < third
    assert seen["busy"] == "busy"
    assert seen["unrecorded"] == 0
    assert seen["set"] == ["steps", "nodes"], "the settings editor says what is recorded"


def test_it_follows_the_theme_and_asks_nothing_of_the_world(seen: dict[str, Any]) -> None:
    assert seen["light"] != seen["dark"]
    assert seen["errors"] == [] and seen["outside"] == []
    assert seen["done"]
