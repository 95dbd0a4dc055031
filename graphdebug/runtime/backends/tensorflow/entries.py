"""The hooks on TensorFlow's session: one step for each call of the user's, however it gets there."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from time import perf_counter_ns
from typing import Any

from graphdebug.runtime.backends import HookUnfit
from graphdebug.runtime.backends.tensorflow import quiet
from graphdebug.runtime.backends.tensorflow.calls import Call
from graphdebug.runtime.backends.tensorflow.hooks import GuardedHook
from graphdebug.runtime.backends.tensorflow.patches import Arguments, Patches, wrapped
from graphdebug.runtime.backends.tensorflow.quiet import LoudHook, QuietHook
from graphdebug.runtime.backends.tensorflow.runs import Run
from graphdebug.runtime.backends.tensorflow.session import Sessions

_RUN = "self options feed_dict fetch_list target_list run_metadata"
_ENTRY = "self fetches feed_dict options run_metadata"
_BUFFERS = (
    "TF_NewBuffer",
    "TF_NewBufferFromString",
    "TF_GetBuffer",
    "TF_DeleteBuffer",
    "TF_OperationName",
)


def install(sessions: Sessions, patches: Patches) -> None:
    """Hook every entry."""
    from tensorflow.python.client import pywrap_tf_session, session

    for name in _BUFFERS:
        if not hasattr(pywrap_tf_session, name):
            raise HookUnfit(f"TensorFlow has no {name}")
    base, made = session.BaseSession, session.BaseSession._Callable
    for owner, name, parameters, hook in (
        (base, "_call_tf_sessionrun", _RUN, RunHook(sessions)),
        (base, "_call_tf_sessionprun", "self handle feed_dict fetch_list", PartHook(sessions)),
        (base, "run", _ENTRY, SessionRunHook(sessions, session.__file__)),
        (
            base,
            "partial_run",
            "self handle fetches feed_dict",
            EntryHook(sessions, "Session.partial_run"),
        ),
        (base, "make_callable", "self fetches feed_list accept_options", MakeHook(sessions)),
        (made, "__init__", "self session callable_options", OptionsHook(sessions)),
        (made, "__call__", "self", CallableHook(sessions)),
    ):
        patches.wrap(owner, name, parameters.split(), hook)


class SessionHook(GuardedHook):
    """A hook of one of a session's functions."""

    def __init__(self, sessions: Sessions, what: str) -> None:
        super().__init__(sessions.backend, what)
        self.sessions = sessions


