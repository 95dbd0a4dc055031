"""A server's kernels: what is known of them, to whom, and for how long; no browser."""

from __future__ import annotations

import json
import os
import pwd
import subprocess
import sys
import threading
from ast import literal_eval
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.sandbox import Sandbox

pytest.importorskip("jupyterlab")
import nbformat
from nbclient import NotebookClient
from nbconvert import HTMLExporter
from support.jupyter import Kernel, Server

pytestmark = [pytest.mark.frameworks, pytest.mark.one_python]

NOTEBOOKS = Path(__file__).resolve().parents[1] / "programs" / "notebooks"
MLP = [cell.source for cell in nbformat.read(NOTEBOOKS / "mlp.ipynb", 4).cells]
FOREVER = "print('begun')\n" + MLP[3]
INTERRUPTS = 4
"""Each may come in the middle of our hooks."""


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    box = Sandbox()
    started = Server(box.root / "jupyter", box.environment)
    yield started
    started.close()
    leaks = box.leaks()
    box.remove()
    assert not leaks


@pytest.fixture(scope="module")
def kernel(server: Server) -> Iterator[Kernel]:
    """One that has imported torch."""
    started = server.kernel()
    started.run(MLP[0])
    started.run(MLP[1])
    yield started
    started.shut_down()


def sockets(server: Server) -> set[Path]:
    """Where runtimes may come to."""
    registry = Path(server.environment["XDG_RUNTIME_DIR"], "graphdebug")
    doors = {door.with_suffix(".socket") for door in registry.glob("*.door")}
    return set(registry.glob("*.socket")) - doors


def test_training_streams_and_an_interrupt_ends_only_the_cell(
    server: Server, kernel: Kernel
) -> None:
    events = kernel.events()
    session = events.next("session")["session"]
    assert kernel.run(MLP[2])[0]["type"] == "execute_result"
    begun = kernel.steps(6)[-1]
    assert begun["name"] == "SGD.step"
    last = begun["index"]
    for _ in range(INTERRUPTS):
        cell = kernel.begin(FOREVER)
        kernel.wait_for_output(cell)  # or the kernel would be interrupted before it
        try:
            for _ in range(3):
                step = events.step_after(last)
                last = step["index"]
                assert step["name"] in ("SGD.step", "cell")
        finally:
            kernel.interrupt()
        begun_with, ended_with = kernel.end(cell)
        assert (begun_with["text"], ended_with["ename"]) == ("begun\n", "KeyboardInterrupt")
    losses = literal_eval(kernel.run(MLP[2])[0]["data"]["text/plain"])
    kernel.steps_end(losses)
    told = kernel.get("steps")["steps"][-5:]
    assert [(step["name"], step["forwardNodes"], step["backwardNodes"]) for step in told] == [
        (begun["name"], begun["forwardNodes"], begun["backwardNodes"])
    ] * 5
    again = kernel.events()
    assert again.next("session")["session"] == session
    again.close()
    events.close()


def test_a_restarted_kernel_has_a_session_of_its_own(server: Server) -> None:
    before = sockets(server)
    kernel = server.kernel()
    events = kernel.events()
    first = events.next("session")["session"]
    kernel.run("import torch\ntorch.ones(2) + 1")
    assert kernel.steps(1)[0]["name"] == "cell"
    place = sockets(server) - before
    seen = len(events.messages)
    kernel.restart()
    events.wait(lambda item: item["body"].get("session") not in (None, first), "a session", seen)
    assert kernel.get("steps") == {"steps": [], "total": 0}
    assert len(sockets(server) - before) == 1 and sockets(server) - before != place
    seen = len(events.messages)
    kernel.shut_down()
    events.wait(lambda item: item["body"].get("session", 0) is None or "session" not in item["body"],
                "the end", seen)  # fmt: skip
    assert sockets(server) == before
    assert server.refusal("GET", f"{kernel.path}/steps", server.token) == 404
    events.close()


def test_notebooks_do_not_mix(server: Server, kernel: Kernel) -> None:
    other = server.kernel()
    other.run("import torch\ntorch.ones(3) * 2")
    (step,) = other.steps(1)
    assert step["name"] == "cell"
    assert step["pid"] not in {item["pid"] for item in kernel.get("steps")["steps"]}
    other.shut_down()


def test_nobody_else_gets_anything(server: Server, kernel: Kernel, tmp_path: Path) -> None:
    wrong = "0" * len(server.token)
    for token in (None, wrong):
        for noun in ("steps", "state", "nodes?step=0", "published/x"):
            assert server.refusal("GET", f"{kernel.path}/{noun}", token) in (401, 403)
        for noun in ("configuration", "breakpoints"):
            assert server.refusal("PUT", f"{kernel.path}/{noun}", token, {}) in (401, 403)
        with pytest.raises(Exception, match="403"):
            type(kernel.events())(f"{server.url}{kernel.path}/events", token).close()


