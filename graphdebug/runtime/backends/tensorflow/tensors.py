"""TensorFlow's and Keras's tensors: described without touching data, inspected on their own device.

A symbolic tensor has no data, and nothing here adds a node to the graph that is being built.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import tensorflow as tf
from tensorflow.python.eager import context, record
from tensorflow.python.framework.ops import EagerTensor

from graphdebug.protocol.model import Tensor
from graphdebug.runtime import inspection
from graphdebug.runtime.backends.tensorflow import reductions
from graphdebug.runtime.inspection import TEXT_LIMIT, VALUE_LIMIT, Index, plain
from graphdebug.runtime.tree import Child, Elements, Group, paged

_COMPOSITE = (tf.RaggedTensor, tf.SparseTensor, tf.IndexedSlices)
_DENSE = (tf.Tensor, tf.Variable)
_LOCAL = re.compile(r"^/job:localhost/replica:0/task:0(?=/)")
_NOISE = re.compile(r"\{\{[^}]*\}\}|\[Op:[^\]]*\]( name: .*)?")


def presents(kind: type) -> bool:
    """Whether values of this class are shown through this module."""
    return issubclass(kind, (*_DENSE, *_COMPOSITE, *_keras()))


def owns(value: object) -> bool:
    """Whether it is a tensor, or a variable."""
    return isinstance(value, (*_DENSE, *_COMPOSITE, *_keras()))


def describe(value: Any) -> Tensor:
    """Shape (-1 for what the graph leaves open), dtype and device, without touching the data."""
    shape = tuple([-1 if size is None else size for size in _shape(value)])
    dtype = tf.as_dtype(value.dtype).base_dtype
    elements = 0 if -1 in shape else _count(shape)
    return Tensor(shape, dtype.name, _device(value), elements * dtype.size)


def header(value: Any) -> str:
    """``float32 (2, 3) /device:CPU:0``; with the value where it is small and near."""
    about = describe(value)
    words = [about.dtype, str(_shape(value)), about.device, *_kind(value)]
    if symbolic(value):
        words += ["symbolic", _name(value)]
    elif _count(about.shape) <= VALUE_LIMIT and _cheap(value):
        words.append(_small(value))
    return " ".join(filter(None, words))


def text(value: Any) -> str | None:
    """What ``print`` shows, where that is short."""
    if symbolic(value):
        return repr(value)
    if any(_count(describe(each).shape) > TEXT_LIMIT for each in _dense(value)):
        return None
    with quiet():
        return repr(value)


def children(value: Any) -> list[Child]:
    """Attributes first; ``statistics`` and ``values`` do nothing until they are opened."""
    about = describe(value)
    found: list[Child] = [
        ("shape", _shape(value), ".shape"),
        ("dtype", about.dtype, ".dtype"),
        ("device", about.device, None if isinstance(value, _keras()) else ".device"),
        *_names(value),
        *_parts(value),
    ]
    if isinstance(value, _COMPOSITE) or symbolic(value) or -1 in about.shape:
        return found
    if about.dtype in ("resource", "variant"):
        return found
    elements = Elements(
        about,
        _cheap(value),
        lambda at: _read(value, at),
        lambda at: _summary(value, at),
    )
    return found + elements.children()


def inspect(value: Any, mode: str, index: str | None) -> dict[str, Any]:
    """The body of the answer to ``graphdebugTensor``."""
    inspection.check_mode(mode)
    at = inspection.parse_index(index)
    try:
        with quiet():
            part = _selected(value, at)
            about = describe(part)
            if mode == "values":
                inspection.check_size(reductions.count(part), len(about.shape))
                return inspection.answer(about, values=_listed(part))
            if mode == "histogram":
                return inspection.answer(about, histogram=reductions.histogram(part))
            return inspection.answer(about, summary=reductions.moments(part).summary())
    except ValueError:
        raise
    except Exception as error:
        raise ValueError(_reason(value, error)) from error


@contextmanager
def quiet() -> Iterator[None]:
    """Run operations at once, whatever graph is being built, and on nobody's gradient tape."""
    with context.eager_mode(), record.stop_recording():
        yield


def symbolic(value: Any) -> bool:
    """Whether it has no value until a graph runs."""
    return not all(isinstance(getattr(each, "handle", each), EagerTensor) for each in _dense(value))


def short_device(device: str | None) -> str:
    """``/device:CPU:0``, where that is on this machine."""
    return _LOCAL.sub("", device or "")


def _keras() -> tuple[type, ...]:
    """Keras's own classes, once the program has imported it and runs it on TensorFlow."""
    keras = sys.modules.get("keras")
    if keras is None:
        return ()
    try:
        if keras.config.backend() != "tensorflow":
            return ()
        return (keras.Variable, keras.KerasTensor)
    except AttributeError:  # Keras 2, whose variables are TensorFlow's, or a half-imported one
        return ()


