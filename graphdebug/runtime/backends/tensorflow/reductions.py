"""Statistics of TensorFlow's tensors, on their own device, a piece at a time.

Callers run these eagerly and on no tape; see ``tensors.quiet``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import tensorflow as tf

from graphdebug.protocol.dap import TensorHistogram
from graphdebug.runtime.inspection import BINS, Moments, bin_edges, total

PIECE = 1 << 22
"""How many elements are reduced at once, so that no second whole tensor is needed."""

_PLAIN = {tf.qint8: tf.int8, tf.quint8: tf.uint8, tf.qint16: tf.int16, tf.quint16: tf.uint16}
_PLAIN[tf.qint32] = tf.int32


def count(tensor: Any) -> int:
    """How many elements it has, those that a sparse tensor leaves out too."""
    if isinstance(tensor, tf.RaggedTensor):
        tensor = tensor.flat_values
    elements = tensor.shape.num_elements()
    return _number(tf.size(tensor)) if elements is None else int(elements)


def moments(tensor: Any) -> Moments:
    """Statistics of all elements; of complex ones their magnitudes, of strings only the number."""
    stored, implicit = _stored(tensor)
    if stored.dtype == tf.string:
        return Moments(count(stored))
    found = total(_measured(piece) for piece in _pieces(stored))
    return found + Moments.constant(0, implicit) if implicit else found


def histogram(tensor: Any) -> TensorHistogram:
    """How many of the finite elements are in each of the bins."""
    stored, implicit = _stored(tensor)
    if stored.dtype == tf.string:
        raise ValueError("strings have no histogram")
    edges = bin_edges(moments(tensor))
    counts = [0] * BINS
    for piece in _pieces(stored):
        for at, number in enumerate(_binned(_finite(_wide(piece)), edges)):
            counts[at] += number
    if implicit:
        counts[_binned(tf.zeros([1], tf.float64), edges).index(1)] += implicit
    return TensorHistogram(tuple(edges), tuple(counts))


def densified(tensor: Any) -> Any:
    """A sparse tensor with its zeros."""
    return tf.sparse.to_dense(tf.sparse.reorder(tensor))


def unquantized(tensor: Any) -> Any:
    """A tensor of a quantized type as the integers that it holds."""
    plain = _PLAIN.get(tensor.dtype)
    return tensor if plain is None else tf.bitcast(tensor, plain)


def _stored(tensor: Any) -> tuple[Any, int]:
    """The tensor that holds its elements, and how many zeros stand nowhere."""
    if isinstance(tensor, tf.RaggedTensor):
        return tensor.flat_values, 0
    if isinstance(tensor, tf.SparseTensor):
        return tensor.values, count(tensor) - count(tensor.values)
    return tensor, 0


def _pieces(tensor: Any) -> Iterator[Any]:
    elements = count(tensor)
    flat = tf.reshape(unquantized(tensor), [-1])
    for start in range(0, elements, PIECE):
        yield flat[start : start + PIECE] if elements > PIECE else flat


def _measured(piece: Any) -> Moments:
    numbers = _wide(piece)
    elements = count(numbers)
    zeros = elements - _number(tf.math.count_nonzero(numbers))
    finite = _finite(numbers)
    known = count(finite)
    nan = 0 if known == elements else _number(tf.math.count_nonzero(tf.math.is_nan(numbers)))
    inf = elements - known - nan
    if not known:
        return Moments(elements, nan=nan, inf=inf, zeros=zeros)
    # Wide integers have more digits than floats.
    exact = piece if piece.dtype.is_integer else finite
    low, high = _number(tf.reduce_min(exact)), _number(tf.reduce_max(exact))
    if not (piece.dtype.is_floating or piece.dtype.is_complex):
        low, high = int(low), int(high)
    mean, variance = _number(tf.reduce_mean(finite)), _number(tf.math.reduce_variance(finite))
    return Moments(elements, known, low, high, mean, variance * known, nan, inf, zeros)


def _wide(piece: Any) -> Any:
    """Its elements as the widest real floats."""
    if piece.dtype.is_complex:
        return tf.abs(tf.cast(piece, tf.complex128))
    return tf.cast(piece, tf.float64)


def _finite(numbers: Any) -> Any:
    known = tf.math.is_finite(numbers)
    return numbers if _number(tf.reduce_all(known)) else tf.boolean_mask(numbers, known)


def _binned(numbers: Any, edges: list[float]) -> list[int]:
    at = tf.searchsorted(tf.constant(edges, tf.float64), numbers, side="right") - 1
    at = tf.clip_by_value(at, 0, BINS - 1)
    found: list[int] = tf.math.bincount(at, minlength=BINS, dtype=tf.int64).numpy().tolist()
    return found


def _number(scalar: Any) -> Any:
    # Not int() or float(): inside a function that AutoGraph converts these make tensors.
    return scalar.numpy().item()
