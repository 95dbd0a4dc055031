"""The hooks on TensorFlow's session: one step for each call of the user's, however it gets there."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

from graphdebug.runtime.backends.tensorflow.calls import Call
from graphdebug.runtime.backends.tensorflow.patches import Arguments, Patches, wrapped
from graphdebug.runtime.backends.tensorflow.session import Run, Sessions

if TYPE_CHECKING:
    from graphdebug.runtime.backends.tensorflow import TensorFlow


class GuardedHook(ABC):
    """A hook whose errors end the observation, not the program."""

    def __init__(self, backend: TensorFlow, what: str) -> None:
        self.backend = backend
        self.what = what

    def before(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Arguments:
        try:
            if self.backend.active:
                return self.enter(args, kwargs)
        except Exception as error:
            self.backend.give_up(self.what, error)
        except BaseException:
            self.backend.calls.end()  # Ctrl-C while ours ran: the next call is an outermost one
            raise
        return None, args, kwargs

    def after(self, state: Any, result: Any, failed: bool) -> None:
        if state is not None:
            try:
                self.leave(state, result, failed)
            except Exception as error:
                self.backend.give_up(self.what, error)

    @abstractmethod
    def enter(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Arguments:
        """As ``before``, but may raise."""

    @abstractmethod
    def leave(self, state: Any, result: Any, failed: bool) -> None:
        """As ``after``, but may raise; called only where ``enter`` returned a state."""


class EntryHook(GuardedHook):
    """Around what a user calls; calls within it are a part of it."""

    def __init__(self, sessions: Sessions, name: str) -> None:
        super().__init__(sessions.backend, name)
        self.sessions = sessions

    def enter(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Arguments:
        call = self.backend.begin("session", self.what)
        metadata = kwargs.get("run_metadata", args[4] if len(args) > 4 else None)
        return call and (call, metadata), args, kwargs

    def leave(self, state: tuple[Call, Any], result: Any, failed: bool) -> None:
        call, metadata = state
        duration = call.duration()
        self.backend.calls.end()
        if isinstance(call.ran, Run) and not failed:
            if metadata is not None:
                for name in call.ran.unasked:
                    metadata.ClearField(name)
            self.sessions.report(call, call.ran, duration)


class RunHook(GuardedHook):
    """Around the one function through which nearly every run goes."""

    def __init__(self, sessions: Sessions) -> None:
        super().__init__(sessions.backend, "the record of a session's run")
        self.sessions = sessions

    def enter(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Arguments:
        call = self.backend.calls.current
        own = None
        if call is None:
            call = own = self.backend.begin("session", "Session.run")
        if call is None or call.kind != "session" or call.running:
            return None, args, kwargs
        began = time.perf_counter_ns()
        arguments = self.sessions.prepare(call, args)
        call.running = True
        call.spent += time.perf_counter_ns() - began
        return (call, own, arguments[-1]), arguments, kwargs

    def leave(self, state: tuple[Call, Call | None, Any], result: Any, failed: bool) -> None:
        call, own, metadata = state
        began = time.perf_counter_ns()
        duration = call.duration()
        call.running = False
        if own is not None:
            self.backend.calls.end()
        run = call.ran
        if run.options is not None:
            self.sessions.collect(run, metadata, failed)
        call.spent += time.perf_counter_ns() - began
        if own is not None and not failed:
            self.sessions.report(own, run, duration)


class MakeHook(GuardedHook):
    """Around ``make_callable``, whose results are entries of their own."""

    def __init__(self, sessions: Sessions) -> None:
        super().__init__(sessions.backend, "Session.make_callable")
        self.sessions = sessions


def install(sessions: Sessions, patches: Patches) -> None:
    """Hook every entry."""
    from tensorflow.python.client import session

    base = session.BaseSession
    run = ("self", "options", "feed_dict", "fetch_list", "target_list", "run_metadata")
    patches.wrap(base, "_call_tf_sessionrun", run, RunHook(sessions))
    run = ("self", "fetches", "feed_dict", "options", "run_metadata")
    patches.wrap(base, "run", run, EntryHook(sessions, "Session.run"))
