"""What a client sees of tensors, under the real debugpy."""

from __future__ import annotations

import subprocess
import sys
import time
from typing import Any

import pytest
from support.dap import Session, Start
from support.markers import line, program
from support.processes import Run

from graphdebug.observation.injection import BOOTSTRAP

pytestmark = pytest.mark.frameworks

TORCH = program("tensors_torch.py")
TENSORFLOW = program("tensors_tensorflow.py")
TRAINING = program("tensors_training.py")
ATTACHED = program("tensors_attached.py")
SEED = program("seed_torch.py")

FAST = {"PYTHONPATH": BOOTSTRAP}
"""Brings our bootstrap, so that debugpy answers without delay; there is nobody to observe."""

AT_ONCE = 0.25
"""Seconds that a request may take, on two busy cores."""

Variables = dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def stopped(start_shared: Start) -> Session:
    pytest.importorskip("torch")
    s = start_shared("debugpy")
    s.launch(program=TORCH, env=FAST, breakpoints={TORCH: [line(TORCH, "stop")]})
    s.wait_for_stop("breakpoint")
    return s


def test_a_frame_of_tensors_is_readable(stopped: Session) -> None:
    shown = {name: (each["type"], each["value"]) for name, each in stopped.locals().items()}
    assert shown == {
        "small": ("Tensor", "float32 (1,) cpu [0.0]"),
        "scalar": ("Tensor", "float32 () cpu 2.5"),
        "weight": ("Tensor", "float32 (2, 2) cpu [[1.0, 1.0], [1.0, 1.0]] requires_grad"),
        "product": ("Tensor", "float32 (2, 10) cpu grad_fn=MmBackward0"),
        "image": ("Tensor", "float32 (64, 1000) cpu"),
        "huge": ("Tensor", "float32 (1000000000,) cpu"),
        "meta": ("Tensor", "float32 (100000, 10000) meta"),
        "parameter": ("Parameter", "float32 (64, 10) cpu requires_grad"),
        "model": ("MLP", "MLP: 1 child, 203,530 parameters, float32 cpu"),
        "line": ("Linear", "Linear(in_features=3, out_features=4, bias=True)"),
        "optimizer": ("Adam", "Adam: 1 group, 4 parameters, lr 0.1"),
        "tensors": ("list", "[float32 (64, 1000) cpu, float32 (1,) cpu [0.0]]"),
        "named": ("dict", "{'image': float32 (64, 1000) cpu, float32 (64, 1000) cpu: 'by tensor'}"),
        "batch": ("Batch", "Batch(inputs=float32 (64, 1000) cpu, labels=[float32 (1,) cpu [0.0]])"),
        "pair": ("Pair", "Pair(first=float32 (64, 1000) cpu, second=float32 (1,) cpu [0.0])"),
        "storage": ("UntypedStorage", "256,000 bytes cpu"),
    }


def children(s: Session, variable: dict[str, Any]) -> Variables:
    begin = time.perf_counter()
    found = s.variables(variable["variablesReference"])
    assert time.perf_counter() - begin < AT_ONCE
    return found


def test_a_tensors_children(stopped: Session) -> None:
    found = children(stopped, stopped.locals()["weight"])
    assert list(found) == [
        "shape", "dtype", "device", "requires_grad", "is_leaf", "grad", "statistics", "values",
    ]  # fmt: skip
    assert found["shape"]["value"] == "(2, 2)" and found["dtype"]["value"] == "'float32'"
    statistics = children(stopped, found["statistics"])
    assert statistics["mean"]["value"] == "1.0" and statistics["zeros"]["value"] == "0"
    rows = children(stopped, found["values"])
    assert rows["[1]"]["value"] == "float32 (2,) cpu [1.0, 1.0]" and rows["[1]"]["type"] == "Tensor"
    assert rows["[1]"]["evaluateName"] == "weight[1]"
    values = children(stopped, children(stopped, rows["[1]"])["values"])
    assert values["[0]"]["value"] == "1.0" and values["[0]"]["evaluateName"] == "weight[1][0]"


