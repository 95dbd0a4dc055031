"""Data breakpoints: what is watched, and what a stop for it means. Frameworks do the watching.

The adapter has ``info`` and ``trial`` evaluated in a stopped frame; what it sets comes over the link.
Nothing here keeps a tensor alive. Imported by ``boot`` and by backends; standard library only.
"""

from __future__ import annotations

import bisect
import dis
import functools
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import CodeType, FrameType
from typing import TYPE_CHECKING, Any

from graphdebug.protocol import runtime as messages
from graphdebug.protocol.wire import to_wire
from graphdebug.runtime.debugger import ASK
from graphdebug.runtime.frames import absolute, line_at

if TYPE_CHECKING:
    from graphdebug.runtime.backends import Backend

KINDS = ("nan", "grad", "no grad", "shape", "dtype", "device")
"""What a condition may say instead of an expression."""

CONDITIONS = f"{', '.join(KINDS)}, or an expression of value and grad"

OBJECT = "{}, the tensor that it is now: stops when it is written in place; condition: {}"
NAME = "{} in {}: stops when it is written in place or bound anew; condition: {}"
ARRAY = "nothing tells of writes to a NumPy array; data breakpoints watch tensors and variables"
OTHER = "not a tensor but a {}; data breakpoints watch tensors"
FORGOTTEN = "it isn't known any more; set it anew"

TARGETS_LIMIT = 1000
"""What may be watched, for each process; the client asks at each of its menus, so the oldest go."""


@dataclass(frozen=True)
class Target:
    """What may be watched: a tensor, or what a name stands for whenever somebody looks."""

    label: str
    """The expression that the user chose."""
    backend: Backend
    """Whose tensor it is."""
    tensor: Callable[[], Any]
    """A weak reference to the tensor that it was then."""
    code: CodeType | None = None
    """Of a local name: its function."""
    module: str | None = None
    """Of a global name: its module."""

    @property
    def named(self) -> bool:
        """Whether it is a name, which may be bound anew."""
        return self.code is not None or self.module is not None

    def frame(self, inner: FrameType | None) -> FrameType | None:
        """The innermost frame, from ``inner`` outwards, whose name it is: its function's, its module's."""
        while inner is not None:
            code = inner.f_code
            if code is self.code:
                return inner
            if code.co_name == "<module>" and inner.f_globals.get("__name__") == self.module:
                return inner
            inner = inner.f_back
        return None

    def value(self, inner: FrameType | None) -> Any:
        """What it is now, seen from a frame; None where it is nothing, or out of sight."""
        if self.module is not None:
            return (
                vars(sys.modules[self.module]).get(self.label)
                if self.module in sys.modules
                else None
            )
        if self.code is None:
            return self.tensor()
        frame = self.frame(inner)
        return None if frame is None else frame.f_locals.get(self.label)