def unwrapped(value: Any) -> Any:
    """A Keras variable's variable; anything else as it is."""
    return getattr(value, "_value", value) if isinstance(value, _keras()) else value


def _dense(value: Any) -> list[Any]:
    """The dense tensors that it is made of."""
    if isinstance(value, tf.RaggedTensor):
        return [value.flat_values]
    if isinstance(value, (tf.SparseTensor, tf.IndexedSlices)):
        return [value.values]
    return [unwrapped(value)]


def _shape(value: Any) -> tuple[int | None, ...]:
    shape = tf.TensorShape(value.shape)
    # An unknown rank has no form of its own.
    return (None,) if shape.rank is None else tuple(shape.as_list())


def _device(value: Any) -> str:
    return short_device(getattr(_dense(value)[0], "device", ""))


def _kind(value: Any) -> list[str]:
    if isinstance(value, tf.RaggedTensor):
        return ["ragged"]
    if isinstance(value, tf.SparseTensor):
        return ["sparse", f"nnz={value.values.shape[0]}"]
    if isinstance(value, tf.IndexedSlices):
        return ["slices"]
    return []


def _name(value: Any) -> str:
    return str(getattr(_dense(value)[0], "name", ""))


def _names(value: Any) -> list[Child]:
    if isinstance(value, tf.Variable) or hasattr(value, "trainable"):
        return [("name", value.name, ".name"), ("trainable", value.trainable, ".trainable")]
    if isinstance(value, _COMPOSITE) or not symbolic(value):
        return []
    found: list[Child] = [("name", value.name, ".name")]
    if isinstance(value, tf.Tensor):
        found.append(("op", value.op.type, ".op.type"))
        if len(value.op.inputs):
            found.append(("inputs", Group("", lambda: _inputs(value)), ".op.inputs"))
    return found


def _inputs(value: Any) -> list[Child]:
    return paged([(f"[{at}]", each, f"[{at}]") for at, each in enumerate(value.op.inputs)])


def _parts(value: Any) -> list[Child]:
    """The tensors that it is made of."""
    if isinstance(value, tf.RaggedTensor):
        names: tuple[str, ...] = ("flat_values", "row_splits")
    elif isinstance(value, tf.SparseTensor):
        names = ("indices", "values", "dense_shape")
    elif isinstance(value, tf.IndexedSlices):
        names = ("indices", "values")
    else:
        names = ()
    return [(name, getattr(value, name), f".{name}") for name in names]


def _cheap(value: Any) -> bool:
    """Whether reading a few elements waits for no device."""
    return (
        isinstance(unwrapped(value), _DENSE)
        and "/device:CPU:" in _device(value)
        and "/job:" not in _device(value)
        and value.dtype not in (tf.resource, tf.variant)
        and tf.config.experimental.get_synchronous_execution()
    )


def _small(value: Any) -> str:
    try:
        return str(_read(value, ()))
    except Exception:  # a variable may have no value yet
        return "without a value"


def _data(value: Any) -> Any:
    """What holds the elements, never watched by a tape."""
    if symbolic(value):
        raise ValueError(f"symbolic: {_name(value)} has no value until the graph runs")
    value = unwrapped(value)
    if isinstance(value, tf.Variable):
        return tf.raw_ops.ReadVariableOp(resource=value.handle, dtype=value.dtype)
    return value.values if isinstance(value, tf.IndexedSlices) else value


def _selected(value: Any, at: Index) -> Any:
    data = _data(value)
    if not at:
        return data
    if isinstance(data, tf.SparseTensor):
        inspection.check_size(reductions.count(data), data.shape.rank)
        data = reductions.densified(data)
    return data[at]


def _read(value: Any, at: Index) -> Any:
    with quiet():
        return _listed(_selected(value, at))


def _summary(value: Any, at: Index) -> Any:
    with quiet():
        return reductions.moments(_selected(value, at)).summary()


def _listed(data: Any) -> Any:
    """Its elements as nested lists of JSON values."""
    dtype = data.dtype.name
    if isinstance(data, tf.RaggedTensor):
        return plain(data.to_list(), dtype)
    if isinstance(data, tf.SparseTensor):
        data = reductions.densified(data)
    array = reductions.unquantized(data).numpy()
    return plain(array.tolist() if hasattr(array, "tolist") else array, dtype)


def _count(shape: tuple[int, ...]) -> int:
    count = 1
    for size in shape:
        count *= size
    return abs(count)


def _reason(value: Any, error: Exception) -> str:
    about = describe(value)
    said = _NOISE.sub("", str(error) or type(error).__name__).strip().splitlines()[0]
    name = f"a {type(value).__name__} {about.dtype} {about.shape} {about.device}"
    return f"TensorFlow can't show that of {name}: {said}"
