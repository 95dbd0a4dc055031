"""What torch's tensors and modules show, and that looking at them changes nothing."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

import pytest
from inspection_answers import inspected, opened

from graphdebug.protocol.model import Tensor
from graphdebug.runtime.tree import Group

pytestmark = pytest.mark.frameworks

# What a tensor is


def test_a_tensor_is_described_without_its_data(torch: Any, tensors: Any) -> None:
    value = torch.zeros(2, 3, dtype=torch.bfloat16, requires_grad=True)
    assert tensors.owns(value) and not tensors.owns([value])
    assert tensors.describe(value) == Tensor((2, 3), "bfloat16", "cpu", 12, True)


HEADERS: list[tuple[str, Callable[[Any], Any], str]] = [
    ("one", lambda t: t.Tensor([0]), "float32 (1,) cpu [0.0]"),
    ("scalar", lambda t: t.tensor(2.3), "float32 () cpu 2.3"),
    ("integers", lambda t: t.tensor([[1, 2], [3, 4]]), "int64 (2, 2) cpu [[1, 2], [3, 4]]"),
    ("bool", lambda t: t.tensor([True]), "bool (1,) cpu [True]"),
    ("complex", lambda t: t.tensor([1 + 2j]), "complex64 (1,) cpu ['(1+2j)']"),
    ("nan", lambda t: t.tensor([math.nan, math.inf]), "float32 (2,) cpu [nan, inf]"),
    ("empty", lambda t: t.zeros(0, 3), "float32 (0, 3) cpu []"),
    ("sixteen", lambda t: t.zeros(16), f"float32 (16,) cpu {[0.0] * 16}"),
    ("seventeen", lambda t: t.zeros(17), "float32 (17,) cpu"),
    ("leaf", lambda t: t.zeros(64, 10, requires_grad=True), "float32 (64, 10) cpu requires_grad"),
    (
        "result",
        lambda t: t.zeros(64, 10, requires_grad=True) + 1,
        "float32 (64, 10) cpu grad_fn=AddBackward0",
    ),
    ("meta", lambda t: t.empty(2, 3, device="meta"), "float32 (2, 3) meta"),
    ("sparse", lambda t: t.eye(3).to_sparse(), "float32 (3, 3) cpu sparse_coo nnz=3"),
    ("rows", lambda t: t.eye(3).to_sparse_csr(), "float32 (3, 3) cpu sparse_csr"),
    ("small float", lambda t: t.ones(2).to(t.float8_e5m2), "float8_e5m2 (2,) cpu [1.0, 1.0]"),
    (
        "quantized",
        lambda t: t.quantize_per_tensor(t.ones(2), 0.1, 0, t.quint8),
        "quint8 (2,) cpu",
    ),
    (
        "lazy",
        lambda t: t.nn.LazyLinear(3).weight,
        "float32 (-1,) cpu uninitialized requires_grad",
    ),
    (
        "jagged",
        lambda t: t.nested.nested_tensor([t.zeros(2), t.zeros(3)], layout=t.jagged),
        "float32 (2, -1) cpu nested",
    ),
    (
        "nested",
        lambda t: t.nested.nested_tensor([t.zeros(2), t.zeros(3)]),
        "float32 (2, -1) cpu nested",
    ),
    ("conjugate", lambda t: t.tensor([1j]).conj(), "complex64 (1,) cpu ['-1j']"),
]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("make", "line"), [case[1:] for case in HEADERS], ids=[c[0] for c in HEADERS]
)
def test_its_line(torch: Any, tensors: Any, make: Callable[[Any], Any], line: str) -> None:
    value = make(torch)
    assert tensors.header(value) == line
    assert [name for name, _, _ in tensors.children(value)][:3] == ["shape", "dtype", "device"]
    assert opened(tensors.children(value))


def test_a_fake_tensor_has_no_value(torch: Any, tensors: Any) -> None:
    from torch._subclasses import FakeTensorMode

    with FakeTensorMode():
        fake = torch.zeros(2, 3)
        assert tensors.header(fake) == "float32 (2, 3) cpu fake"
    for what in ("summary", "values", "histogram"):
        with pytest.raises(ValueError, match="it is a fake tensor"):
            tensors.inspect(fake, what, None)


def test_real_tensors_can_be_read_inside_a_mode(torch: Any, tensors: Any) -> None:
    from torch._subclasses import FakeTensorMode

    value = torch.arange(6.0).reshape(2, 3)
    with FakeTensorMode(), torch.device("meta"), torch.inference_mode():
        assert tensors.header(value) == "float32 (2, 3) cpu [[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]]"
        assert inspected(tensors, value, "summary").maximum == 5.0
        assert sum(inspected(tensors, value, "histogram").counts) == 6


def test_inside_a_transform_what_it_wraps_can_be_read(torch: Any, tensors: Any) -> None:
    seen: list[Any] = []

    def look(value: Any) -> Any:
        seen.append((tensors.header(value), tensors.children(value), value))
        try:
            seen.append(inspected(tensors, value, "values"))
        except ValueError as error:
            seen.append(str(error))
        return (value * value).sum()

    torch.func.grad(look)(torch.tensor([1.0, 2.0]))
    assert seen[0][0].startswith("float32 (2,) cpu") and seen[1] == [1.0, 2.0]
    seen.clear()
    torch.func.vmap(look)(torch.ones(5, 2))
    assert seen[0][0] == "float32 (2,) cpu vmap" and "look at its 'unwrapped'" in seen[1]
    unwrapped = {name: value for name, value, _ in seen[0][1]}["unwrapped"]
    assert tensors.header(unwrapped).startswith("float32 (5, 2) cpu")


def test_a_freed_storage_is_not_read(torch: Any, tensors: Any) -> None:
    value = torch.zeros(4)
    value.untyped_storage().resize_(0)
    assert tensors.header(value) == "float32 (4,) cpu"
    with pytest.raises(ValueError, match="its storage was freed"):
        tensors.inspect(value, "values", None)


def test_a_subclass_is_not_asked(torch: Any, tensors: Any) -> None:
    class Loud(torch.Tensor):  # type: ignore[misc,name-defined]
        @classmethod
        def __torch_function__(cls, *_: Any, **__: Any) -> Any:
            raise AssertionError("asked")

        def __repr__(self) -> str:
            raise AssertionError("printed")

    value = torch.ones(2).as_subclass(Loud)
    assert tensors.header(value) == "float32 (2,) cpu [1.0, 1.0]"
    assert opened(tensors.children(value))
    assert inspected(tensors, value, "summary").mean == 1.0


def test_a_distributed_tensor_shows_its_own_part_only(torch: Any, tensors: Any) -> None:
    class Sharded(torch.Tensor):  # type: ignore[misc,name-defined]
        """As DTensor: operations on it would wait for other ranks."""

        @staticmethod
        def __new__(cls, local: Any) -> Any:
            made = torch.Tensor._make_wrapper_subclass(cls, (8, 2), dtype=local.dtype)
            made._local_tensor = local
            return made

        @classmethod
        def __torch_dispatch__(cls, *_: Any, **__: Any) -> Any:
            raise AssertionError("communicates")

    value = Sharded(torch.ones(4, 2))
    assert tensors.header(value) == "float32 (8, 2) cpu"
    children = {name: child for name, child, _ in tensors.children(value)}
    assert children["local"] is value._local_tensor and "statistics" not in children
    assert inspected(tensors, value, "summary").elements == 8


# What it costs


def test_a_billion_elements_open_at_once(torch: Any, tensors: Any) -> None:
    huge = torch.full((1,), 2.0).expand(10**9)
    wide = torch.randn(1000, 1).expand(1000, 10**6)
    meta = torch.empty(10**5, 10**4, device="meta")
    tensors.inspect(torch.zeros(3), "summary", None)
    begin = time.perf_counter()
    for value in (huge, wide, meta):
        assert "[" not in tensors.header(value)
        tensors.children(value)
    descend(tensors.children(huge))
    summary = inspected(tensors, huge, "summary")
    assert (summary.elements, summary.mean, summary.std) == (10**9, 2.0, 0.0)
    assert inspected(tensors, wide, "summary").elements == 10**9
    assert sum(inspected(tensors, wide, "histogram", "1:, 5:").counts) == 999 * (10**6 - 5)
    assert inspected(tensors, huge, "values", "999999998:") == [2.0, 2.0]
    assert time.perf_counter() - begin < 0.5


def test_nothing_runs_until_it_is_opened(torch: Any, tensors: Any, modules: Any) -> None:
    model = torch.nn.Linear(50, 50)
    shown = [
        torch.zeros(17),
        torch.zeros(1).expand(10**9),
        torch.zeros(5, 5, requires_grad=True) * 2,
        torch.eye(20).to_sparse(),
        model.weight,
    ]
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
        for value in shown[:3] + shown[4:]:
            tensors.header(value)
            tensors.children(value)
        modules.header(model)
        modules.children(model)
    assert [event.name for event in profile.events() if event.name.startswith("aten")] == []


def test_looking_changes_nothing(torch: Any, tensors: Any, modules: Any) -> None:
    torch.manual_seed(3)
    weight = torch.ones(4, 4, requires_grad=True)
    hidden = weight * 2
    view = hidden.view(16)
    hidden.mul_(3)
    loss = hidden.sum()
    before = torch.get_rng_state(), weight._version, hidden._version, torch.is_grad_enabled()
    ((node, _),) = loss.grad_fn.next_functions
    number = (torch.ones(1, requires_grad=True) * 1).grad_fn._sequence_nr()
    for value in (weight, hidden, view, loss):
        tensors.header(value)
        tensors.text(value)
        opened(tensors.children(value))
        for mode in ("summary", "values", "histogram"):
            tensors.inspect(value, mode, None)
    opened(modules.children(node))
    after = (torch.ones(1, requires_grad=True) * 1).grad_fn._sequence_nr()
    assert after == number + 1, "nodes were made"
    assert torch.equal(before[0], torch.get_rng_state())
    assert before[1:] == (weight._version, hidden._version, torch.is_grad_enabled())
    assert weight.grad is None
    loss.backward()
    assert torch.equal(weight.grad, torch.full((4, 4), 6.0))


def test_a_view_written_to_is_not_asked_for_its_node(torch: Any, tensors: Any) -> None:
    base = torch.zeros(20, requires_grad=True) * 1
    view = base[:18]
    assert tensors.header(view).endswith("grad_fn=SliceBackward0")
    base.mul_(2)
    assert tensors.header(view) == "float32 (18,) cpu requires_grad"
    names = [name for name, _, _ in tensors.children(view)]
    assert "grad_fn" not in names and "requires_grad" in names


def test_expressions_evaluate_to_what_is_shown(torch: Any, tensors: Any) -> None:
    x = torch.arange(3 * 250.0).reshape(3, 250).requires_grad_()
    for name, value, suffix in flattened(tensors.children(x), "x"):
        found = eval(suffix, {"x": x})
        if isinstance(value, float):
            assert found.item() == value, name
        elif isinstance(value, torch.Tensor):
            assert found is value
        elif isinstance(value, Group) and type(value).__name__ == "Tensor":
            assert value.text.startswith(f"float32 {tuple(found.shape)} cpu")


def test_the_text_is_torchs_own_where_it_is_short(torch: Any, tensors: Any) -> None:
    assert tensors.text(torch.zeros(1000)) == repr(torch.zeros(1000))
    assert tensors.text(torch.zeros(1001)) is None
    assert tensors.text(torch.empty(2, device="meta")) is None


def test_a_repr_that_holds_tensors_holds_their_lines(torch: Any, tensors: Any) -> None:
    value = torch.zeros(64, 10)
    with tensors.Headers():
        assert repr([value]) == "[float32 (64, 10) cpu]"
        assert f"{value}" == str(value) == "float32 (64, 10) cpu"
        assert f"{torch.tensor(2.5):.2f}" == "2.50"
        assert repr(value.max(1)) == (
            "torch.return_types.max(\nvalues=float32 (64,) cpu,\nindices=int64 (64,) cpu)"
        )
    assert repr([value]).startswith("[tensor([[0.")


# Modules, optimizers, nodes


def test_a_module_is_a_line(torch: Any, modules: Any) -> None:
    nn = torch.nn
    model = nn.Sequential(nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 10))
    assert modules.header(model[0]) == "Linear(in_features=784, out_features=256, bias=True)"
    assert modules.header(model) == "Sequential: 3 children, 203,530 parameters, float32 cpu"
    model[2].bfloat16()
    assert modules.header(model).endswith("bfloat16+float32 cpu")
    tied = nn.Sequential(model[0], model[0], nn.LazyLinear(3))
    assert modules.header(tied) == "Sequential: 3 children, 200,960 parameters, float32 cpu"


def test_a_modules_children(torch: Any, modules: Any) -> None:
    nn = torch.nn

    class Model(nn.Module):  # type: ignore[misc,name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.blocks = nn.ModuleList(nn.Linear(2, 2) for _ in range(150))
            self.norm = nn.BatchNorm1d(2)
            self.scale = nn.Parameter(torch.ones(1))
            self.width = 2
            self.register_forward_hook(lambda *_: None)

    model = Model()
    children = {name: (value, suffix) for name, value, suffix in modules.children(model)}
    assert list(children) == [
        "blocks", "norm", "scale", "parameters()", "width", "training", "hooks"
    ]  # fmt: skip
    assert children["hooks"] == ("1 forward", None) and children["width"] == (2, ".width")
    pages = [name for name, _, _ in modules.children(model.blocks)]
    assert pages == ["[0:100]", "[100:150]", "parameters()", "training"]
    norm = [name for name, _, _ in modules.children(model.norm)]
    assert norm[:4] == ["weight", "bias", "running_mean", "running_var"]
    for _, value, suffix in flattened(modules.children(model), "model"):
        if isinstance(value, (nn.Module, torch.Tensor)):
            assert eval(suffix, {"model": model}) is value


def test_a_module_before_its_init(torch: Any, modules: Any) -> None:
    class Model(torch.nn.Module):  # type: ignore[misc,name-defined]
        pass

    model = Model.__new__(Model)
    assert modules.header(model) == "Model()"
    assert [name for name, _, _ in modules.children(model)] == ["training"]


def test_an_optimizer(torch: Any, modules: Any) -> None:
    model = torch.nn.Linear(2, 2)
    optimizer = torch.optim.Adam([{"params": [model.weight], "lr": 0.5}, {"params": [model.bias]}])
    assert modules.header(optimizer) == "Adam: 2 groups, 2 parameters, lr 0.5, 0.001"
    model(torch.ones(1, 2)).sum().backward()
    optimizer.step()
    names = [name for name, _, _ in modules.children(optimizer)]
    assert names == ["group 0", "group 1", "state", "defaults"]
    found = flattened(modules.children(optimizer), "optimizer")
    for _, value, suffix in found:
        if isinstance(value, (float, torch.Tensor)):
            assert eval(suffix, {"optimizer": optimizer}) is value


def test_a_node(torch: Any, modules: Any) -> None:
    weight = torch.zeros(2, requires_grad=True)
    node = (weight * 2 + 1).grad_fn
    assert modules.presents(type(node)) and modules.header(node) == "AddBackward0(MulBackward0)"
    ((_, inner, suffix),) = modules.children(node)
    assert eval(f"node{suffix}", {"node": node}) is inner
    ((_, leaf, _),) = modules.children(inner)
    assert modules.children(leaf) == [("variable", weight, ".variable")]


def test_saved_tensors_are_not_unpacked(torch: Any, modules: Any) -> None:
    def refuse(_: Any) -> Any:
        raise AssertionError("unpacked")

    with torch.autograd.graph.saved_tensors_hooks(lambda value: value, refuse):
        node = (torch.ones(2, requires_grad=True) ** 2).grad_fn
    opened(modules.children(node))


def test_a_functions_context(torch: Any, modules: Any) -> None:
    class Double(torch.autograd.Function):  # type: ignore[misc,name-defined]
        @staticmethod
        def forward(ctx: Any, value: Any) -> Any:
            ctx.factor = 2
            assert modules.presents(type(ctx)) and modules.header(ctx)
            assert ("factor", 2, ".factor") in modules.children(ctx)
            return value * 2

        @staticmethod
        def backward(ctx: Any, grad: Any) -> Any:
            assert ("factor", 2, ".factor") in modules.children(ctx)
            return grad * ctx.factor

    Double.apply(torch.ones(1, requires_grad=True)).backward()


def test_a_storage_is_not_printed(torch: Any, modules: Any) -> None:
    storage = torch.zeros(1000).untyped_storage()
    assert modules.presents(type(storage)) and modules.header(storage) == "4,000 bytes cpu"


def descend(children: Any) -> None:
    """Open the middle of each level down to an element."""
    group = next((value for name, value, _ in children if name == "values"), None)
    while isinstance(group, Group):
        level = group.open()
        assert len(level) <= 100
        group = level[len(level) // 2][1]
    assert isinstance(group, float)


def flattened(children: Any, name: str) -> list[tuple[str, Any, str]]:
    """Name, value, expression of all below that has one."""
    found = []
    for child, value, suffix in children:
        if suffix is not None:
            found.append((child, value, name + suffix))
            if isinstance(value, Group):
                found += flattened(value.open(), name + suffix)
    return found