class DataBreakpoints:
    """All that may be watched, and what is.

    ``info`` and ``trial`` run in a stopped thread, ``replace`` on the link's.
    """

    def __init__(
        self,
        publish: Callable[..., None],
        send: Callable[[object], bool],
        backends: Callable[[], Sequence[Backend]],
    ) -> None:
        self._publish = publish
        self._send = send
        self._backends = backends
        self._targets: dict[int, Target] = {}
        self._count = 0

    # What the adapter evaluates

    def info(self, key: str, place: tuple[str, int, str], expression: str, value: Any) -> None:
        """Publish what a data breakpoint on an expression would watch, or why there can be none.

        ``place`` is where the frame stands that it was evaluated in: path, line, function.
        """
        try:
            target = self._target(place, expression.strip(), value)
        except Exception as error:
            target = str(error) or type(error).__name__
        if isinstance(target, str):
            found = messages.Datum(None, os.getpid(), target)
        else:
            where = target.code.co_name if target.code is not None else target.module
            text = NAME.format(target.label, where, CONDITIONS)
            text = text if target.named else OBJECT.format(target.label, CONDITIONS)
            found = messages.Datum(self._number(target), os.getpid(), text)
        self._publish(key, to_wire(found))

    def trial(self, key: str, data: int, condition: str) -> None:
        """Publish, as an error, why a condition can't be asked of what may be watched."""
        target = self._targets.get(data)
        if target is None:
            return self._publish(key, error=FORGOTTEN)
        try:
            wrong = target.backend.try_condition(target, condition, sys._getframe(1))
        except Exception as error:
            wrong = f"{type(error).__name__}: {error}"
        return self._publish(key, error=wrong or None)

    def _target(self, place: tuple[str, int, str], expression: str, value: Any) -> Target | str:
        backend = next((item for item in self._backends() if item.owns(value)), None)
        if backend is None:
            kind = type(value)
            array = kind.__module__.partition(".")[0] == "numpy"
            return ARRAY if array else OTHER.format(kind.__name__)
        target = self._named(backend, place, expression, value)
        why = backend.unwatchable(value, target is not None)
        if why:
            return why
        return target or Target(expression, backend, backend.weakly(value))

    def _named(
        self, backend: Backend, place: tuple[str, int, str], expression: str, value: Any
    ) -> Target | None:
        """The name that an expression is, local or global; None for anything else."""
        frame = _real_frame(*place) if expression.isidentifier() else None
        if frame is None:
            return None
        code, scope = frame.f_code, frame.f_globals
        if expression in (*code.co_varnames, *code.co_cellvars, *code.co_freevars):
            return Target(expression, backend, backend.weakly(value), code=code)
        module = str(scope.get("__name__"))
        if expression in scope and vars(sys.modules.get(module, sys)) is scope:
            return Target(expression, backend, backend.weakly(value), module=module)
        return None

    def _number(self, target: Target) -> int:
        for number, other in self._targets.items():
            same = (other.label, other.code, other.module) == (
                target.label,
                target.code,
                target.module,
            )
            if same and (target.named or other.tensor() is target.tensor()):
                return number
        self._count += 1
        self._targets[self._count] = target
        if len(self._targets) > TARGETS_LIMIT:
            del self._targets[next(iter(self._targets))]
        return self._count

    # What the client sets

    def replace(self, breakpoints: Sequence[messages.DataBreakpoint]) -> None:
        """Set all data breakpoints."""
        found: dict[str, list[tuple[messages.DataBreakpoint, Target]]] = {}
        for item in breakpoints:
            target = self._targets.get(item.data)
            if target is None:
                self.tell(item.id, FORGOTTEN)
            else:
                found.setdefault(target.backend.name, []).append((item, target))
        for backend in self._backends():
            backend.watch(found.get(backend.name, []))

    def tell(self, id: int, message: str) -> None:
        """A data breakpoint can't stop any more, or not as it is; called on any thread."""
        self._send(messages.DataBreakpointEvent(id, message))


def bound_at(code: CodeType, name: str, last: int, now: int) -> int | None:
    """The line that bound a name on the way from one instruction to another.

    None where none did, or several could have: unless the statement of the first place did, and all that
    follows it without a choice is known.
    """
    stores = _stores(code, name)
    if last < now:
        found = [at for at in stores if last <= at < now]
    else:  # round a loop
        found = [at for at in stores if at >= last] + [at for at in stores if at < now]
    lines = list(dict.fromkeys(line_at(code, at) for at in found))
    if len(lines) < 2:
        return lines[0] if lines else None
    return _last_bound(code, found, now) if line_at(code, last) == lines[0] else None


def _last_bound(code: CodeType, stores: list[int], now: int) -> int | None:
    """The line of the last of the stores on the way from the first one; None where the way parts before."""
    instructions = {item.offset: item for item in dis.get_instructions(code)}
    offsets = sorted(instructions)
    now = offsets[bisect.bisect_right(offsets, now) - 1]  # it may lie in an instruction's cache
    at, bound, waiting = stores[0], stores[0], set(stores[1:])
    for _ in offsets:
        item = instructions[at]
        if at == now or not waiting:
            break
        if item.opname.startswith("JUMP_") and "IF" not in item.opname:
            at = item.argval
        elif item.opcode in dis.hasjrel or item.opcode in dis.hasjabs:
            return None
        else:
            following = offsets.index(at) + 1
            if following == len(offsets):
                return None
            at = offsets[following]
        if at in waiting:
            waiting.discard(at)
            bound = at
    return line_at(code, bound)


@functools.lru_cache(maxsize=256)
def _stores(code: CodeType, name: str) -> tuple[int, ...]:
    """The instructions that bind a name."""
    return tuple(
        item.offset
        for item in dis.get_instructions(code)
        if item.opname.startswith(("STORE_FAST", "STORE_NAME", "STORE_GLOBAL", "STORE_DEREF"))
        and name in (item.argval if isinstance(item.argval, tuple) else (item.argval,))
    )


def _real_frame(path: str, line: int, function: str) -> FrameType | None:
    """The program's frame of the calling thread that stands there; never a synthetic one."""
    frame: FrameType | None = sys._getframe(1)
    wanted = absolute(path)
    while frame is not None:
        code = frame.f_code
        if (
            frame.f_lineno == line
            and code.co_name == function
            and absolute(code.co_filename) == wanted
            and ASK not in code.co_varnames
        ):
            return frame
        frame = frame.f_back
    return None
