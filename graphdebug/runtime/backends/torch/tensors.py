"""PyTorch's tensors: described without touching their data, inspected on their own device."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from typing import Any, TypeVar

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import _disable_current_modes, _len_torch_dispatch_stack

from graphdebug.protocol.model import Tensor
from graphdebug.runtime import inspection
from graphdebug.runtime.backends.torch import reductions
from graphdebug.runtime.inspection import TEXT_LIMIT, VALUE_LIMIT, Index, plain
from graphdebug.runtime.tree import Child, Elements, Group, paged

F = TypeVar("F", bound=Callable[..., Any])

_PLAIN_DISPATCH = torch.Tensor.__torch_dispatch__


def presents(kind: type) -> bool:
    """Whether values of this class are shown through this module."""
    return issubclass(kind, torch.Tensor)


def owns(value: object) -> bool:
    """Whether it is a tensor."""
    return isinstance(value, torch.Tensor)


def describe(value: Any) -> Tensor:
    """Shape, dtype and device, without touching the data."""
    # Subclasses and modes may override even ``shape``; the base class's answer is the same.
    with torch._C.DisableTorchFunction():
        shape = _shape(value)
        dtype = value.dtype
        return Tensor(
            shape,
            str(dtype)[6:],  # without "torch."
            str(value.device),
            _elements(value, shape) * dtype.itemsize,
            value.requires_grad,
        )


def _unasked(function: F) -> F:
    """The function, run so that it never asks what a subclass or a mode overrides."""

    @functools.wraps(function)
    def call(*args: Any) -> Any:
        with torch._C.DisableTorchFunction():
            return function(*args)

    return call  # type: ignore[return-value]


@_unasked
def header(value: Any) -> str:
    """``float32 (64, 10) cpu grad_fn=AddmmBackward0``; with the value where it is small and near."""
    about = describe(value)
    words = [about.dtype, str(about.shape), about.device, *_kind(value)]
    if _cheap(value) and _count(about.shape) <= VALUE_LIMIT:
        words.append(str(_read(value, ())))
    if about.requires_grad:
        node = None if _stale(value) else value.grad_fn
        words.append("requires_grad" if node is None else f"grad_fn={node_name(node)}")
    return " ".join(words)


@_unasked
def text(value: Any) -> str | None:
    """What ``print`` shows, where that is short."""
    if _count(describe(value).shape) > TEXT_LIMIT or no_data(value) or _dispatches(value):
        return None
    with quiet():
        return str(torch.Tensor.__repr__(value.detach() if _stale(value) else value))


@_unasked
def children(value: Any) -> list[Child]:
    """Attributes first; ``statistics`` and ``values`` do nothing until they are opened."""
    about = describe(value)
    found: list[Child] = [
        ("shape", about.shape, ".shape"),
        ("dtype", about.dtype, ".dtype"),
        ("device", about.device, ".device"),
        *_autograd(value),
        *_parts(value),
    ]
    if no_data(value) or _dispatches(value) or value.is_nested or value.layout != torch.strided:
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
            about = replace(describe(part), requires_grad=describe(value).requires_grad)
            if mode == "values":
                inspection.check_size(reductions.count(part), part.dim())
                return inspection.answer(about, values=_listed(part))
            if mode == "histogram":
                return inspection.answer(about, histogram=reductions.histogram(part))
            return inspection.answer(about, summary=reductions.moments(part).summary())
    except ValueError:
        raise
    except Exception as error:
        first = (str(error) or type(error).__name__).splitlines()[0]
        raise ValueError(f"torch can't show that of {_named(value)}: {first}") from error


@contextmanager
def quiet() -> Iterator[None]:
    """Run torch as torch does to print a tensor: nothing recorded, nobody's mode or override asked."""
    # Turning no modes off would import much of torch.
    modes = _disable_current_modes() if _len_torch_dispatch_stack() else nullcontext()
    with torch.no_grad(), modes, torch._C.DisableTorchFunction():
        transforms = torch._C._DisableFuncTorch()
        try:
            yield
        finally:
            del transforms