def test_a_billion_elements_open_at_once_on_every_level(stopped: Session) -> None:
    level = children(stopped, stopped.locals()["huge"])
    level = children(stopped, level["values"])
    assert list(level)[:2] == ["[0:100000000]", "[100000000:200000000]"]
    depth = 0
    while (middle := list(level.values())[len(level) // 2])["variablesReference"]:
        assert len(level) <= 100
        level = children(stopped, middle)
        depth += 1
    assert depth == 4 and middle["name"] == "[550505050]" and middle["value"] == "0.0"
    assert stopped.evaluate(middle["evaluateName"], "watch")["result"] == "float32 () cpu 0.0"
    found = children(stopped, stopped.locals()["huge"])
    assert children(stopped, found["statistics"])["elements"]["value"] == "1000000000"
    assert "values" not in children(stopped, stopped.locals()["meta"])


def test_a_dict_with_tensors_opens(stopped: Session) -> None:
    found = children(stopped, stopped.locals()["named"])
    assert found["float32 (64, 1000) cpu"]["value"] == "'by tensor'"


def test_modules_and_optimizers_open(stopped: Session) -> None:
    frame = stopped.locals()
    model = children(stopped, frame["model"])
    assert list(model) == ["layers", "parameters()", "note", "training"]
    assert model["layers"]["value"] == "Sequential: 3 children, 203,530 parameters, float32 cpu"
    layers = children(stopped, model["layers"])
    weight = children(stopped, layers["0"])["weight"]
    assert weight["evaluateName"] == "model.layers[0].weight" and weight["type"] == "Parameter"
    assert stopped.evaluate(weight["evaluateName"], "watch")["result"] == weight["value"]
    optimizer = children(stopped, frame["optimizer"])
    group = children(stopped, optimizer["group 0"])
    assert group["lr"]["evaluateName"] == "optimizer.param_groups[0]['lr']"
    state = children(stopped, optimizer["state"])["group 0, parameter 0"]
    assert "'exp_avg': float32 (256, 784) cpu" in state["value"]


def test_a_graph_opens(stopped: Session) -> None:
    product = children(stopped, stopped.locals()["product"])
    assert product["grad_fn"]["value"] == "MmBackward0(AccumulateGrad)"
    leaf = children(stopped, product["grad_fn"])["next_functions[0]"]
    variable = children(stopped, leaf)["variable"]
    assert variable["value"] == stopped.locals()["weight"]["value"]


@pytest.mark.parametrize(
    ("context", "expression", "result"),
    [
        ("watch", "small", "float32 (1,) cpu [0.0]"),
        ("hover", "small", "float32 (1,) cpu [0.0]"),
        ("hover", "small + 1", "float32 (1,) cpu [1.0]"),
        ("repl", "small", "float32 (1,) cpu [0.0]\ntensor([0.])"),
        ("clipboard", "small", "tensor([0.])"),
        ("repl", "image", "float32 (64, 1000) cpu"),
        ("clipboard", "image", "float32 (64, 1000) cpu"),
        ("repl", "huge", "float32 (1000000000,) cpu"),
        ("watch", "[image, None, 1]", "[float32 (64, 1000) cpu, None, 1]"),
        ("watch", "{1: {2: image}}", "{1: {2: float32 (64, 1000) cpu}}"),
        ("watch", "(image,)", "(float32 (64, 1000) cpu,)"),
        ("watch", "{image}", "{float32 (64, 1000) cpu}"),
        ("watch", "[model]", "[MLP: 1 child, 203,530 parameters, float32 cpu]"),
        ("watch", "None", "None"),
        ("watch", "image.shape", "torch.Size([64, 1000])"),
    ],
)
def test_evaluating(stopped: Session, context: str, expression: str, result: str) -> None:
    assert stopped.evaluate(expression, context)["result"] == result


def test_a_module_is_printed_in_full_where_one_asks(stopped: Session) -> None:
    shown = stopped.evaluate("model", "repl")["result"]
    assert shown.startswith("MLP: 1 child, 203,530 parameters, float32 cpu\nMLP(\n  (layers):")


def test_a_number_can_be_set(stopped: Session) -> None:
    rows = children(stopped, stopped.locals()["small"])["values"]
    reference = rows["variablesReference"]
    children(stopped, rows)
    stopped.request("setVariable", variablesReference=reference, name="[0]", value="7.5")
    assert stopped.locals()["small"]["value"] == "float32 (1,) cpu [7.5]"


def test_frames_before_after_and_of_many(start: Start) -> None:
    pytest.importorskip("torch")
    s = start("debugpy")
    marks = ("unready", "counting", "many")
    s.launch(program=TORCH, env=FAST, breakpoints={TORCH: [line(TORCH, mark) for mark in marks]})
    s.wait_for_stop("breakpoint")
    assert s.locals()["self"]["value"] == "MLP()"
    children(s, s.locals()["self"])
    s.cont()
    s.wait_for_stop("breakpoint")
    for variable in s.locals().values():
        if variable["type"] in ("Tensor", "Parameter", "MLP", "Adam", "list", "dict"):
            children(s, variable)
    s.cont()
    s.wait_for_stop("breakpoint")
    reference = s.scopes()["Globals"]["variablesReference"]
    begin = time.perf_counter()
    shown = s.variables(reference)
    assert time.perf_counter() - begin < AT_ONCE
    assert shown["tensor_199"]["value"] == "float32 (100, 100) cpu"
    assert sum(each["type"] == "Tensor" for each in shown.values()) == 200
    s.cont()
    assert s.wait_for_exit() == 0
    assert "dispatched 0\n" in s.output()


def test_looking_at_everything_changes_nothing(start: Start) -> None:
    pytest.importorskip("torch")
    alone = subprocess.run([sys.executable, TRAINING], capture_output=True, text=True, check=True)
    s = start("debugpy")
    marks = ("forward", "backward")
    s.launch(
        program=TRAINING, env=FAST, breakpoints={TRAINING: [line(TRAINING, mark) for mark in marks]}
    )
    seen = 0
    for _ in range(6):
        s.wait_for_stop("breakpoint")
        frame = s.frame()
        for scope in s.scopes(frame).values():
            seen += look(s, scope["variablesReference"], depth=2)
        for name in ("inputs", "model", "optimizer", "hidden", "view", "wide"):
            for context in ("watch", "hover", "repl", "clipboard"):
                s.evaluate(name, context, frameId=frame["id"])
        s.cont()
    assert s.wait_for_exit() == 0
    assert s.output() == alone.stdout and seen > 1000


OURS = ("Tensor", "Parameter", "Group", "Sequential", "Linear", "Adam", "list", "dict")


def look(s: Session, reference: int, depth: int) -> int:
    """Open what is ours, of many the first and the last; how much there was to see."""
    found = list(s.variables(reference).values())
    seen = len(found)
    for each in found if len(found) < 40 else found[:3] + found[-3:]:
        ours = each["type"] in OURS or each["type"].endswith("Backward0")
        if depth and ours and each["variablesReference"]:
            seen += look(s, each["variablesReference"], depth - 1)
    return seen


@pytest.mark.parametrize("when", ["--before", "--after"])
def test_a_debugger_that_comes_later(start: Start, run: Run, when: str) -> None:
    pytest.importorskip("torch")
    s = start("debugpy")
    s.attach(
        listen={"host": "127.0.0.1", "port": 0},
        on_waiting=lambda host, port: run(ATTACHED, host, str(port), when) and None,
        breakpoints={ATTACHED: [line(ATTACHED, "first"), line(ATTACHED, "second")]},
    )
    s.wait_for_stop("breakpoint")
    first = s.locals()["image"]["value"]
    s.cont()
    s.wait_for_stop("breakpoint")
    ours = "float32 (64, 10) cpu"
    assert s.locals()["image"]["value"] == ours
    assert (first == ours) is (when == "--before")
    assert s.evaluate("debugger.problems")["result"] == "[]"
    assert "graphdebug" not in s.evaluate("str(sys.meta_path)", "watch")["result"]
    s.cont()
    s.client.wait_for_event("terminated")


def test_tensorflow(start: Start) -> None:
    pytest.importorskip("tensorflow")
    s = start("debugpy")
    marks = ("stop", "building")
    s.launch(
        program=TENSORFLOW, env=FAST, breakpoints={TENSORFLOW: [line(TENSORFLOW, m) for m in marks]}
    )
    s.wait_for_stop("breakpoint")
    frame = s.locals()
    shown = {name: (each["type"], each["value"]) for name, each in frame.items()}
    assert (
        shown.items()
        >= {
            "small": (
                "EagerTensor",
                "float32 (2, 3) /device:CPU:0 [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]",
            ),
            "scalar": ("EagerTensor", "float32 () /device:CPU:0 2.5"),
            "image": ("EagerTensor", "float32 (64, 1000) /device:CPU:0"),
            "words": ("EagerTensor", "string (2,) /device:CPU:0 ['a', 'ü']"),
            "variable": ("ResourceVariable", "float32 (2,) /device:CPU:0 [0.5, 1.5]"),
            "layer": ("Variable", "float32 (1, 1) /device:CPU:0 [[1.0]]"),
            "keras_input": ("KerasTensor", "float32 (None, 3) symbolic features"),
            "ragged": ("RaggedTensor", "int32 (2, None) /device:CPU:0 ragged"),
            "sparse": ("SparseTensor", "float32 (2, 3) /device:CPU:0 sparse nnz=1"),
            "tensors": ("list", "[float32 (64, 1000) /device:CPU:0, float32 () /device:CPU:0 2.5]"),
        }.items()
    )
    for name in shown:
        if name != "tape":
            look(s, frame[name]["variablesReference"], depth=2)
    image = children(s, frame["image"])
    assert list(image) == ["shape", "dtype", "device", "statistics", "values"]
    assert children(s, image["statistics"])["maximum"]["value"] == "63999.0"
    row = children(s, image["values"])["[63]"]
    assert row["value"] == "float32 (1000,) /device:CPU:0"
    assert s.evaluate(row["evaluateName"], "watch")["result"] == row["value"]
    s.cont()
    s.wait_for_stop("breakpoint")
    frame = s.locals()
    shown = {name: (each["type"], each["value"]) for name, each in frame.items()}
    assert shown["counter"] == ("SymbolicTensor", "int32 () symbolic counter:0")
    assert shown["rows"] == ("SymbolicTensor", "float32 (None, 3) symbolic rows:0")
    assert shown["total"] == ("SymbolicTensor", "int32 () symbolic total:0")
    for name in ("counter", "rows", "unknown", "total", "variable"):
        look(s, frame[name]["variablesReference"], depth=3)
    inputs = children(s, children(s, frame["total"])["inputs"])
    assert inputs["[0]"]["value"] == "int32 () symbolic counter:0"
    s.cont()
    assert s.wait_for_exit() == 0
    assert "watched 0\n" in s.output() and "added 0\n" in s.output()


def test_looking_is_not_recorded(start: Start, graphdebug_adapter: str) -> None:
    pytest.importorskip("torch")
    alone, seen = (
        recorded(start(graphdebug_adapter, timeout=60), looks) for looks in (False, True)
    )
    assert alone == seen
    assert len(seen) == 10 and {"aten::add_", "aten::lt"} <= set(seen[1])


def recorded(s: Session, looks: bool) -> list[list[str]]:
    """The operations of each step of the seed's loop, with all that a user can look at or without."""
    s.launch(program=SEED, breakpoints={SEED: [line(SEED, "add")]})
    for number in range(0, 20, 2):
        s.wait_for_stop("breakpoint")
        frame = s.frame()
        assert s.locals(frame)["first_counter"]["value"] == f"float32 (1,) cpu [{float(number)}]"
        if looks:
            look(s, s.scopes(frame)["Locals"]["variablesReference"], depth=3)
            for mode in ("summary", "values", "histogram"):
                body = s.request(
                    "graphdebugTensor", frameId=frame["id"], expression="second_counter", mode=mode
                )
                assert body["tensor"]["shape"] == [1] and body[mode]
        s.cont()
    s.client.wait_for_event("terminated")
    return [
        [node["opType"] for node in s.request("graphdebugNodes", step=step["index"])["nodes"]]
        for step in s.request("graphdebugSteps")["steps"]
    ]
