"""Sees each operation that the program calls, through a ``TorchFunctionMode`` of its thread."""

from __future__ import annotations

import sys
from types import MethodWrapperType
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from graphdebug.runtime.backends.torch.modes import leave_soon
from graphdebug.runtime.backends.torch.patches import unmark
from graphdebug.runtime.backends.torch.raised import raised
from graphdebug.runtime.backends.torch.records import Op, TensorInfo, executed
from graphdebug.runtime.backends.torch.trail import NODES, PLAIN, VALUES, Trail, clock, sequence
from graphdebug.runtime.backends.torch.values import read
from graphdebug.runtime.backends.torch.watch import MAKES

_C = torch._C
_Tensor: Any
_Parameter: Any
_Tensor, _Parameter = PLAIN
_tracing = _C._get_tracing_state
_dispatch_modes = _C._len_torch_dispatch_stack
_frame = sys._getframe

_SEEN = (torch.Tensor, tuple, list)
WRITERS = frozenset(
    {torch.Tensor.__setitem__}
    | {value for name, value in vars(torch).items() if name.startswith("_foreach_")}
)
"""They return nothing, and write to their first argument."""

_PASSED_OVER = frozenset(
    {
        torch.Tensor.grad,
        torch.Tensor._base,
        torch.Tensor.requires_grad_,
        torch.autograd.grad,
    }
)
"""They return tensors, and are no operations."""


class ForwardMode(TorchFunctionMode):  # type: ignore[misc]
    """Belongs to one thread's trail. An operation that the trail expects costs a few comparisons.

    With the native tier those are made in C++, which takes the place of ``__torch_function__``, and
    leaves to this class what isn't as expected.
    """

    def __init__(self, trail: Trail) -> None:
        super().__init__()
        self.trail = trail

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run the operation, then see what it did."""
        trail = self.trail
        if trail.level < NODES:
            leave_soon(self)
        if trail.names_stop:
            try:
                trail.forward_stops.before(func, args, kwargs, _frame(1))
            except Exception as error:
                trail.backend.fail("a stop at an operation", error)
        given = None
        if trail.level == VALUES:
            given = read((args, tuple((kwargs or {}).values())))
        watches = trail.watches
        looked = None if watches is None else watches.before(_frame(1), args, kwargs)
        before = sequence()
        start = clock()
        try:
            result = func(*args, **kwargs) if kwargs else func(*args)
        except BaseException as error:
            unmark(error)
            self.failed(error, func, args, kwargs, _frame(1))
            raise
        ns = clock() - start
        if trail.level >= NODES:
            self.seen(func, args, kwargs, result, before, ns, _frame(1), given)
            if watches is not None and looked is not None:
                watches.after(_frame(1), func, looked)
        return result

    python = __torch_function__

    def failed(self, error: Any, func: Any, args: Any, kwargs: Any, caller: Any) -> None:
        """An operation raised."""
        try:
            self.trail.raised = raised(error, func, args, kwargs, caller)
        except Exception as ours:
            self.trail.backend.fail("an operation that raised", ours)

    def seen(
        self,
        func: Any,
        args: Any,
        kwargs: Any,
        result: Any,
        before: int,
        ns: int,
        caller: Any,
        given: Any = None,
    ) -> None:
        """An operation, called by ``caller``, ran; ``before`` was autograd's sequence number then.

        ``given``: the values of its arguments, where they are kept.
        """
        trail, made = self.trail, result
        if type(made) is not _Tensor:
            if made is None and func in WRITERS:
                made = args[0]
            elif type(made) is torch.Size or not isinstance(made, _SEEN):
                if type(made) is float or made.__class__.__name__ == "ndarray":
                    self._read(args, made, caller)
                return
        try:
            if _tracing() is None and self._see(func, args, kwargs, made, before, ns, caller):
                if given is not None:
                    trail.values.append((given, read(made)))
                op: Any = trail.at
                if op.watch == MAKES or (op.watch and trail.watch.following):
                    trail.watch.made(op, args, kwargs, made, caller)
        except Exception as error:
            trail.backend.fail("an operation", error)

    def _read(self, args: Any, number: Any, caller: Any) -> None:
        try:
            self.trail.watch.read(args[0] if args else None, number, caller)
        except Exception as error:
            self.trail.backend.fail("a number", error)

    def _see(
        self, func: Any, args: Any, kwargs: Any, result: Any, before: int, ns: int, caller: Any
    ) -> bool:
        trail = self.trail
        after = sequence()
        if type(func) is MethodWrapperType:  # a property; the wrapper is new each time
            func = func.__self__
        if trail.pending is not None or before == trail.base:
            if func in _PASSED_OVER or not executed(result):
                return False
            trail.look(caller, func, args, before, after)
        base, expected = trail.base, trail.at.next
        if (
            type(expected) is Op
            and not _dispatch_modes()  # one might have put symbols into the shapes
            and expected.func is func
            and expected.seq_to == after - base
            and expected.seq_from == before - base
        ):
            frame = caller
            for _ in range(expected.hops):
                frame = frame.f_back
                if frame is None:
                    break
            if (
                frame is not None
                and frame.f_code is expected.code
                and frame.f_lasti == expected.lasti
                and _same(expected, args, kwargs, result)
            ):
                expected.ns = ns
                trail.at = expected
                return True
        if func in _PASSED_OVER or not executed(result):
            return False
        return trail.add(func, args, kwargs, result, caller, (before, after), ns)


def _same(expected: Op, args: Any, kwargs: Any, result: Any) -> bool:
    """Whether the operation's tensors are as they were the last time.

    Tensors without a shape of their own, such as nested ones, and subclasses never are.
    """
    kind = type(result)
    if kind is not expected.kind or not expected.plain:
        return False
    try:
        if kind is _Tensor:
            if (
                result.shape != expected.outputs[0].shape
                or result.dtype is not expected.outputs[0].dtype
                or result.device != expected.outputs[0].device
            ):
                return False
        elif _compare(result, expected.outputs, 0) != len(expected.outputs):
            return False
        place = _compare(args, expected.inputs, 0)
        if kwargs:
            place = _compare(kwargs.values(), expected.inputs, place)
        return place == len(expected.inputs)
    except (RuntimeError, IndexError):
        return False


def _compare(items: Any, known: tuple[TensorInfo, ...], place: int) -> int:
    """How many tensors are as they are known to be, from ``place`` on; -1 where one isn't."""
    for item in items:
        kind = type(item)
        if kind is _Tensor or kind is _Parameter:
            shape, dtype = known[place][:2]
            if item.shape != shape or item.dtype is not dtype:
                return -1
            place += 1
        elif kind is list or kind is tuple:
            place = _compare(item, known, place)
            if place < 0:
                return -1
    return place