def test_another_user_of_the_machine_gets_nothing(server: Server, kernel: Kernel) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can become another user")
    nobody = pwd.getpwnam("nobody")
    (door,) = Path(server.environment["XDG_RUNTIME_DIR"]).glob("graphdebug/*.door")
    (socket, *_) = sockets(server)
    pid = kernel.run("import os\nos.getpid()")[0]["data"]["text/plain"]
    script = f"""
import encodings.idna, json, os, socket, urllib.error, urllib.request
os.setgid({nobody.pw_gid}); os.setuid({nobody.pw_uid})
found = []
for path in {[str(door), str(door.with_suffix(".socket")), str(socket), f"/proc/{pid}/environ"]!r}:
    try:
        if not path.endswith(".socket"):
            open(path).read()
        else:
            socket.socket(socket.AF_UNIX).connect(path)
        found.append(path)
    except PermissionError:
        pass
try:
    urllib.request.urlopen({server.url + kernel.path + "/steps"!r})
    found.append("steps")
except urllib.error.HTTPError as error:
    assert error.code == 403
print(json.dumps(found))
"""
    done = subprocess.run([sys.executable, "-I", "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == []


def test_a_kernel_that_was_started_elsewhere_joins(server: Server) -> None:
    kernel = server.kernel(env={"GRAPHDEBUG": "", "PYTHONPATH": server.environment["PYTHONPATH"]})
    events = kernel.events()
    kernel.run("import os; os.environ.pop('GRAPHDEBUG')\nimport torch\ntorch.ones(2) + 1")
    assert kernel.get("steps")["total"] == 0
    assert kernel.run("%load_ext graphdebug") == []
    kernel.run("torch.ones(2) + 1")
    assert kernel.steps(1)
    kernel.shut_down()
    events.close()


FORWARD = """hidden = model[0](x)
out = model[2](hidden.relu())
loss = (out - y).pow(2).mean()
loss.backward()"""


def test_backward_stops_in_a_cell_and_steps_from_node_to_node(kernel: Kernel) -> None:
    kernel.attach_debugger()
    path = kernel.debug("dumpCell", code=FORWARD)["sourcePath"]
    line = [{"line": 3}]
    kernel.debug("setBreakpoints", source={"path": path}, breakpoints=line, sourceModified=False)
    seen = kernel.seen
    cell = kernel.begin(FORWARD)
    frames = []
    for go_on in ("continue", "next", "next", "continue"):
        stop = kernel.stopped(seen)
        thread = stop["threadId"]
        frame = kernel.debug("stackTrace", threadId=thread)["stackFrames"][0]
        frames.append((frame["name"], frame["line"]))
        if frame["name"] == "PowBackward0":
            asked = {"variableName": "grad_outputs", "frameId": frame["id"]}
            rich = kernel.debug("richInspectVariables", **asked)["data"]
            assert rich == {"text/plain": "(float32 (32, 1) cpu,)"}
        seen = kernel.seen
        kernel.debug(go_on, threadId=thread)
    assert kernel.end(cell) == []
    backward = ["MeanBackward0", "PowBackward0", "SubBackward0"]
    assert frames == [("<module>", 3), *((name, 3) for name in backward)]
    kernel.debug("disconnect", restart=False, terminateDebuggee=False)


SUMMARISED = """%%graphdebug
total = torch.ones(2, 3)
for _ in range(3):
    total = total + 1
total.sum()"""


def test_the_magic_shows_what_a_cell_did_and_changes_none_of_its_outputs(kernel: Kernel) -> None:
    plain = kernel.run(SUMMARISED.partition("\n")[2])
    summarised = kernel.run(SUMMARISED)
    (result,) = [item for item in summarised if item["type"] == "execute_result"]
    assert result["data"] == plain[0]["data"] == {"text/plain": "tensor(24.)"}
    (shown,) = [item for item in summarised if item["type"] == "display_data"]
    text, html = shown["data"]["text/plain"], shown["data"]["text/html"]
    assert "float32 (2, 3)" in text and "aten::add" not in text and "line 4" in text
    assert "<table>" in html and "float32 (2, 3)" in html
    output = nbformat.v4.new_output("display_data", data=shown["data"])
    page, _ = HTMLExporter(template_name="basic").from_notebook_node(
        nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(SUMMARISED, outputs=[output])])
    )
    assert html in page
    failed = kernel.run("%%graphdebug\nx = 1\nraise ValueError(x)")
    (traceback,) = [item["traceback"] for item in failed if item["type"] == "error"]
    assert "graphdebug/runtime" not in "".join(traceback)


def executed(environment: dict[str, str], notebook: nbformat.NotebookNode) -> list[object]:
    """All outputs of a notebook that nbclient runs."""
    notebook = nbformat.from_dict(json.loads(json.dumps(notebook)))
    client = NotebookClient(notebook, timeout=120, kernel_name="python3")
    client.execute(env={**os.environ, **environment})
    return [cell.outputs for cell in notebook.cells if cell.cell_type == "code"]


def test_nbclient_runs_a_notebook_to_the_same_bits(server: Server) -> None:
    notebook = nbformat.v4.new_notebook()
    bits = (
        "[p.detach().numpy().tobytes().hex() for p in model.parameters()], torch.rand(3).tolist()"
    )
    notebook.cells = [nbformat.v4.new_code_cell(source) for source in (*MLP[:3], bits)]
    plain: list[list[object]] = []
    environment = {key: server.environment[key] for key in ("TMPDIR", "PYTHONPATH")}
    beside = threading.Thread(target=lambda: plain.append(executed(environment, notebook)))
    beside.start()
    kernel = server.kernel()
    code = "import json, os\nprint(json.dumps({k: os.environ[k] for k in ('GRAPHDEBUG', 'PYTHONPATH')}))"
    given = json.loads(kernel.run(code)[0]["text"])
    observed = executed({**environment, **given}, notebook)
    beside.join()
    assert observed == plain[0]
    assert [step["name"] for step in kernel.steps(7)] == ["cell", *["SGD.step"] * 5, "cell"]
    kernel.shut_down()
