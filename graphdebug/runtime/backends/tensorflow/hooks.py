"""What every hook on TensorFlow has in common."""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from graphdebug.runtime.backends.tensorflow.patches import Arguments
from graphdebug.runtime.debugger import tracing
from graphdebug.runtime.debugger.tracing import resume
from graphdebug.runtime.untraced import pause_if_cheap

if TYPE_CHECKING:
    from graphdebug.runtime.backends.tensorflow import TensorFlow


class GuardedHook(ABC):
    """A hook whose errors end the observation, not the program."""

    instead: Callable[[Any, Callable[..., Any]], Callable[..., Any]] | None = None

    def __init__(self, backend: TensorFlow, what: str) -> None:
        self.backend = backend
        self.what = what

    def before(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Arguments:
        """``enter``, without its errors."""
        paused = sys.gettrace() is not None and pause_if_cheap()
        try:
            if self.backend.active:
                return self.enter(args, kwargs)
        except Exception as error:
            self.backend.give_up(self.what, error)
        except BaseException:
            self.torn()  # Ctrl-C while ours ran
            raise
        finally:
            if paused:
                resume()
        return None, args, kwargs

    def after(self, state: Any, result: Any, failed: bool) -> Any:
        """``leave``, without its errors."""
        if state is not None:
            paused = sys.gettrace() is not None and pause_if_cheap()
            try:
                self.leave(state, result, failed)
            except Exception as error:
                self.backend.give_up(self.what, error)
            finally:
                if paused:
                    resume()
        return result

    def torn(self) -> None:
        """The next call is an outermost one, and nothing is kept from the debugger."""
        self.backend.calls.end()
        tracing.end_pauses()

    @abstractmethod
    def enter(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Arguments:
        """What ``before`` does; returns no state where ``leave`` has nothing to do."""

    @abstractmethod
    def leave(self, state: Any, result: Any, failed: bool) -> None:
        """What ``after`` does."""
