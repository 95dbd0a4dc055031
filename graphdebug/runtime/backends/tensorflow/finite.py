"""Whether tensors hold NaN or Inf, asked without an operation of TensorFlow's: on the CPU, where NumPy sees
the same memory. Nothing is copied, recorded by a tape or drawn. Tensors elsewhere aren't waited for.
"""

from __future__ import annotations

import math
from typing import Any, Literal

import numpy as np

_LARGE = 1e12

Kind = Literal["", "nan", "inf"]
"""What a tensor holds; empty where all of it is finite."""


def array_of(value: Any) -> Any:
    """The numbers of a tensor, or of an array, where they are floats and near; else None.

    The array shares the tensor's memory: drop it at once.
    """
    if isinstance(value, np.ndarray):
        found = value
    elif isinstance(value, (float, np.floating)):
        found = np.asarray(value)
    else:
        values: Any = (
            value if is_tensor(value) or not hasattr(value, "dense_shape") else value.values
        )
        if not is_tensor(values) or not _is_near(values):
            return None
        found = values._numpy_internal()
        if not isinstance(found, np.ndarray):
            found = np.asarray(found)
    return found if found.dtype.kind in "fV" else None


def is_tensor(value: Any) -> bool:
    """Whether it is an eager tensor; asks its type, not what may be the user's."""
    return hasattr(type(value), "_numpy_internal")


_FLOATS: dict[int, bool] = {}
"""By the number of a tensor's type, whether that is one of floats."""


def _is_near(tensor: Any) -> bool:
    """Whether an eager tensor holds floats, on the CPU."""
    number = tensor._datatype_enum()
    floats = _FLOATS.get(number)
    if floats is None:
        floats = _FLOATS[number] = bool(tensor.dtype.is_floating)
    return floats and "CPU" in tensor.backing_device


def finite(value: Any) -> bool:
    """Whether all of it is, as far as it can be asked."""
    if is_tensor(value):  # most are: to look at one number costs what comes before it
        if not _is_near(value):
            return True
        found = value._numpy_internal()
        return _finite(found) if isinstance(found, np.ndarray) else math.isfinite(found)
    found = array_of(value)
    return found is None or _finite(found)


def _finite(found: Any) -> bool:
    if not found.ndim:
        return math.isfinite(found)
    if found.dtype.itemsize < 4:  # sums of halves overflow soon, and NumPy may not know the type
        return bool(np.isfinite(found).all())
    with np.errstate(all="ignore"):
        total = float(np.add.reduce(found, axis=None))
    return math.isfinite(total) or bool(np.isfinite(found).all())


def kind(value: Any) -> Kind:
    """What it holds."""
    found = array_of(value)
    if found is None or _finite(found):
        return ""
    return "nan" if np.isnan(found).any() else "inf"


def scalar(value: Any) -> Kind:
    """What a single number of NumPy's or Python's holds; empty for anything else."""
    if isinstance(value, (float, np.floating)):
        return "" if math.isfinite(value) else "nan" if math.isnan(value) else "inf"
    return kind(value) if isinstance(value, np.ndarray) and not value.ndim else ""


def said(value: Any) -> str:
    """In words, with what its numbers reach."""
    found = array_of(value)
    if found is None:
        return (
            f"{value.dtype.name} {tuple(value.shape)}" if hasattr(value, "dtype") else repr(value)
        )
    text = f"{found.dtype.name} {found.shape}"
    if not found.size:
        return f"{text}, without elements"
    with np.errstate(all="ignore"):
        low, high = float(found.min()), float(found.max())
    if math.isnan(low):
        return f"{text}, with NaN"
    return f"{text}, " + (f"{low:.4g}" if low == high else f"{low:.4g} to {high:.4g}")


def exploded(value: Any) -> bool:
    """Whether its numbers are finite, and so large that training must have diverged."""
    found = array_of(value)
    if found is None or not found.size or found.dtype.itemsize < 4 or not _finite(found):
        return False
    return bool(np.abs(found).max() > _LARGE)


def size(value: Any) -> int:
    """The bytes of a tensor; 0 where nobody knows."""
    shape = getattr(value, "_shape_tuple", None)
    return math.prod(shape()) * (value.dtype.size or 0) if shape is not None else 0