class EntryHook(SessionHook):
    """Around what a user calls; calls within it are a part of it."""

    def enter(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Arguments:
        call = self.backend.begin("session", self.what)
        metadata = kwargs.get("run_metadata", args[4] if len(args) > 4 else None)
        return call and (call, metadata), args, kwargs

    def leave(self, state: tuple[Call, Any], result: Any, failed: bool) -> None:
        call, metadata = state
        duration = call.duration()
        self.backend.calls.end()
        if failed or call.ran is None:
            return
        if metadata is not None:
            call.ran.withhold(metadata)
        self.sessions.report(call, call.ran, duration)


class SessionRunHook(QuietHook, EntryHook):
    """Around ``Session.run``."""

    def __init__(self, sessions: Sessions, path: str) -> None:
        super().__init__(sessions, "Session.run")
        self.path = path

    def enter(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Arguments:
        state, args, kwargs = super().enter(args, kwargs)
        if state is not None and sys.gettrace() is not None and quiet.is_run(*args, **kwargs):
            self.quieten(state[0])
        return state, args, kwargs


class RunHook(LoudHook, SessionHook):
    """Around the one function through which nearly every run goes."""

    def __init__(self, sessions: Sessions) -> None:
        super().__init__(sessions, "the record of Session.run")

    def is_loud(self) -> bool:
        call = self.backend.calls.current
        return call is None or not call.silent

    def enter(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Arguments:
        call = self.backend.calls.current
        own = None
        if call is None:
            call = own = self.backend.begin("session", "Session.run")
        if call is None or call.kind != "session" or call.running:
            return None, args, kwargs
        began = perf_counter_ns()
        run, arguments = self.sessions.prepare(*args)
        call.ran, call.running = run, True
        if call.paused and run.graph is not None:
            call.silent = not run.signature.calls_python(run.graph)
        call.spent += perf_counter_ns() - began
        return (call, own, arguments[-1]), arguments, kwargs

    def instead(self, state: Any, original: Callable[..., Any]) -> Callable[..., Any]:
        call = self.backend.calls.current if state is None else state[0]
        if call is None or call.kind != "session" or call.ran is None or call.ran.live is None:
            return original
        if state is None:
            return functools.partial(self.sessions.live.run_beside, original)
        return functools.partial(self.sessions.live.run, call.ran.live, original)

    def leave(self, state: tuple[Call, Call | None, Any], result: Any, failed: bool) -> None:
        call, own, metadata = state
        began = perf_counter_ns()
        call.running = False
        if call.ran.options is not None:
            self.sessions.collect(call.ran, metadata, failed)
        if not failed:
            call.result = result
            call.ran.take(result)
        call.spent += perf_counter_ns() - began
        if own is not None:
            duration = own.duration()
            self.backend.calls.end()
            if not failed:
                self.sessions.report(own, own.ran, duration)


class PartHook(SessionHook):
    """Around a part of a partial run, for which TensorFlow records nothing."""

    def __init__(self, sessions: Sessions) -> None:
        super().__init__(sessions, "the record of Session.partial_run")

    def enter(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Arguments:
        call = self.backend.calls.current
        if call is not None and not call.running:
            call.ran = self.sessions.part(*args)
        return None, args, kwargs

    def leave(self, state: Any, result: Any, failed: bool) -> None:
        """Nothing was asked for."""


class MakeHook(SessionHook):
    """Around ``make_callable``, whose results are entries of their own."""

    def __init__(self, sessions: Sessions) -> None:
        super().__init__(sessions, "Session.make_callable")

    def enter(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Arguments:
        return None, args, kwargs

    def leave(self, state: Any, result: Any, failed: bool) -> None:
        """There was no state."""

    def after(self, state: Any, result: Any, failed: bool) -> Any:
        if failed or not self.backend.active:
            return result
        return wrapped(result, EntryHook(self.sessions, self.what))


class OptionsHook(SessionHook):
    """Around the making of a ``_Callable``: only its options say what it runs."""

    def __init__(self, sessions: Sessions) -> None:
        super().__init__(sessions, "Session._make_callable_from_options")

    def enter(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Arguments:
        options = kwargs.get("callable_options", args[-1])
        copy = type(options)()
        copy.CopyFrom(options)
        self.sessions.options[args[0]] = copy
        return None, args, kwargs

    def leave(self, state: Any, result: Any, failed: bool) -> None:
        """There was no state."""


class CallableHook(SessionHook):
    """Around a call of a ``_Callable``; a twin that records runs in its place where that is asked."""

    def __init__(self, sessions: Sessions) -> None:
        super().__init__(sessions, "Session.make_callable")

    def enter(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Arguments:
        call = self.backend.begin("session", self.what)
        if call is None:
            return None, args, kwargs
        began = perf_counter_ns()
        theirs = kwargs.get("run_metadata")
        run, made, ours = self.sessions.prepare_callable(args[0], args[1:])
        if ours is not None:
            args, kwargs = (made, *args[1:]), {**kwargs, "run_metadata": ours}
        call.ran, call.running = run, True
        call.spent += perf_counter_ns() - began
        return (call, theirs, ours), args, kwargs

    def leave(self, state: tuple[Call, Any, Any], result: Any, failed: bool) -> None:
        call, theirs, ours = state
        duration = call.duration()
        self.backend.calls.end()
        run: Run = call.ran
        if ours is not None:
            self.sessions.read(run, ours, failed)
            if theirs is not None and not failed:
                theirs.CopyFrom(ours)
                run.withhold(theirs)
        if not failed:
            call.result = result if isinstance(result, (list, tuple)) else (result,)
            self.sessions.report(call, run, duration)
