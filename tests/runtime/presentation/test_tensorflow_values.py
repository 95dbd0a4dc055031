"""TensorFlow's and Keras's tensors against numpy, and that looking at them changes nothing."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

from graphdebug.protocol.dap import GraphdebugTensorResponse
from graphdebug.protocol.model import Tensor
from graphdebug.protocol.wire import from_wire
from graphdebug.runtime.tree import Group

pytestmark = pytest.mark.frameworks


@pytest.fixture(scope="module")
def tf() -> Any:
    return pytest.importorskip("tensorflow")


@pytest.fixture(scope="module")
def keras(tf: Any) -> Any:
    return pytest.importorskip("keras")


@pytest.fixture(scope="module")
def np() -> Any:
    return pytest.importorskip("numpy")


@pytest.fixture(scope="module")
def tensors(tf: Any) -> ModuleType:
    from graphdebug.runtime.backends.tensorflow import tensors

    return tensors


def inspected(tensors: Any, value: Any, mode: str, index: str | None = None) -> Any:
    return getattr(from_wire(GraphdebugTensorResponse, tensors.inspect(value, mode, index)), mode)


HEADERS: list[tuple[str, Callable[[Any], Any], str]] = [
    (
        "small",
        lambda tf: tf.constant([[1.0, 0.1, 3.0], [4.0, 5.0, 6.0]]),
        "float32 (2, 3) /device:CPU:0 [[1.0, 0.1, 3.0], [4.0, 5.0, 6.0]]",
    ),
    ("scalar", lambda tf: tf.constant(3), "int32 () /device:CPU:0 3"),
    (
        "strings",
        lambda tf: tf.constant(["a", b"\xff"]),
        "string (2,) /device:CPU:0 ['a', '\\\\xff']",
    ),
    ("seventeen", lambda tf: tf.zeros([17]), "float32 (17,) /device:CPU:0"),
    ("bfloat16", lambda tf: tf.cast([0.1], tf.bfloat16), "bfloat16 (1,) /device:CPU:0 [0.1]"),
    ("half", lambda tf: tf.constant([0.1], tf.half), "float16 (1,) /device:CPU:0 [0.1]"),
    ("complex", lambda tf: tf.constant([1 + 2j]), "complex128 (1,) /device:CPU:0 ['(1+2j)']"),
    ("variable", lambda tf: tf.Variable([0.5]), "float32 (1,) /device:CPU:0 [0.5]"),
    (
        "ragged",
        lambda tf: tf.ragged.constant([[1, 2], [3]]),
        "int32 (2, None) /device:CPU:0 ragged",
    ),
    (
        "sparse",
        lambda tf: tf.sparse.SparseTensor([[0, 1]], [1.0], [2, 3]),
        "float32 (2, 3) /device:CPU:0 sparse nnz=1",
    ),
    (
        "slices",
        lambda tf: tf.IndexedSlices(tf.zeros([1, 2]), tf.constant([2])),
        "float32 (None,) /device:CPU:0 slices",
    ),
    ("resource", lambda tf: tf.Variable([1.0]).handle, "resource () /device:CPU:0"),
]


@pytest.mark.parametrize(
    ("make", "line"), [case[1:] for case in HEADERS], ids=[c[0] for c in HEADERS]
)
def test_its_line(tf: Any, tensors: Any, make: Callable[[Any], Any], line: str) -> None:
    value = make(tf)
    assert tensors.owns(value) and tensors.presents(type(value))
    assert tensors.header(value) == line
    assert opened(tensors.children(value))


def test_what_is_not_a_tensor_is_not_owned(tf: Any, tensors: Any) -> None:
    assert not any(map(tensors.owns, ([tf.zeros(1)], 1, tf.float32, tf.TensorShape([1]))))


def test_keras(tf: Any, keras: Any, tensors: Any) -> None:
    variable = keras.Variable([[0.1]])
    assert tensors.describe(variable) == Tensor((1, 1), "float32", "/device:CPU:0", 4)
    assert tensors.header(variable) == "float32 (1, 1) /device:CPU:0 [[0.1]]"
    assert opened(tensors.children(variable))
    assert inspected(tensors, variable, "values") == [[0.1]]
    symbolic = keras.Input((3,), name="features")
    assert tensors.describe(symbolic) == Tensor((-1, 3), "float32", "", 0)
    assert tensors.header(symbolic) == "float32 (None, 3) symbolic features"
    assert opened(tensors.children(symbolic))
    with pytest.raises(ValueError, match="symbolic: features has no value until the graph runs"):
        tensors.inspect(symbolic, "summary", None)


@pytest.mark.parametrize("function", [True, False], ids=["function", "graph"])
def test_nothing_is_added_to_a_graph(tf: Any, tensors: Any, function: bool) -> None:
    eager, variable = tf.constant([1.0, 2.0]), tf.Variable([3.0, 4.0])

    @tf.autograph.experimental.do_not_convert
    def look(value: Any) -> Any:
        total = tf.add(value, 1, name="total")
        shaped = tf.reshape(total, [-1], name="shaped")
        graph = tf.compat.v1.get_default_graph()
        before = len(graph.get_operations())
        assert tensors.header(total) == "int32 () symbolic total:0"
        assert tensors.describe(shaped).shape == (1,)
        children = {name: child for name, child, _ in tensors.children(total)}
        assert children["op"] == "AddV2" and len(children["inputs"].open()) == 2
        for mode in ("summary", "values", "histogram"):
            with pytest.raises(ValueError, match="symbolic: total:0 has no value until"):
                tensors.inspect(total, mode, None)
        for known in (eager, variable):
            assert tensors.header(known).startswith("float32 (2,) /device:CPU:0 [")
            assert opened(tensors.children(known))
            assert tensors.text(known)
            for mode in ("summary", "values", "histogram"):
                assert tensors.inspect(known, mode, ":1")
        assert tensors.text(total) == repr(total)
        assert len(graph.get_operations()) == before
        return total

    if function:
        assert tf.function(look)(tf.constant(1)) == 2
    else:
        with tf.Graph().as_default():
            look(tf.constant(1))


def test_open_shapes(tf: Any, tensors: Any) -> None:
    with tf.Graph().as_default():
        rows = tf.compat.v1.placeholder(tf.float32, [None, 3], "rows")
        unknown = tf.compat.v1.placeholder(tf.float32, None, "unknown")
        weights = tf.compat.v1.get_variable("weights", [2])
        assert tensors.describe(rows) == Tensor((-1, 3), "float32", "", 0)
        assert tensors.header(rows) == "float32 (None, 3) symbolic rows:0"
        assert tensors.header(unknown) == "float32 (None,) symbolic unknown:0"
        assert tensors.header(weights) == "float32 (2,) symbolic weights:0"
        with tf.device("/device:GPU:0"):
            placed = tf.constant(1, name="placed")
        assert tensors.header(placed) == "int32 () /device:GPU:0 symbolic placed:0"


def test_nothing_is_watched_and_no_stream_moves(tf: Any, tensors: Any) -> None:
    tf.random.set_seed(1)
    tf.random.normal([])
    expected = float(tf.random.normal([]))
    tf.random.set_seed(1)
    tf.random.normal([])
    variable, constant = tf.Variable([2.0]), tf.constant([3.0])
    with tf.GradientTape() as tape:
        tape.watch(constant)
        for value in (variable, constant):
            tensors.header(value)
            opened(tensors.children(value))
            for mode in ("summary", "values", "histogram"):
                tensors.inspect(value, mode, "0")
        assert tape.watched_variables() == ()
        result = constant * variable
    assert float(tape.gradient(result, constant)[0]) == 2.0
    assert float(tf.random.normal([])) == expected
    assert tf.executing_eagerly()


# Numbers, against numpy

DTYPES = ["float32", "float64", "float16", "int8", "uint8", "int64", "uint16", "bool", "complex64"]
CASES = list(itertools.product(DTYPES, [(), (7,), (3, 0), (20, 30), (2, 3, 4, 5)]))


def data(np: Any, dtype: str, shape: tuple[int, ...], seed: int) -> Any:
    random = np.random.default_rng(seed)
    if dtype == "bool":
        return random.integers(0, 2, shape).astype(bool)
    if dtype in ("int8", "uint8", "int64", "uint16"):
        limits = np.iinfo(dtype)
        return np.asarray(random.integers(limits.min, limits.max, shape, dtype, endpoint=True))
    found = random.normal(size=shape) * 10
    found = np.asarray((found + (1j if dtype == "complex64" else 0)).astype(dtype))
    if found.size > 20:
        flat = found.reshape(-1)
        flat[[1, 5]], flat[7], flat[8], flat[9:12] = np.nan, np.inf, -np.inf, 0
    return found


@pytest.mark.parametrize(("dtype", "shape"), CASES, ids=str)
def test_numbers_are_those_of_numpy(
    tf: Any, np: Any, tensors: Any, dtype: str, shape: tuple[int, ...]
) -> None:
    array = data(np, dtype, shape, len(shape))
    value = tf.constant(array)
    wide = np.abs(array.astype(complex)) if dtype == "complex64" else array.astype(float)
    check_summary(np, inspected(tensors, value, "summary"), wide, array)
    histogram = inspected(tensors, value, "histogram")
    finite = wide[np.isfinite(wide)]
    assert sum(histogram.counts) == finite.size
    if dtype != "complex64":
        assert histogram.counts == tuple(np.histogram(finite, np.array(histogram.edges))[0])
        values = inspected(tensors, value, "values")
        back = np.array(values, dtype=float if array.dtype.kind == "f" else array.dtype)
        back = back.astype(array.dtype).reshape(array.shape)
        assert np.array_equal(back, array, equal_nan=array.dtype.kind == "f")


def check_summary(np: Any, found: Any, wide: Any, array: Any) -> None:
    finite = wide[np.isfinite(wide)]
    assert (found.elements, found.zeros) == (wide.size, (wide == 0).sum())
    assert (found.nan, found.inf) == (np.isnan(wide).sum(), np.isinf(wide).sum())
    if not finite.size:
        assert found.minimum is found.maximum is found.mean is found.std is None
        return
    assert found.minimum == pytest.approx(finite.min(), rel=1e-6)
    assert found.maximum == pytest.approx(finite.max(), rel=1e-6)
    assert found.mean == pytest.approx(finite.mean(), rel=1e-6, abs=1e-9)
    assert found.std == pytest.approx(finite.std(), rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("index", ["0", "-1", ":, 2:4", "..., 0", "1, None, ::3", "None", "0:0"])
def test_a_slice_is_numpys(tf: Any, np: Any, tensors: Any, index: str) -> None:
    array = np.random.default_rng(1).normal(size=(6, 7, 8)).astype("float32")
    part = eval(f"array[{index}]", {"array": array})
    for value in (tf.constant(array), tf.Variable(array)):
        body = from_wire(GraphdebugTensorResponse, tensors.inspect(value, "values", index))
        assert body.tensor.shape == part.shape
        assert np.array_equal(np.array(body.values, "float32").reshape(part.shape), part)
        check_summary(np, inspected(tensors, value, "summary", index), part.astype(float), part)


@pytest.mark.parametrize(
    ("index", "why"),
    [
        ("9", "out of bounds"),
        ("0,0,0", "only 2 dims"),
        ("x", "not an index"),
        ("::0", "non-zero|zero"),
    ],
)
def test_a_bad_index_is_a_sentence(tf: Any, tensors: Any, index: str, why: str) -> None:
    with pytest.raises(ValueError, match=why) as caught:
        tensors.inspect(tf.zeros([2, 3]), "values", index)
    assert "{{" not in str(caught.value) and "[Op:" not in str(caught.value)


def test_pieces_are_those_of_the_whole(
    tf: Any, np: Any, tensors: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from graphdebug.runtime.backends.tensorflow import reductions

    array = data(np, "float32", (40, 30, 20), 9)
    value = tf.constant(array)
    whole = inspected(tensors, value, "histogram")
    monkeypatch.setattr(reductions, "PIECE", 77 * 77)
    check_summary(np, inspected(tensors, value, "summary"), array.astype(float), array)
    assert inspected(tensors, value, "histogram") == whole


def test_composites(tf: Any, np: Any, tensors: Any) -> None:
    ragged = tf.ragged.constant([[1.0, 2.0], [], [3.0]])
    assert inspected(tensors, ragged, "values") == [[1.0, 2.0], [], [3.0]]
    assert inspected(tensors, ragged, "values", "2") == [3.0]
    assert inspected(tensors, ragged, "summary").mean == 2.0
    dense = np.array([[0.0, 1.0, 0.0], [2.0, 0.0, 0.0]])
    sparse = tf.sparse.SparseTensor([[1, 0], [0, 1]], [2.0, 1.0], [2, 3])
    assert inspected(tensors, sparse, "values") == dense.tolist()
    assert inspected(tensors, sparse, "values", "1, :2") == [2.0, 0.0]
    check_summary(np, inspected(tensors, sparse, "summary"), dense, dense)
    assert sum(inspected(tensors, sparse, "histogram").counts) == 6
    slices = tf.IndexedSlices(tf.ones([2, 3]), tf.constant([0, 5]))
    assert inspected(tensors, slices, "summary").elements == 6


def test_strings(tf: Any, tensors: Any) -> None:
    words = tf.constant(["a", "ü"])
    assert inspected(tensors, words, "values") == ["a", "ü"]
    assert inspected(tensors, words, "summary").elements == 2
    with pytest.raises(ValueError, match="strings have no histogram"):
        tensors.inspect(words, "histogram", None)


def test_too_many_values_are_refused(tf: Any, tensors: Any) -> None:
    with pytest.raises(ValueError, match="ask for a slice"):
        tensors.inspect(tf.zeros([10_001]), "values", None)
    assert tensors.text(tf.zeros([1001])) is None
    assert tensors.text(tf.zeros([3])) == repr(tf.zeros([3]))


def test_an_uninitialized_variable(tf: Any, tensors: Any) -> None:
    with tf.Graph().as_default(), tf.compat.v1.Session():
        variable = tf.compat.v1.get_variable("v", [2])
        assert tensors.header(variable) == "float32 (2,) symbolic v:0"


def test_expressions_evaluate_to_what_is_shown(tf: Any, tensors: Any) -> None:
    x = tf.reshape(tf.range(3 * 250.0), [3, 250])
    for value, suffix in flattened(tensors.children(x), "x"):
        found = eval(suffix, {"x": x})
        if isinstance(value, float):
            assert float(found) == value
        elif isinstance(value, Group) and type(value).__name__ == "Tensor":
            assert value.text.startswith(f"float32 {tuple(found.shape)} /device")


def opened(children: Any) -> list[Any]:
    """All that opens below, groups only."""
    found = []
    for _, value, _ in children:
        found.append(value)
        if isinstance(value, Group):
            found += opened(value.open())
    return found


def flattened(children: Any, name: str) -> list[tuple[Any, str]]:
    """Value and expression of all below that has one."""
    found = []
    for _, value, suffix in children:
        if suffix is not None:
            found.append((value, name + suffix))
            if isinstance(value, Group):
                found += flattened(value.open(), name + suffix)
    return found
