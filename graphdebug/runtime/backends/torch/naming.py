"""What operations are called."""

from __future__ import annotations

import functools
from types import (
    BuiltinFunctionType,
    FunctionType,
    GetSetDescriptorType,
    MethodDescriptorType,
    WrapperDescriptorType,
)
from typing import Any

import torch

_SPELLED = {
    "cross_entropy": "cross_entropy_loss",
    "T": "numpy_T",
    "H": "matrix_H",
    "truediv": "div",
    "rtruediv": "div",
    "floordiv": "floor_divide",
    "rfloordiv": "floor_divide",
    "itruediv": "div_",
    "rsub": "rsub",
    "radd": "add",
    "rmul": "mul",
    "rpow": "pow",
    "rmatmul": "matmul",
    "mod": "remainder",
    "imod": "remainder_",
    "invert": "bitwise_not",
    "and": "bitwise_and",
    "or": "bitwise_or",
    "xor": "bitwise_xor",
    "lshift": "bitwise_left_shift",
    "rshift": "bitwise_right_shift",
}
_IN_PLACE = ("iadd", "isub", "imul", "idiv", "ipow", "iand", "ior", "ixor", "ilshift", "irshift")


def name(func: Any) -> str:
    """The function's or the property's own name."""
    return str(getattr(func, "__name__", None) or type(func).__name__)


@functools.lru_cache(maxsize=4096)
def op_type(called: str) -> str:
    """``aten::relu`` where ATen has such an operation, else ``torch::...``."""
    plain = called
    if called.startswith("__") and called.endswith("__"):
        plain = called.strip("_")
        if plain in _IN_PLACE:
            plain = _SPELLED.get(plain[1:], plain[1:]) + "_"
        elif plain in ("getitem", "setitem"):
            return f"torch::{plain}"
    plain = _SPELLED.get(plain, plain)
    known = bool(torch._C._jit_get_schemas_for_operator(f"aten::{plain}"))
    return f"{'aten' if known else 'torch'}::{plain}"


_LASTING = (BuiltinFunctionType, GetSetDescriptorType, MethodDescriptorType, WrapperDescriptorType)


def outlives(func: Any) -> bool:
    """Whether a function may be remembered: one that closes over something might hold a tensor."""
    if isinstance(func, FunctionType):
        return func.__closure__ is None
    return isinstance(func, _LASTING)
