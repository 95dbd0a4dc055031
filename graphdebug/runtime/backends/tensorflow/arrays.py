"""Recorded values of nodes: NumPy arrays that are shown as tensors are, shape, dtype and device first."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphdebug.protocol.model import Tensor
from graphdebug.runtime.inspection import TEXT_LIMIT, VALUE_LIMIT, Index, plain
from graphdebug.runtime.tree import Child, Elements


class Recorded(np.ndarray):
    """What a node put out. An array like any other: what is computed from it changes nothing."""

    where: str
    """Where it was, as TensorFlow names it; empty for what was computed from a recorded value."""

    def __array_finalize__(self, made_from: Any) -> None:
        self.where = ""


def recorded(array: Any, device: str) -> Recorded:
    """An array as it was on a device."""
    value = np.asarray(array).view(Recorded)
    value.where = device
    value.flags.writeable = False
    return value


def presents(kind: type) -> bool:
    """Whether values of this class are shown through this module."""
    return issubclass(kind, Recorded)


def header(value: Recorded) -> str:
    """``float32 (2, 3) /device:CPU:0``, with the value where it is small."""
    words = [_dtype(value), str(value.shape), value.where]
    if value.size <= VALUE_LIMIT:
        words.append(str(_read(value, ())))
    return " ".join(filter(None, words))


def text(value: Recorded) -> str | None:
    """What ``print`` shows, where that is short."""
    return repr(np.asarray(value)) if value.size <= TEXT_LIMIT else None


def children(value: Recorded) -> list[Child]:
    """Attributes first; ``statistics`` and ``values`` do nothing until they are opened."""
    found: list[Child] = [
        ("shape", value.shape, ".shape"),
        ("dtype", _dtype(value), ".dtype.name"),
        ("device", value.where, ".where"),
    ]
    about = Tensor(value.shape, _dtype(value), value.where, value.nbytes)
    elements = Elements(about, True, lambda at: _read(value, at), lambda at: _summary(value, at))
    return found + elements.children()


def inspect(value: Recorded, mode: str, index: str | None) -> dict[str, Any]:
    """The body of the answer to ``graphdebugTensor``."""
    from graphdebug.runtime.backends.tensorflow import tensors

    return tensors.inspect(_tensor(value), mode, index)


def _dtype(value: Recorded) -> str:
    return "string" if value.dtype == object else str(value.dtype.name)


def _read(value: Recorded, at: Index) -> Any:
    return plain(np.asarray(value)[at].tolist(), _dtype(value))


def _summary(value: Recorded, at: Index) -> Any:
    from graphdebug.runtime.backends.tensorflow import reductions, tensors

    with tensors.quiet():
        return reductions.moments(_tensor(value[at])).summary()


def _tensor(value: Any) -> Any:
    import tensorflow as tf

    from graphdebug.runtime.backends.tensorflow import tensors

    with tensors.quiet():
        return tf.constant(np.asarray(value))