class Headers(TorchFunctionMode):  # type: ignore[misc]
    """While it is entered, this thread's ``repr`` of a tensor is its header.

    So a list, a dataclass or any object of the user's that holds tensors is shown without reading
    them.
    """

    def __torch_function__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        """Answer what prints; let the rest through."""
        if function is torch.Tensor.__repr__:
            return header(args[0])
        if function is torch.Tensor.__format__ and (args[0].dim() or not _cheap(args[0])):
            return header(args[0])
        return function(*args, **(kwargs or {}))


def node_name(node: Any) -> str:
    """``AccumulateGrad``, which C++ spells with its namespace."""
    return str(node.name()).rpartition("::")[2]


def no_data(value: Any) -> str:
    """Why there are no elements to read; empty where there are."""
    if torch.nn.parameter.is_lazy(value):
        return "it is not initialized before the first forward"
    if isinstance(value, torch._subclasses.FakeTensor):
        return "it is a fake tensor"
    if value.device.type == "meta":
        return "it is on the meta device"
    if torch._C._functorch.is_batchedtensor(value):
        return "it stands for a whole batch under vmap; look at its 'unwrapped'"
    if _freed(value):
        return "its storage was freed"
    return ""


def _freed(value: Any) -> bool:
    """Whether the storage is smaller than the tensor, as FSDP leaves it."""
    if type(value).__torch_dispatch__ is not _PLAIN_DISPATCH or value.layout != torch.strided:
        return False
    if value.is_nested or torch._C._functorch.is_functorch_wrapped_tensor(value):
        return False
    if value.numel() == 0:
        return False
    strides = zip(value.shape, value.stride(), strict=True)
    last = value.storage_offset() + sum((size - 1) * stride for size, stride in strides)
    try:
        return bool(value.untyped_storage().nbytes() < (last + 1) * value.dtype.itemsize)
    except (RuntimeError, NotImplementedError):
        return False  # no storage to speak of, as with some devices


def _dispatches(value: Any) -> bool:
    """Whether operations on it run somebody's Python, which may communicate with other ranks."""
    return type(value).__torch_dispatch__ is not _PLAIN_DISPATCH


def _cheap(value: Any) -> bool:
    """Whether reading a few elements waits for no device."""
    return bool(
        value.device.type == "cpu"
        and not _dispatches(value)
        and value.layout == torch.strided
        and not value.is_nested
        and not value.is_quantized
        and not torch._C._functorch.is_functorch_wrapped_tensor(value)
        and not no_data(value)
    )


def _shape(value: Any) -> tuple[int, ...]:
    """Its sizes; -1 for one that isn't known, or isn't one number."""
    if torch.nn.parameter.is_lazy(value):
        return (-1,)
    if value.is_nested and value.layout == torch.strided:
        return tuple(_nested_size(value, dim) for dim in range(value.dim()))
    return tuple([size if type(size) is int else -1 for size in value.shape])


def _nested_size(value: Any, dim: int) -> int:
    try:
        return int(value.size(dim))
    except RuntimeError:
        return -1  # it differs from one component to the other


def _elements(value: Any, shape: tuple[int, ...]) -> int:
    if -1 not in shape:
        return _count(shape)
    if value.is_nested:
        elements = value.numel()
        return elements if type(elements) is int else 0
    return 0


def _count(shape: tuple[int, ...]) -> int:
    count = 1
    for size in shape:
        count *= size
    return abs(count)


def _kind(value: Any) -> list[str]:
    """What else a reader of the header must know."""
    words = []
    if isinstance(value, torch._subclasses.FakeTensor):
        words.append("fake")
    if torch.nn.parameter.is_lazy(value):
        return ["uninitialized"]
    if torch._C._functorch.is_batchedtensor(value):
        words.append("vmap")
    if value.is_nested:
        words.append("nested")
    elif value.layout != torch.strided:
        words.append(str(value.layout)[6:])
        if value.layout == torch.sparse_coo and not _dispatches(value):
            words.append(f"nnz={value._nnz()}")
    return words


