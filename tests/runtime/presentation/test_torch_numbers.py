"""What is computed of torch's tensors, against numpy."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from inspection_answers import inspected, opened

from graphdebug.protocol.dap import GraphdebugTensorResponse
from graphdebug.protocol.wire import from_wire

pytestmark = pytest.mark.frameworks


@dataclass(frozen=True)
class Case:
    dtype: str
    shape: tuple[int, ...]


CASES = [
    Case(dtype, shape)
    for dtype, shape in itertools.product(
        ["float32", "float64", "float16", "int8", "uint8", "int64", "uint16", "bool", "complex64"],
        [(), (7,), (3, 0), (20, 30), (2, 3, 4, 5)],
    )
]


def data(np: Any, case: Case, seed: int, special: bool = True) -> Any:
    random = np.random.default_rng(seed)
    if case.dtype == "bool":
        return random.integers(0, 2, case.shape).astype(bool)
    if case.dtype in ("int8", "uint8", "int64", "uint16"):
        limits = np.iinfo(case.dtype)
        return random.integers(limits.min, limits.max, case.shape, case.dtype, endpoint=True)
    found = random.normal(size=case.shape) * 10
    if case.dtype == "complex64":
        found = found + 1j * random.normal(size=case.shape)
    found = np.asarray(found.astype(case.dtype))
    if special and found.size > 20:
        flat = found.reshape(-1)
        flat[[1, 5]], flat[7], flat[8], flat[9:12] = np.nan, np.inf, -np.inf, 0
    return found


@pytest.mark.parametrize("case", CASES, ids=str)
def test_statistics_are_those_of_numpy(torch: Any, np: Any, tensors: Any, case: Case) -> None:
    array = data(np, case, seed=len(case.shape))
    found = inspected(tensors, torch.from_numpy(array), "summary")
    check_summary(np, found, array)


def magnitudes(np: Any, array: Any) -> Any:
    return np.abs(array.astype(complex)) if array.dtype.kind == "c" else array.astype(float)


def check_summary(np: Any, found: Any, array: Any) -> None:
    wide = magnitudes(np, array)
    finite = wide[np.isfinite(wide)]
    assert found.elements == array.size
    assert found.nan == np.isnan(wide).sum() and found.inf == np.isinf(wide).sum()
    assert found.zeros == (wide == 0).sum()
    if not finite.size:
        assert found.minimum is found.maximum is found.mean is found.std is None
        return
    exact = np.array([int(each) for each in array.flat]) if array.dtype.kind in "iub" else finite
    assert found.minimum == pytest.approx(exact.min(), rel=1e-6)
    assert found.maximum == pytest.approx(exact.max(), rel=1e-6)
    assert found.mean == pytest.approx(finite.mean(), rel=1e-6, abs=1e-9)
    assert found.std == pytest.approx(finite.std(), rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_histograms_are_those_of_numpy(torch: Any, np: Any, tensors: Any, case: Case) -> None:
    array = data(np, case, seed=3)
    found = inspected(tensors, torch.from_numpy(array), "histogram")
    wide = magnitudes(np, array)
    finite = wide[np.isfinite(wide)]
    edges = np.array(found.edges)
    counts, _ = np.histogram(finite, edges)
    assert sum(found.counts) == finite.size
    if case.dtype != "complex64":  # whose magnitudes may differ in the last bit
        assert found.counts == tuple(counts)
    if finite.size != 1:  # numpy refuses a large number alone
        assert edges == pytest.approx(np.histogram_bin_edges(finite, len(counts)), rel=1e-6)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_values_are_those_of_numpy(torch: Any, np: Any, tensors: Any, case: Case) -> None:
    array = data(np, case, seed=5, special=False)
    found = inspected(tensors, torch.from_numpy(array), "values")
    if array.dtype.kind == "c":
        assert np.array(found, dtype=str).shape == array.shape
        return
    back = np.array(found, dtype=array.dtype).reshape(array.shape)
    assert np.array_equal(back, array)


def test_values_that_json_lacks_travel_as_text(torch: Any, tensors: Any) -> None:
    value = torch.tensor([[math.nan, -math.inf], [math.inf, 0.1]])
    assert inspected(tensors, value, "values") == [["nan", "-inf"], ["inf", 0.1]]


@pytest.mark.parametrize("index", ["0", "-1", ":, 2:4", "..., 0", "1, None, ::3", "None", "0:0"])
def test_a_slice_is_numpys(torch: Any, np: Any, tensors: Any, index: str) -> None:
    array = data(np, Case("float32", (6, 7, 8)), seed=1, special=False)
    value = torch.from_numpy(array).requires_grad_()
    part = eval(f"array[{index}]", {"array": array})
    body = from_wire(GraphdebugTensorResponse, tensors.inspect(value, "values", index))
    assert body.tensor.shape == part.shape and body.tensor.requires_grad
    assert np.array_equal(np.array(body.values, "float32").reshape(part.shape), part)
    check_summary(np, inspected(tensors, value, "summary", index), part)


@pytest.mark.parametrize(
    ("index", "why"),
    [
        ("9", "out of bounds|out of range"),
        ("0,0,0", "too many indices"),
        ("::-1", "step must be"),
        ("x", "not an index"),
    ],
)
def test_a_bad_index_is_a_sentence(torch: Any, tensors: Any, index: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        tensors.inspect(torch.zeros(2, 3), "values", index)


def test_a_bad_mode_is_a_sentence(torch: Any, tensors: Any) -> None:
    with pytest.raises(ValueError, match="none of summary, values, histogram"):
        tensors.inspect(torch.zeros(2), "all", None)


def test_too_many_values_are_refused(torch: Any, tensors: Any) -> None:
    assert len(inspected(tensors, torch.zeros(10_000), "values")) == 10_000
    with pytest.raises(ValueError, match="ask for a slice"):
        tensors.inspect(torch.zeros(1).expand(10**9), "values", None)


@pytest.mark.parametrize("dtype", ["bfloat16", "float8_e4m3fn", "float8_e5m2"])
def test_types_that_numpy_lacks(torch: Any, np: Any, tensors: Any, dtype: str) -> None:
    value = torch.randn(50, 20, generator=torch.Generator().manual_seed(0)).to(
        getattr(torch, dtype)
    )
    check_summary(np, inspected(tensors, value, "summary"), value.float().numpy())
    values = torch.tensor(inspected(tensors, value, "values"), dtype=torch.float64)
    assert torch.equal(values.to(value.dtype).float(), value.float())


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "make",
    [
        lambda t, x: x.to_sparse(),
        lambda t, x: x.to_sparse_csr(),
        lambda t, x: x.to_sparse_csc(),
        lambda t, x: t.sparse_coo_tensor([[0, 0], [1, 1]], [1.0, 2.0], (2, 3)),
        lambda t, x: x.t().contiguous().t(),
        lambda t, x: x[:, :1].expand(4, 5),
        lambda t, x: x[::2, ::3],
        lambda t, x: t.quantize_per_tensor(x, 0.5, 3, t.quint8),
        lambda t, x: x.as_strided((3, 3), (1, 1)),
        lambda t, x: x.to_mkldnn(),
        lambda t, x: x.reshape(4, 5, 1).expand(4, 5, 3),
    ],
)
def test_layouts(torch: Any, np: Any, tensors: Any, make: Callable[..., Any]) -> None:
    dense = torch.randn(4, 5, generator=torch.Generator().manual_seed(1))
    dense[dense < 0] = 0
    value = make(torch, dense)
    array = value.dequantize() if value.is_quantized else value.to_dense()
    assert np.allclose(inspected(tensors, value, "values"), array.numpy())
    check_summary(np, inspected(tensors, value, "summary"), array.numpy())
    assert sum(inspected(tensors, value, "histogram").counts) == array.numel()
    assert opened(tensors.children(value))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("layout", ["strided", "jagged"])
def test_nested_tensors(torch: Any, tensors: Any, layout: str) -> None:
    parts = [torch.ones(2, 3), torch.zeros(4, 3)]
    value = torch.nested.nested_tensor(parts, layout=getattr(torch, layout))
    summary = inspected(tensors, value, "summary")
    assert (summary.elements, summary.zeros, summary.mean) == (18, 12, pytest.approx(1 / 3))
    assert inspected(tensors, value, "values") == [part.tolist() for part in parts]
    rows = {name: child for name, child, _ in tensors.children(value)}["values"].open()
    assert [tensors.describe(row).shape for _, row, _ in rows] == [(2, 3), (4, 3)]


def test_pieces_are_those_of_the_whole(
    torch: Any, np: Any, tensors: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from graphdebug.runtime.backends.torch import reductions

    array = data(np, Case("float32", (40, 30, 20)), seed=9)
    value = torch.from_numpy(array)
    whole = inspected(tensors, value, "histogram")
    monkeypatch.setattr(reductions, "PIECE", 77)
    check_summary(np, inspected(tensors, value, "summary"), array)
    assert inspected(tensors, value, "histogram") == whole
    assert inspected(tensors, value.permute(2, 0, 1), "histogram") == whole
