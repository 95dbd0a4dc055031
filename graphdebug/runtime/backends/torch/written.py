"""Whether a tensor was written in place: its own memory, not only memory that it shares an object with.

All views of a tensor count writes together; ``.data`` counts for itself. So what an operation wrote is
compared by address.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch

ELEMENTS_LIMIT = 1 << 20
"""Elements whose addresses are compared one by one; in larger views any overlap counts."""


UNCOUNTED = -2
"""The version before, of a tensor that was written though torch doesn't count it."""


class Memory(NamedTuple):
    """What tells that a tensor was written."""

    version: int
    address: int
    """Of its first element."""

    @classmethod
    def of(cls, tensor: Any) -> Memory:
        """As it is now."""
        return cls(version(tensor), _address(tensor))


def version(tensor: Any) -> int:
    """How often it was written; -1 where torch doesn't count."""
    try:
        with torch._C.DisableTorchFunction():
            return tensor._version  # type: ignore[no-any-return]
    except RuntimeError:
        return -1


def written(tensor: Any, before: Memory, now: Memory, given: Any) -> bool:
    """Whether it was written since ``before``.

    ``given``: the tensors of the operation that ran in between, and their versions before it; None
    where nobody knows what ran.
    """
    if now.address != before.address:
        return True
    uncounted = [item for item, known in given or () if known == UNCOUNTED]
    if any(
        item is tensor or (_shares(item, tensor) and _overlap(item, tensor)) for item in uncounted
    ):
        return True
    wrote = [item for item, known in given or () if version(item) != known]
    if not wrote:
        return now.version != before.version
    beside = [item for item in wrote if item is not tensor and _shares(item, tensor)]
    if any(item is tensor for item in wrote) or not beside:
        return now.version != before.version
    return any(_overlap(item, tensor) for item in beside)


def uncounted(optimizer: Any) -> list[tuple[Any, int]]:
    """What an optimizer's fused step has written, uncounted by torch, as an operation's ``given``."""
    skipped = vars(optimizer).get("found_inf")
    with torch.no_grad(), torch._C.DisableTorchFunction():
        if skipped is not None and bool(skipped):
            return []
        updated = [
            parameter
            for group in optimizer.param_groups
            if group.get("fused")
            for parameter in group["params"]
            if parameter.grad is not None
        ]
        return [
            (tensor, UNCOUNTED)
            for parameter in updated
            for tensor in (parameter, *optimizer.state.get(parameter, {}).values())
            if isinstance(tensor, torch.Tensor) and tensor.shape == parameter.shape
        ]


def _address(tensor: Any) -> int:
    try:
        with torch._C.DisableTorchFunction():
            return tensor.data_ptr()  # type: ignore[no-any-return]
    except RuntimeError:
        return 0


def _shares(one: Any, other: Any) -> bool:
    try:
        with torch._C.DisableTorchFunction():
            address = one.untyped_storage().data_ptr()
            return bool(address) and address == other.untyped_storage().data_ptr()
    except (RuntimeError, NotImplementedError):
        return False


def _overlap(one: Any, other: Any) -> bool:
    """Whether two tensors of one storage have an element in common."""
    with torch.no_grad(), torch._C.DisableTorchFunction():
        (begin, end), (other_begin, other_end) = _extent(one), _extent(other)
        if begin >= other_end or other_begin >= end:
            return False
        if one.dtype.itemsize != other.dtype.itemsize:
            return True
        if one.is_contiguous() and other.is_contiguous():
            return True
        if max(one.numel(), other.numel()) > ELEMENTS_LIMIT:
            return True
        return bool(torch.isin(_elements(one), _elements(other)).any())


def _extent(tensor: Any) -> tuple[int, int]:
    """The bytes of the storage from its first element up to its last."""
    if not tensor.numel():
        return 0, 0
    strides = zip(tensor.shape, tensor.stride(), strict=True)
    last = tensor.storage_offset() + sum((size - 1) * stride for size, stride in strides)
    size = tensor.dtype.itemsize
    return tensor.storage_offset() * size, (last + 1) * size


def _elements(tensor: Any) -> Any:
    """The places of its elements in the storage."""
    places = torch.tensor(tensor.storage_offset())
    for size, stride in zip(tensor.shape, tensor.stride(), strict=True):
        places = places[..., None] + torch.arange(size if stride else 1) * stride
    return places
