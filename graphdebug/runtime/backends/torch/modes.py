"""The stack of function modes of the calling thread, on which ours is put and taken out."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Any

import torch
from torch.overrides import handle_torch_function
from torch.utils._device import DeviceContext

if TYPE_CHECKING:
    from graphdebug.runtime.backends.torch.trail import Trail

_C = torch._C
_at = _C._get_function_stack_at
_length = _C._len_torch_function_stack
_pop = _C._pop_torch_function_stack
_push = _C._push_on_torch_function_stack


def put_on(mode: Any) -> None:
    """Make it the innermost mode."""
    _push(mode)


def put_under(mode: Any) -> None:
    """Put it below the user's modes, which come off before it, and above torch's default device."""
    above = []
    while _length() and not isinstance(_at(_length() - 1), DeviceContext):
        above.append(_pop())
    _push(mode)
    for other in reversed(above):
        _push(other)


def is_twice(trail: Trail) -> bool:
    """Whether the mode of a trail that does nothing just now is on more than once."""
    if _length() < 2:
        return False
    busy = trail.in_backward or trail.updating or trail.standing or trail.aside is not None
    return not busy and sum(_at(place) is trail.mode for place in range(_length())) > 1


def is_lost(trail: Trail) -> bool:
    """Whether the mode isn't on where it should be, asked where it handles no call."""
    busy = trail.in_backward or trail.updating or trail.standing or trail.aside is not None
    return trail.on and not busy and not is_on(trail.mode) and not handles()


def is_on(mode: Any) -> bool:
    """Whether it is on this thread's stack; it isn't while it handles a call."""
    return any(_at(place) is mode for place in range(_length()))


def handles() -> bool:
    """Whether a mode handles a call of a Python function: torch then puts it back on the stack."""
    code, frame = handle_torch_function.__code__, sys._getframe(1)
    while frame is not None and frame.f_code is not code:
        frame = frame.f_back  # type: ignore[assignment]
    return frame is not None


def take_off(mode: Any) -> bool:
    """Take it off if it is the innermost one; whether it was."""
    length = _length()
    if not length or _at(length - 1) is not mode:
        return False
    _pop()
    return True


def take_out(mode: Any) -> bool:
    """Take it out from wherever it is on this thread's stack; whether it was there."""
    if take_off(mode):
        return True
    if not is_on(mode):
        return False
    above = []
    while (top := _pop()) is not mode:
        above.append(top)
    for other in reversed(above):
        _push(other)
    return True


@contextmanager
def aside(trail: Trail) -> Iterator[None]:
    """While the program stands at a stop of ours: what the user evaluates there isn't the program's."""
    mode, above = trail.mode, []
    on = is_on(mode)
    if on:
        while (top := _pop()) is not mode:
            above.append(top)
        for other in reversed(above):
            _push(other)
    trail.standing = True
    try:
        yield
    finally:
        trail.standing = False
        if on and not is_on(mode):
            count = min(len(above), _length())
            above = [_pop() for _ in range(count)]
            _push(mode)
            for other in reversed(above):
                _push(other)


def leave_soon(mode: Any) -> None:
    """Take it out as soon as the call that it handles is over.

    A mode can't leave while it handles a call: torch has it off the stack and puts it back. The next
    thing that happens in this thread is after that; a profile function, if nobody else has one, hears
    of it.
    """

    def after(frame: FrameType, event: str, argument: object) -> None:
        try:
            gone = take_out(mode)
        except TypeError:  # the interpreter ends
            gone = True
        if gone:
            mode.trail.on = False
            set_profile(None)

    set_profile = sys.setprofile

    if sys.getprofile() is None:
        sys.setprofile(after)
