"""How a framework is observed: one abstract class, one package for each framework.

A backend's package is imported only once the user's program has imported its framework.
"""

from __future__ import annotations

import functools
import weakref
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypeVar

from graphdebug.protocol.model import Framework
from graphdebug.protocol.runtime import DataBreakpoint, Memory, PastStep
from graphdebug.runtime.replays import Replay

if TYPE_CHECKING:
    from graphdebug.runtime.data_breakpoints import Target
    from graphdebug.runtime.explanations import Explanation
    from graphdebug.runtime.runtime import Runtime

F = TypeVar("F", bound=Callable[..., Any])


class Past(Replay, Protocol):
    """What a thread ran before it stopped."""

    steps: list[PastStep]
    """What it consists of, oldest first."""


class HookUnfit(Exception):
    """The framework isn't as a hook was written for; the message names what, and what stays off."""


class Backend(ABC):
    """Observes one framework in this process.

    ``install`` puts the hooks in, ``remove`` takes them out again so that the framework is as it
    was. Methods are called on the thread that imported the framework, or on the link's thread.
    """

    name: ClassVar[Framework]
    """The framework."""
    reason: str = ""
    """What of it stays off, and why."""
    unrecorded: int = 0
    """Steps that were made while ``capture`` was off."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime

    @property
    def tier(self) -> tuple[str, str]:
        """Which observer runs, and why it isn't a quicker one."""
        return "python", ""

    @property
    @abstractmethod
    def version(self) -> str:
        """The framework's version."""

    @abstractmethod
    def install(self) -> None:
        """Hook the framework. Raises HookUnfit where it isn't as expected."""

    @abstractmethod
    def remove(self) -> None:
        """Take every hook out. Called once, also after a failed ``install``."""

    def configure(self) -> None:
        """The configuration changed."""

    def breakpoints_changed(self) -> None:
        """The breakpoints changed."""

    def memory(self) -> Sequence[Memory]:
        """What it holds on devices, without waiting for one or waking one up. May raise anything."""
        return ()

    def place(self) -> str:
        """What kind of place the calling thread stands at: ``eager`` or ``building``.

        Called by the debugger's evaluation on a stopped thread: ``building`` where operations called
        here now add nodes to a graph instead of running.
        """
        return "eager"

    def unwatchable(self, value: object, named: bool) -> str:
        """Why a tensor of this framework can't have a data breakpoint; empty where it can.

        ``named``: by a name, which may be bound to another one.
        """
        return f"{self.name}'s tensors can't be watched"

    def weakly(self, value: Any) -> Callable[[], Any]:
        """A weak reference to a tensor that can be watched."""
        return weakref.ref(value)

    def try_condition(self, target: Target, condition: str, frame: FrameType) -> str:
        """Why a data breakpoint's condition can't be asked of a target; empty where it can.

        Called in a stopped thread. May raise what the condition raises.
        """
        return ""

    def watch(self, wanted: Sequence[tuple[DataBreakpoint, Target]]) -> None:
        """Set all data breakpoints on tensors of this framework."""

    def past(self) -> Past | str:
        """What the calling, stopped thread ran last, or why there is none to walk back through."""
        return ""

    def explain(self, error: BaseException, traceback: TracebackType | None) -> Explanation | None:
        """What is to be said of an error; None where it isn't one of this framework's operations.

        ``traceback`` leads from the outermost frame that is known to the one that raised. Nothing of
        the error or its frames may be kept.
        """
        return None

    def finish(self) -> None:
        """The program ends: report what is still open."""

    def cell(self, over: bool) -> None:
        """A notebook's cell begins, or is over: then report what is open.

        The time in between, in which the program waits for the user, belongs to no step.
        """

    @abstractmethod
    def owns(self, value: object) -> bool:
        """Whether ``value`` is a tensor of this framework."""

    @abstractmethod
    def inspect(self, value: Any, mode: str, index: str | None) -> dict[str, Any]:
        """``graphdebugTensor`` for a live tensor: the body of its answer, in wire form.

        ``index`` is what stands between the brackets of ``tensor[...]``. Raises ValueError with a
        sentence for the user where it can't be done.
        """


def guarded(backend: Backend, what: str, function: F) -> F:
    """``function``, whose errors never reach the program.

    The first error takes the backend's hooks out and is reported once; the guarded call returns None.
    """

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except Exception as error:
            backend.runtime.give_up(backend, what, error)
            return None

    return call  # type: ignore[return-value]
