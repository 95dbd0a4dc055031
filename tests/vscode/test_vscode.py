"""The extension in real VS Code: installed from its ``.vsix``, in a browser, and in its extension host."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.code_server import CodeServer, drive, folder, install, package
from support.npm import ROOT
from support.sandbox import Sandbox
from support.streaming import stream

pytestmark = [pytest.mark.frameworks, pytest.mark.one_python, pytest.mark.timeout(600)]

HERE = Path(__file__).parent
PROGRAMS = (
    "child.py",
    "nan_stops.py",
    "parent.py",
    "report.py",
    "seed_tensorflow.py",
    "seed_torch.py",
    "static_functions.py",
    "streams.py",
    "torch_mlp.py",
    "torch_training.py",
    "values.py",
)
IN_THE_HOST = (
    "the manifest's commands are there, and the language server's",
    "the language server says where breakpoints are bound to the boundary, and adds a configuration",
    "a Python with nothing installed is enough, and the program sees nothing of ours",
    "an interpreter that is too old, or can't be run, is named, and nothing starts",
    "an interpreter is the configuration's, else the setting's, the Python extension's, the folder's",
    "the program gets the folder's Python, the environment file's variables, and a log where asked for",
    "a job is picked from those of this machine, and debugged where it runs",
    "the extension host keeps nothing of a thousand steps a second",
    "a child process is a session of its own, under its parent's",
)


IN_THE_WINDOW = (
    "a click in the gutter and F5 stop a program without a launch.json",
    "Variables show dtype, shape and device first",
    "step over moves",
    "a stop in backward stands on the forward line",
    "Steps fill as the program goes on",
    "inlay hints show what each line made in the last step, once",
    "Nodes fill, and a click on one goes to its line",
    "Graph fills, and marks the node of the line",
    "a tensor opens from Variables as grid, heat map and histogram",
    "and is read again at the next stop",
    "step back walks the record",
    "a TensorFlow breakpoint says boundary before the program runs",
    "and stops there, when the graph has run",
    "and the Breakpoints view says so, too",
    "step back walks the graph's record, iteration by iteration",
    "and the graph follows it, from node to node",
    "the NaN filter in Breakpoints stops where the first one is made",
    "and Alerts say what it was, once it did harm",
    "a job elsewhere is attached to from the dialog, by its address and its file",
    "nothing is thrown in the page",
)


@pytest.fixture(scope="module")
def vsix() -> Path:
    """The extension, packaged."""
    install()
    return package()


@pytest.fixture(scope="module")
def box() -> Iterator[Sandbox]:
    """Where the server and all that it starts lives."""
    found = Sandbox()
    yield found
    leaks = found.leaks()
    found.remove()
    if leaks:
        pytest.fail("left behind:\n" + "\n".join(leaks), pytrace=False)


@pytest.fixture(scope="module")
def server(vsix: Path, box: Sandbox) -> Iterator[CodeServer]:
    """A server with the extension in an empty profile."""
    bare = box.root / "bare"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", bare], check=True)
    environment = {**box.environment, "BARE_PYTHON": str(bare / "bin" / "python")}
    profile = box.root / "profile"
    found = CodeServer(profile, {**environment, "PROFILE": str(profile), "CHECKOUT": str(ROOT)})
    found.install(vsix)
    found.start("--vscode-option", "enable-smoke-test-driver")
    yield found
    found.stop()


@pytest.fixture(scope="module")
def in_the_window(server: CodeServer, box: Sandbox) -> dict[str, str]:
    """What the checks in the window found."""
    opened = folder(box.root / "window", *PROGRAMS)
    elsewhere = box.root / "e"
    elsewhere.mkdir(mode=0o700)
    job = {**box.environment, "XDG_RUNTIME_DIR": str(elsewhere), "PYTHONPATH": str(ROOT)}
    environment = {"CODE_SERVER": server.address, "FOLDER": str(opened), "JOB": json.dumps(job)}
    return drive(HERE / "window.mjs", environment, seconds=400)


@pytest.fixture(scope="module")
def in_the_host(server: CodeServer, box: Sandbox) -> dict[str, str]:
    """What the checks in the extension host found."""
    opened = folder(box.root / "host", *PROGRAMS)
    return drive(
        HERE / "host.mjs",
        {"CODE_SERVER": server.address, "FOLDER": str(opened), "CHECKOUT": str(ROOT)},
        seconds=400,
    )


def test_the_vsix_holds_what_it_takes_and_nothing_else(vsix: Path) -> None:
    with zipfile.ZipFile(vsix) as opened:
        names = {name.removeprefix("extension/") for name in opened.namelist()}
        notices = opened.read("extension/build/vscode/ThirdPartyNotices.txt").decode()
        readme = opened.read("extension/readme.md").decode()
    built = "build/vscode/"
    python = f"{built}python/"
    assert {"package.json", "LICENSE.txt", f"{built}extension.js", f"{built}page/page.js"} <= names
    assert {f"{python}entry.py", f"{python}libraries/graphdebug/docs/breakpoints.md"} <= names
    assert f"{python}debugpy/debugpy/adapter/__main__.py" in names
    assert not [name for name in names if Path(name).suffix in (".pyc", ".pdb", ".pyd", ".ts")]
    assert not [name for name in names if "node_modules" in name or name.startswith("tests")]
    assert not [name for name in names if "labextension" in name]
    for bundled in ("elkjs", "preact", "uplot", "vscode-languageclient", "vscode-jsonrpc"):
        assert re.search(rf"^{bundled} \d\S* \(", notices, re.MULTILINE), bundled
    assert "Eclipse Public License 2.0" in notices and "elkjs" in readme
    own = {path.relative_to(ROOT).as_posix() for path in (ROOT / "graphdebug").rglob("*.py")}
    assert {f"{python}libraries/{path}" for path in own} <= names


@pytest.mark.parametrize("check", IN_THE_WINDOW)
def test_in_the_window(in_the_window: dict[str, str], check: str) -> None:
    assert in_the_window.get(check, "didn't run") == ""


@pytest.mark.parametrize("check", IN_THE_HOST)
def test_in_the_extension_host(in_the_host: dict[str, str], check: str) -> None:
    assert in_the_host.get(check, "didn't run") == ""


def test_all_checks_are_named_here(
    in_the_window: dict[str, str], in_the_host: dict[str, str]
) -> None:
    assert list(in_the_window) == list(IN_THE_WINDOW)
    assert list(in_the_host) == list(IN_THE_HOST)


def test_a_thousand_steps_a_second_leave_the_editor_responsive(
    server: CodeServer, box: Sandbox
) -> None:
    """The long form of it is a benchmark, ``tests/benchmarks/vscode.py``."""
    seen = stream(server, box.root / "stream", seconds=5)
    assert seen.steps > 1000
    assert seen.longest_block < 1000
    assert seen.growth < 40
