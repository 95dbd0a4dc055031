"""What raises in the middle of something of ours, and isn't ours: it goes on to the program.

That is an interrupt mostly, in a notebook as in a program that saves its model then and trains on; or
an error of a signal handler's, at the end of a time limit, say. What we were about to do may be done by
half, and is forgotten.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from graphdebug.runtime.backends.torch import modes
from graphdebug.runtime.signals import raised_by_handler

if TYPE_CHECKING:
    from graphdebug.runtime.backends.torch.trail import Trail


@contextmanager
def noticed(trail: Trail | None) -> Iterator[None]:
    """What comes out of this may have been raised in the middle of something of ours."""
    try:
        yield
    except BaseException as error:
        notice(trail, error)
        raise


def notice(trail: Trail | None, error: BaseException) -> None:
    """It was raised in the middle of something of ours in the trail's thread."""
    if trail is not None and is_interrupt(error):
        trail.interrupted = True


def is_interrupt(error: BaseException) -> bool:
    """Whether it came from outside, whatever ran: out of a signal handler, mostly."""
    return not isinstance(error, Exception) or raised_by_handler(error)


def is_torn(trail: Trail) -> bool:
    """Whether what was under way in this thread was left by half: by us, by torch, or by the program."""
    if trail.interrupted or (trail.updating and trail.updates.raised):
        return True
    return modes.is_twice(trail)


def begin_anew(trail: Trail) -> None:
    """Nothing of ours is under way in this thread: let its trail be so."""
    trail.interrupted = False
    while modes.take_out(trail.mode):
        pass
    trail.on = modes.handles()
    trail.standing = False
    trail.in_backward = trail.updating = 0
    trail.updates.forget()
    trail.aside = None
    trail.wake()
