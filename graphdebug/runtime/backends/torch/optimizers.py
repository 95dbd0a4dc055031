"""Sees optimizers: that there are any, and when they step."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Iterator
from types import CodeType, FrameType
from typing import TYPE_CHECKING, Any

from graphdebug.runtime.backends.torch import modes
from graphdebug.runtime.backends.torch.interrupts import begin_anew
from graphdebug.runtime.backends.torch.learning import line_of
from graphdebug.runtime.backends.torch.patches import unmark
from graphdebug.runtime.backends.torch.positions import position
from graphdebug.runtime.backends.torch.records import Update
from graphdebug.runtime.backends.torch.repeats import repeat
from graphdebug.runtime.backends.torch.trail import NODES, OFF, Trail, clock
from graphdebug.runtime.backends.torch.written import uncounted
from graphdebug.runtime.frames import source_at

if TYPE_CHECKING:
    from graphdebug.protocol.model import Source
    from graphdebug.runtime.backends.torch.observer import TorchBackend

_TAKEN_FOR_GRANTED = frozenset(
    {"SGD", "Adam", "AdamW", "Adamax", "NAdam", "Adagrad", "Adadelta", "RMSprop", "Rprop"}
)
"""Optimizers that do the same on every step, as long as the same parameters have gradients."""

_TWICE = 2
"""How often an optimizer step has to be the same before it is taken for granted."""

_LOOK_AGAIN = 64
"""Every how many steps it is looked at again."""

_VARYING = ("lr", "initial_lr", "params")
"""Settings that change from step to step without changing what is done."""


_Frame = tuple[int, CodeType]
"""A frame without a reference to it, which would keep what the program has in it."""


class OptimizerSteps:
    """The optimizer steps under way in one thread, outermost first."""

    def __init__(self, trail: Trail) -> None:
        self._trail = trail
        self._open: list[_Frame] = []
        """What runs them: one that raised doesn't tell that it is over."""
        self._update: Update | None = None
        self._quiet = False

    def forget(self) -> None:
        """None is under way."""
        self._open.clear()
        self._update, self._quiet = None, False

    @property
    def raised(self) -> bool:
        """Whether the outermost one is over without having told."""
        return bool(self._open) and self._open[0] not in _stack(sys._getframe(1))

    def raised_in(self, frame: FrameType) -> bool:
        """Whether one did, and ``frame``, in which another one begins, has its place in memory."""
        return bool(self._open) and _named(frame) in self._open

    def begin_plain(self, frame: FrameType) -> bool:
        """A step begins, in ``frame``; False where more is to be done about it."""
        trail = self._trail
        if self._open or not trail.plain_steps.usual():
            return False
        self._open.append(_named(frame))
        trail.updating = 1
        return True

    def end_plain(self, optimizer: Any, frame: FrameType) -> bool:
        """A step ends, likewise."""
        trail = self._trail
        if trail.updating != 1 or not trail.plain_steps.usual():
            return False
        self._open.clear()
        trail.updating = 0
        trail.plain_steps.close(optimizer, frame, clock())
        return True

    def begin(self, optimizer: Any, args: Any, kwargs: Any, frame: FrameType) -> None:
        """A step begins, in ``frame``."""
        trail, running = self._trail, set(_stack(frame))
        self._open = [step for step in self._open if step in running] + [_named(frame)]
        trail.updating = len(self._open)
        if trail.updating > 1 or trail.level < NODES:
            return
        mode = trail.mode
        taken_off = modes.take_off(mode)
        key = _key(optimizer, args, kwargs)
        update = trail.at.follow(key)
        if update is None:
            update = Update(trail.at)
            update.last, update.times, update.passed = None, 0, 0
            update.key, update.where = key, None
            trail.remember(trail.at, key, update)
        assert isinstance(update, Update)
        trail.enter(update)
        self._update = update
        self._quiet = taken_off and key[1] and _known(update) and trail.level == NODES
        if taken_off and not self._quiet:
            modes.put_on(mode)

    def end(self, optimizer: Any, frame: FrameType) -> None:
        """A step ends, in ``frame``: the program's step with it."""
        trail = self._trail
        if not self._open:
            return
        self._open.pop()
        trail.updating = len(self._open)
        if trail.updating:
            return
        update, self._update = self._update, None
        if self._quiet and update is not None and update.last is not None:
            self._quiet = False
            trail.at = update.last
            modes.put_on(trail.mode)
        elif update is not None:
            update.times = update.times + 1 if update.last is trail.at else 1
            update.last = trail.at
        code, lasti, hops = position(frame)
        source = source_at(code, lasti) if code is not None else None
        if update is not None:
            update.where = None if code is None else (code, lasti, hops, source)
        trail.watch.stepped(optimizer, frame, source)
        close(trail, optimizer, source)


