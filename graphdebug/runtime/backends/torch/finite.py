"""Whether tensors hold NaN or Inf, asked so that nothing of the program's changes.

A sum is NaN or Inf where an element is, and costs a fraction of ``isfinite``; one that only overflowed
is told from these by the smallest and the largest element. No gradient is recorded, no version
counted, and no mode of the program's sees it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal, Protocol

import torch

_C = torch._C
_sum, _item = _C.TensorBase.sum, _C.TensorBase.item
_set_grad, _grad = _C._set_grad_enabled, torch.is_grad_enabled

_norms = getattr(torch, "_foreach_norm", None)
_MANY = 4
"""From how many tensors on one call for all costs less than one for each."""

_LARGE = 1e12

Kind = Literal["", "nan", "inf"]
"""What a tensor holds; empty where all of it is finite."""

_DTYPES = frozenset(
    {torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.complex64, torch.complex128}
)


def asked(tensor: Any) -> bool:
    """Whether it has numbers that can be asked about here and now, without waiting for a device."""
    return (
        tensor.dtype in _DTYPES
        and tensor.device.type == "cpu"
        and tensor.layout is torch.strided
        and not tensor.is_nested
    )


def idle() -> bool:
    """Whether operations called now run at once, on the tensors themselves."""
    return not _C._len_torch_dispatch_stack() and _C._functorch.peek_interpreter_stack() is None


def finite(tensor: Any) -> bool:
    """Whether the sum of a tensor that was asked for is finite, and so is all of it."""
    return all_finite((tensor,))


class Quickly(Protocol):
    """The native tier's part: each answers None where torch has to be asked."""

    def all_finite(self, tensors: Sequence[Any]) -> bool | None:
        """As below."""

    def all_zero(self, tensor: Any) -> bool | None:
        """As below, where the first number tells."""

    def number(self, tensor: Any) -> float | None:
        """As below."""


quickly: Quickly | None = None
"""While the native tier runs."""


def all_finite(tensors: Sequence[Any]) -> bool:
    """Whether all that can be asked about are finite."""
    if quickly is not None:
        answer = quickly.all_finite(tensors)
        if answer is not None:
            return answer
    with _C.DisableTorchFunction():
        grad = _grad()
        try:  # an interrupt may come as soon as it is off
            if grad:
                _set_grad(False)
            if len(tensors) >= _MANY and _norms_are_finite(tensors):
                return True
            for tensor in tensors:
                if asked(tensor):
                    half = tensor.dtype is torch.float16  # its sum overflows soon
                    total = _item(_sum(tensor, dtype=torch.float32) if half else _sum(tensor))
                    if total - total != 0:
                        return False
        except RuntimeError:  # it stands for many tensors, within vmap, or has no numbers now
            return True
        finally:
            if grad:
                _set_grad(True)
    return True


def _norms_are_finite(tensors: Sequence[Any]) -> bool:
    """Whether those of as many plain tensors are, asked in one call; False tells nothing."""
    if _norms is None or not all(
        tensor.dtype is torch.float32
        and tensor.is_cpu
        and tensor.layout is torch.strided
        and not tensor.is_nested
        for tensor in tensors
    ):
        return False
    total = sum(map(_item, _norms(tensors)))
    return bool(total - total == 0)


def extremes(tensor: Any) -> tuple[float, float]:
    """The smallest and the largest element, both NaN where one is; of a complex one, of its parts."""
    with _C.DisableTorchFunction():
        grad = _grad()
        try:
            _set_grad(False)
            numbers = tensor.detach()
            if numbers.is_complex():
                numbers = torch.view_as_real(numbers.resolve_conj())
            if not numbers.numel():
                return 0.0, 0.0
            low, high = torch.aminmax(numbers)
            return float(_item(low)), float(_item(high))
        finally:
            _set_grad(grad)


def kind(tensor: Any) -> Kind:
    """What a tensor holds."""
    with _C.DisableTorchFunction():
        if not asked(tensor) or finite(tensor):
            return ""
    low, high = extremes(tensor)
    if math.isnan(low):
        return "nan"
    return "" if math.isfinite(low) and math.isfinite(high) else "inf"


def said(tensor: Any) -> str:
    """A tensor in words, with what its numbers reach."""
    with _C.DisableTorchFunction():
        shape = tuple(tensor.shape)
        text = f"{str(tensor.dtype).removeprefix('torch.')} {shape}"
    if not asked(tensor):
        return text
    low, high = extremes(tensor)
    if not tensor.numel():
        return f"{text}, without elements"
    if math.isnan(low):
        return f"{text}, with NaN"
    reach = f"{low:.4g}" if low == high else f"{low:.4g} to {high:.4g}"
    return f"{text}, {reach}"


def exploded(tensor: Any) -> bool:
    """Whether its numbers are finite, and so large that training must have diverged."""
    if not asked(tensor) or not finite(tensor) or tensor.dtype is torch.float16:
        return False
    return max(map(abs, extremes(tensor))) > _LARGE


def is_zero(tensor: Any) -> bool:
    """Whether it is one number, and that is 0."""
    with _C.DisableTorchFunction():
        return bool(asked(tensor) and tensor.numel() == 1 and _item(tensor) == 0)


def number(tensor: Any) -> float | None:
    """What a tensor of one number holds; None where it is no such, or that would be waited for."""
    if not idle():
        return None
    if quickly is not None and (known := quickly.number(tensor)) is not None:
        return known
    with _C.DisableTorchFunction():
        try:
            if tensor.numel() != 1 or not asked(tensor) or tensor.is_complex():
                return None
            return float(_item(tensor))
        except RuntimeError:  # it has no numbers now
            return None


def all_zero(tensor: Any) -> bool:
    """Whether a tensor whose numbers can be asked about holds nothing but zeros."""
    if quickly is not None and (known := quickly.all_zero(tensor)) is not None:
        return known
    with _C.DisableTorchFunction():
        if not asked(tensor) or _item(_sum(tensor.detach())) != 0:
            return False
    low, high = extremes(tensor)
    return low == high == 0