def _autograd(value: Any) -> list[Child]:
    if not value.requires_grad:
        return [("requires_grad", False, ".requires_grad")]
    found: list[Child] = [("requires_grad", True, ".requires_grad")]
    if _stale(value):
        return found
    node = value.grad_fn
    found.append(("is_leaf", node is None, ".is_leaf"))
    if node is not None:
        found.append(("grad_fn", node, ".grad_fn"))
    if node is None or value.retains_grad:  # elsewhere torch warns
        found.append(("grad", value.grad, ".grad"))
    return found


def _stale(value: Any) -> bool:
    """Whether asking for ``grad_fn`` could make a node, as with a view written to since."""
    return bool(value._is_view() and value._version)


def _parts(value: Any) -> list[Child]:
    """The tensors that it is made of."""
    with quiet():
        if hasattr(value, "_local_tensor"):
            return [
                ("local", value._local_tensor, "._local_tensor"),
                ("placements", getattr(value, "placements", None), ".placements"),
            ]
        if torch._C._functorch.is_functorch_wrapped_tensor(value):
            return [("unwrapped", torch._C._functorch.get_unwrapped(value), None)]
        if no_data(value):
            return []
        if value.is_nested:
            return [("values", Group("a tensor each", lambda: _components(value)), "")]
        if _dispatches(value):
            return []
        if value.layout == torch.sparse_coo:
            names = ["_indices()", "_values()"]
        elif value.layout in (torch.sparse_csr, torch.sparse_bsr):
            names = ["crow_indices()", "col_indices()", "values()"]
        elif value.layout in (torch.sparse_csc, torch.sparse_bsc):
            names = ["ccol_indices()", "row_indices()", "values()"]
        else:
            return []
        data = value.detach()
        return [(name.strip("_()"), getattr(data, name[:-2])(), f".{name}") for name in names]


def _components(value: Any) -> list[Child]:
    with quiet():
        rows = value.detach().unbind()
    return paged([(f"[{at}]", row, f"[{at}]") for at, row in enumerate(rows)])


def _data(value: Any) -> Any:
    """What holds the elements, cut off from autograd."""
    while torch._C._functorch.is_gradtrackingtensor(value):
        value = torch._C._functorch.get_unwrapped(value)
    value = getattr(value, "_local_tensor", value)  # DTensor: other ranks must not be waited for
    if type(value).__name__ == "AsyncCollectiveTensor":
        raise ValueError("this tensor is still being communicated between ranks")
    reason = no_data(value)
    if reason:
        raise ValueError(f"{_named(value)} has no elements to show: {reason}")
    return value.detach()


def _selected(value: Any, at: Index) -> Any:
    data = _data(value)
    if not at:
        return data
    if data.layout != torch.strided:
        inspection.check_size(_count(describe(data).shape), data.dim())
        data = data.to_dense()
    try:
        return data[at]
    except (IndexError, TypeError, OverflowError) as error:
        raise ValueError(str(error)) from None


def _read(value: Any, at: Index) -> Any:
    with quiet():
        return _listed(_selected(value, at))


def _summary(value: Any, at: Index) -> Any:
    with quiet():
        return reductions.moments(_selected(value, at)).summary()


def _listed(data: Any) -> Any:
    """Its elements as nested lists of JSON values."""
    if data.is_nested:
        return [_listed(each) for each in data.unbind()]
    if data.layout != torch.strided:
        data = data.to_dense()
    if data.is_quantized:
        data = data.dequantize()
    return plain(data.tolist(), str(data.dtype)[6:])


def _named(value: Any) -> str:
    about = describe(value)
    return f"a {type(value).__name__} {about.dtype} {about.shape} {about.device}"