def close(trail: Trail, optimizer: Any, source: Source | None) -> None:
    """The program's step is over with that of its optimizer."""
    if not repeat(trail, source):
        trail.close(f"{type(optimizer).__name__}.step", source)


def close_safely(trail: Trail, optimizer: Any, source: Source | None) -> None:
    """The same, for the native tier."""
    try:
        close(trail, optimizer, source)
    except BaseException as error:
        trail.backend.fail("an optimizer step", error)


def _known(update: Update) -> bool:
    update.passed += 1
    return update.times >= _TWICE and update.passed % _LOOK_AGAIN != 0


def _key(optimizer: Any, args: Any, kwargs: Any) -> tuple[Any, ...]:
    """What an optimizer step depends on; second, whether that is all."""
    kind = type(optimizer)
    usual = kind.__module__.startswith("torch.optim.") and kind.__name__ in _TAKEN_FOR_GRANTED
    usual = usual and len(args) < 2 and not kwargs
    if not usual:
        return kind, False
    return (kind, True, *_settings(optimizer.param_groups))


quickly: Callable[[Any, tuple[str, ...]], tuple[Any, ...] | None] | None = None
"""The native tier's ``_settings``, while that runs: None where it has to be done here."""


def _settings(groups: Any) -> tuple[Any, ...]:
    """The settings, and which parameters have gradients."""
    if quickly is not None and (found := quickly(groups, _VARYING)) is not None:
        return found
    state: list[Any] = []
    for group in groups:
        state += [_setting(value) for name, value in group.items() if name not in _VARYING]
        state += [item.grad is not None for item in group["params"]]
    return tuple(state)


def _setting(value: Any) -> Any:
    return value if isinstance(value, (bool, int, float, str, type(None))) else id(value)


def _named(frame: FrameType) -> _Frame:
    return id(frame), frame.f_code


def _stack(frame: FrameType | None) -> Iterator[_Frame]:
    while frame is not None:
        yield _named(frame)
        frame = frame.f_back


def step_hooks(backend: TorchBackend) -> tuple[Callable[..., None], Callable[..., None]]:
    """What torch calls before and after each step of each optimizer."""

    def before(optimizer: Any, args: Any, kwargs: Any) -> None:
        if not backend.asleep:
            begin(backend, optimizer, args, kwargs, sys._getframe(1))

    def after(optimizer: Any, args: Any, kwargs: Any) -> None:
        if backend.asleep:
            backend.unrecorded += 1
        else:
            end(backend, optimizer, sys._getframe(1))

    return before, after


def _begin(backend: TorchBackend, optimizer: Any, args: Any, kwargs: Any, frame: FrameType) -> None:
    try:
        here = backend.here()
        if here is not None and here.updates.begin_plain(frame):
            return
        if here is not None and (here.updates.raised_in(frame) or modes.is_lost(here)):
            begin_anew(here)
        trail = backend.trail()
        if trail is not None and trail.level != OFF:
            if trail.watches is not None:
                trail.watches.before(frame)
            trail.updates.begin(optimizer, args, kwargs, frame)
    except BaseException as error:
        backend.fail("an optimizer step", error)


def _end(backend: TorchBackend, optimizer: Any, frame: FrameType) -> None:
    try:
        here = backend.here()
        if here is not None and here.updates.end_plain(optimizer, frame):
            return
        trail = backend.trail()
        if trail is not None and trail.level == OFF:
            backend.passed()
        elif trail is not None:
            trail.updates.end(optimizer, frame)
            if trail.watches is not None:
                name = f"{type(optimizer).__name__}.step"
                trail.watches.after(frame, name, uncounted(optimizer))
    except BaseException as error:
        backend.fail("an optimizer step", error)


begin, end = _begin, _end
"""The native tier puts the same in their place, untraced by debuggers."""


def observed_init(original: Callable[..., None], backend: TorchBackend) -> Callable[..., None]:
    """``Optimizer.__init__``, which tells that the program's steps are an optimizer's."""

    @functools.wraps(original)
    def init(self: Any, *args: Any, **kwargs: Any) -> None:
        backend.optimizers.add(self)
        try:
            original(self, *args, **kwargs)
        except BaseException as error:
            unmark(error)
            raise
        try:
            trail = backend.trail()
            if trail is not None:
                trail.learning.made(self, line_of(sys._getframe(1)))
        except BaseException as error:
            backend.fail("an optimizer", error)

    return init
