"""The values of small tensors, for ``capture: "values"``."""

from __future__ import annotations

import math
from typing import Any

import torch

from graphdebug.protocol.model import VALUE_LIMIT
from graphdebug.runtime.backends.torch.records import tensors


def read(value: Any) -> tuple[Any, ...]:
    """The value of each tensor in an argument or a result; None where it isn't small and near."""
    return tuple(_value(tensor) for tensor in tensors(value))


def _value(tensor: Any) -> Any:
    if type(tensor) is not torch.Tensor and type(tensor) is not torch.nn.Parameter:
        return None
    try:
        if (
            tensor.device.type != "cpu"
            or tensor.layout != torch.strided
            or tensor.is_nested
            or tensor.is_quantized
            or tensor.numel() > VALUE_LIMIT
            or tensor.is_complex()
            or torch._C._functorch.is_functorch_wrapped_tensor(tensor)
            or torch._C._len_torch_dispatch_stack()
            or torch._C._get_tracing_state() is not None
        ):
            return None
        with torch._C.DisableTorchFunction():
            return _plain(tensor.tolist())
    except Exception:  # no data, or none that can be read now
        return None


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return "nan" if math.isnan(value) else "inf" if value > 0 else "-inf"
    return value
