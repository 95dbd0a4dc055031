"""Sees optimizers: that there are any, and when they step."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from types import FrameType
from typing import TYPE_CHECKING, Any

from graphdebug.runtime.backends.torch import modes
from graphdebug.runtime.backends.torch.learning import line_of
from graphdebug.runtime.backends.torch.positions import position
from graphdebug.runtime.backends.torch.records import Update
from graphdebug.runtime.backends.torch.trail import NODES, OFF, Trail
from graphdebug.runtime.backends.torch.written import uncounted
from graphdebug.runtime.frames import source_at

if TYPE_CHECKING:
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


class OptimizerSteps:
    """The optimizer steps under way in one thread, outermost first."""

    def __init__(self, trail: Trail) -> None:
        self._trail = trail
        self._depths: list[int] = []
        self._update: Update | None = None
        self._quiet = False

    def begin(self, optimizer: Any, args: Any, kwargs: Any, frame: FrameType) -> None:
        """A step begins, in ``frame``."""
        trail, depth = self._trail, _depth(frame)
        while self._depths and self._depths[-1] >= depth:
            self._depths.pop()  # it raised, and so never ended
        self._depths.append(depth)
        trail.updating = len(self._depths)
        if trail.updating > 1 or trail.level < NODES:
            return
        mode = trail.mode
        taken_off = modes.take_off(mode)
        key = _key(optimizer, args, kwargs)
        update = trail.at.follow(key)
        if update is None:
            update = Update(trail.at)
            update.last, update.times, update.passed = None, 0, 0
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
        if not self._depths:
            return
        self._depths.pop()
        trail.updating = len(self._depths)
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
        code, lasti, _ = position(frame)
        source = source_at(code, lasti) if code is not None else None
        trail.watch.stepped(optimizer, frame, source)
        trail.close(f"{type(optimizer).__name__}.step", source)


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


def _depth(frame: FrameType | None) -> int:
    depth = 0
    while frame is not None:
        depth, frame = depth + 1, frame.f_back
    return depth


def step_hooks(backend: TorchBackend) -> tuple[Callable[..., None], Callable[..., None]]:
    """What torch calls before and after each step of each optimizer."""

    def before(optimizer: Any, args: Any, kwargs: Any) -> None:
        begin(backend, optimizer, args, kwargs, sys._getframe(1))

    def after(optimizer: Any, args: Any, kwargs: Any) -> None:
        end(backend, optimizer, sys._getframe(1))

    return before, after


def _begin(backend: TorchBackend, optimizer: Any, args: Any, kwargs: Any, frame: FrameType) -> None:
    try:
        trail = backend.trail()
        if trail is not None and trail.level != OFF:
            if trail.watches is not None:
                trail.watches.before(frame)
            trail.updates.begin(optimizer, args, kwargs, frame)
    except Exception as error:
        backend.fail("an optimizer step", error)


def _end(backend: TorchBackend, optimizer: Any, frame: FrameType) -> None:
    try:
        trail = backend.trail()
        if trail is not None and trail.level == OFF:
            backend.unrecorded += 1
        elif trail is not None:
            trail.updates.end(optimizer, frame)
            if trail.watches is not None:
                name = f"{type(optimizer).__name__}.step"
                trail.watches.after(frame, name, uncounted(optimizer))
    except Exception as error:
        backend.fail("an optimizer step", error)


begin, end = _begin, _end
"""The native tier puts the same in their place, untraced by debuggers."""


def observed_init(original: Callable[..., None], backend: TorchBackend) -> Callable[..., None]:
    """``Optimizer.__init__``, which tells that the program's steps are an optimizer's."""

    @functools.wraps(original)
    def init(self: Any, *args: Any, **kwargs: Any) -> None:
        backend.optimizers.add(self)
        original(self, *args, **kwargs)
        try:
            trail = backend.trail()
            if trail is not None:
                trail.learning.made(self, line_of(sys._getframe(1)))
        except Exception as error:
            backend.fail("an optimizer", error)

    return init
