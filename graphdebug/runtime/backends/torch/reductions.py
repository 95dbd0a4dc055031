"""Statistics of torch tensors, on their own device, without ever needing another whole tensor.

Callers run these without autograd and modes; see ``tensors.quiet``.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import torch

from graphdebug.protocol.dap import TensorHistogram
from graphdebug.runtime.inspection import BINS, Moments, bin_edges, total

PIECE = 32_000
"""How many elements are reduced at once: never a second whole tensor.

On a CPU few enough that torch doesn't share the work out between its threads, whose waiting for each
other takes longer than the work where the processors are busy.
"""

_DEVICE_PIECES = 1 << 9  # elsewhere each piece costs a round trip, so that fewer are better

_EXACT = {torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64}


def count(tensor: Any) -> int:
    """How many elements it has, those that a sparse tensor leaves out too."""
    return int(tensor.numel())


def moments(tensor: Any) -> Moments:
    """Statistics of all elements; of complex ones, of their magnitudes."""
    stored, implicit = _stored(tensor)
    found = total(_measured(piece).repeated(times) for piece, times in _pieces(stored))
    return found + Moments.constant(0, implicit) if implicit else found


def histogram(tensor: Any) -> TensorHistogram:
    """How many of the finite elements are in each of the bins."""
    known = moments(tensor)
    edges = bin_edges(known)
    stored, implicit = _stored(tensor)
    counts = [0] * BINS
    for piece, times in _pieces(stored):
        for at, number in enumerate(_binned(_finite(_wide(piece)), edges)):
            counts[at] += number * times
    if implicit:
        zero = torch.zeros(1, dtype=torch.float64)
        counts[_binned(zero, edges).index(1)] += implicit
    return TensorHistogram(tuple(edges), tuple(counts))


def _stored(tensor: Any) -> tuple[Any, int]:
    """The tensors that hold its elements, and how many zeros stand nowhere."""
    if tensor.is_nested:
        return tensor.unbind(), 0
    if tensor.layout == torch.strided:
        return (tensor.dequantize() if tensor.is_quantized else tensor,), 0
    if tensor.layout == torch.sparse_coo:
        values = tensor.coalesce().values()
    elif tensor.layout == torch._mkldnn:
        return (tensor.to_dense(),), 0
    else:
        values = tensor.values()
    return (values,), tensor.numel() - values.numel()


def _pieces(tensors: Any) -> Iterator[tuple[Any, int]]:
    """Parts of few elements, and how often each counts.

    A dimension of stride 0 repeats the same elements, as ``expand`` makes it: one is enough.
    """
    for tensor in tensors:
        times = 1
        for dim, (size, stride) in enumerate(zip(tensor.shape, tensor.stride(), strict=True)):
            if stride == 0 and size > 1:
                times *= size
                tensor = tensor.narrow(dim, 0, 1)
        for piece in _split(tensor, PIECE * (1 if tensor.is_cpu else _DEVICE_PIECES)):
            yield piece, times


def _split(tensor: Any, limit: int) -> Iterator[Any]:
    if tensor.numel() <= limit:
        if tensor.numel():
            yield tensor
        return
    # Along the widest stride, so that a part's elements stand side by side in memory.
    dim = max(range(tensor.dim()), key=lambda dim: (tensor.size(dim) > 1, tensor.stride(dim)))
    length = max(1, tensor.size(dim) * limit // tensor.numel())
    for part in tensor.split(length, dim):
        yield from _split(part, limit)


def _measured(piece: Any) -> Moments:
    numbers = _wide(piece)
    elements = numbers.numel()
    zeros = elements - int(numbers.count_nonzero())
    finite = _finite(numbers)
    if finite.numel() == elements:
        nan = inf = 0
    else:
        nan = int(numbers.isnan().sum())
        inf = elements - finite.numel() - nan
    if not finite.numel():
        return Moments(elements, nan=nan, inf=inf, zeros=zeros)
    # Wide integers have more digits than floats.
    low, high = (piece if piece.dtype in _EXACT else finite).aminmax()
    mean = finite.mean()
    whole = not (piece.is_floating_point() or piece.is_complex())
    lowest, highest = low.item(), high.item()
    return Moments(
        elements,
        finite.numel(),
        int(lowest) if whole else lowest,
        int(highest) if whole else highest,
        mean.item(),
        (finite - mean).square_().sum().item(),
        nan,
        inf,
        zeros,
    )


def _wide(piece: Any) -> Any:
    """Its elements as the widest real floats that the device has."""
    double = piece.device.type != "mps"
    if piece.is_complex():
        return (piece.to(torch.complex128) if double else piece).abs()
    return piece.to(torch.float64 if double else torch.float32)


def _finite(numbers: Any) -> Any:
    if math.isfinite(numbers.sum().item()):  # much faster than asking each
        return numbers
    return numbers[numbers.isfinite()]


def _binned(numbers: Any, edges: list[float]) -> list[int]:
    # Halves, since the difference of two floats may be infinite. Not torch.bucketize or histc, which
    # share even the smallest work out between threads.
    low, width = edges[0] / 2, edges[-1] / 2 - edges[0] / 2
    at = (numbers.flatten() / 2 - low).mul_(BINS).div_(width).long()
    found: list[int] = at.clamp_(0, BINS - 1).bincount(minlength=BINS).tolist()
    return found
