"""Sees each operation that the program calls, through a ``TorchFunctionMode`` of its thread."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import MethodWrapperType
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from graphdebug.runtime.backends.torch.modes import leave_soon
from graphdebug.runtime.backends.torch.positions import USER_FILES
from graphdebug.runtime.backends.torch.records import Op, executed
from graphdebug.runtime.backends.torch.trail import NODES, PLAIN, VALUES, Trail, clock, sequence
from graphdebug.runtime.backends.torch.values import read

_C = torch._C
_Tensor, _Parameter = PLAIN
_tracing = _C._get_tracing_state
_frame = sys._getframe

_SEEN = (torch.Tensor, tuple, list)
_WRITERS = frozenset(
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
    """Belongs to one thread's trail. An operation that the trail expects costs a few comparisons."""

    def __init__(self, trail: Trail) -> None:
        super().__init__()
        self.trail = trail

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        """Run the operation, then see what it did."""
        trail = self.trail
        if trail.level < NODES:
            leave_soon(self)
            return func(*args, **kwargs) if kwargs else func(*args)
        given = read((args, kwargs)) if trail.level == VALUES else None
        before = sequence()
        start = clock()
        result = func(*args, **kwargs) if kwargs else func(*args)
        ns = clock() - start
        made = result
        if type(made) is not _Tensor:
            if made is None and func in _WRITERS:
                made = args[0]
            elif type(made) is torch.Size or not isinstance(made, _SEEN):
                return result
        try:
            if _tracing() is None:
                added = self._see(func, args, kwargs, made, before, ns, _frame(1))
                if added and given is not None:
                    trail.values.append((given, read(made)))
        except Exception as error:
            trail.backend.fail("an operation", error)
        return result

    def _see(
        self, func: Any, args: Any, kwargs: Any, result: Any, before: int, ns: int, caller: Any
    ) -> bool:
        trail = self.trail
        if type(func) is MethodWrapperType:  # a property; the wrapper is new each time
            func = func.__self__
        after = sequence()
        base = trail.base
        frame = caller
        code, lasti = None, 0
        while frame is not None:
            code = frame.f_code
            if USER_FILES[code.co_filename]:
                lasti = frame.f_lasti
                break
            code, frame = None, frame.f_back
        if trail.pending is not None or before == base:
            if func in _PASSED_OVER:
                return False
            trail.look(caller, func, args, before, after)
            base = trail.base
        expected = trail.at.next
        if (
            type(expected) is Op
            and expected.func is func
            and expected.code is code
            and expected.lasti == lasti
            and expected.seq_from == before - base
            and expected.seq_to == after - base
            and expected.plain
            and _same(expected, args, result)
        ):
            expected.ns = ns
            trail.at = expected
            return True
        if func in _PASSED_OVER or not executed(result):
            return False
        user, seqs = (code, lasti), (before, after)
        return trail.add(func, args, kwargs, result, caller, user, seqs, ns)


def _same(expected: Op, args: Any, result: Any) -> bool:
    """Whether the operation's tensors are as they were the last time.

    A tensor without a shape of its own, such as a nested one, is never the same.
    """
    try:
        if (
            type(result) is not expected.kind
            or expected.kind not in PLAIN
            or result.shape != expected.shape
            or result.dtype is not expected.dtype
            or result.device != expected.device
        ):
            return False
        seen, place = expected.seen, 0
        for item in args:
            if type(item) is _Tensor or type(item) is _Parameter:
                if item.shape != seen[place] or item.dtype is not seen[place + 1]:
                    return False
                place += 2
        return place == len(seen)
    except (RuntimeError, IndexError):
        return False
