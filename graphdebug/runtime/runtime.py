"""The runtime of a process: what its backends, its debugger and its observer work with.

Made by ``boot``; handed to all of them.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import socket
import sys
from collections.abc import Callable
from importlib import import_module
from types import TracebackType
from typing import Any

from graphdebug import __version__
from graphdebug.protocol import runtime as messages
from graphdebug.protocol.dap import Configuration
from graphdebug.protocol.model import Backend as BackendState
from graphdebug.protocol.model import Source
from graphdebug.runtime import debugger, meeting, presentation, reports
from graphdebug.runtime.attaching import Attaching
from graphdebug.runtime.backends import Backend, HookUnfit
from graphdebug.runtime.breakpoints import NAMES, Breakpoints
from graphdebug.runtime.data_breakpoints import DataBreakpoints
from graphdebug.runtime.debugger import breakpoints, standing
from graphdebug.runtime.link import Link, NoLink
from graphdebug.runtime.node_breakpoints import NodeBreakpoints
from graphdebug.runtime.node_stops import NodeStops
from graphdebug.runtime.recorder import Recorder, rank, world_size
from graphdebug.runtime.replays import Replays
from graphdebug.runtime.stops import Stops
from graphdebug.runtime.untraced import untraced

FLUSH_SECONDS = 2.0
"""How long a program that ends waits for its last records to be sent."""

SETTLE_SECONDS = 1.5
"""How long the client's leaving waits for threads that are about to stop."""

JOIN_SECONDS = 10.0
"""How long a process that became a rank waits for the debugger, where a client is there."""

UNDESCRIBED = "the nodes of a run are not shown"


class Runtime:
    """What backends work with. One for each process."""

    def __init__(self, invitation: messages.Invitation) -> None:
        self.configuration = invitation.configuration
        self.debugged = False
        """Whether a client debugs the program, and may hold it."""
        self.breakpoints = Breakpoints()
        self.backends: dict[str, Backend] = {}
        self._given_up: set[str] = set()
        self._told: dict[str, messages.BackendEvent] = {}
        self._said: set[str] = set()
        self._place: messages.RankEvent | None = None
        self._met = False
        self._invitation = invitation
        self.taps: list[Callable[[object], None]] = []
        """Get what is recorded, too."""
        self._link = (Link if invitation.endpoint else NoLink)(
            invitation,
            {
                "configure": self._configure,
                "setBreakpoints": self._set_breakpoints,
                "flush": lambda arguments: self._link.heard(),
                "resume": lambda arguments: self.stops.resume(arguments.boundary, arguments.stop),
                "left": lambda arguments: self.stops.left(arguments.boundary),
                "setDataBreakpoints": lambda arguments: self.data_breakpoints.replace(
                    arguments.breakpoints
                ),
                "nodeStop": lambda arguments: self.node_stops.answer(arguments),
                "detach": lambda arguments: self._detach(),
                "debug": lambda arguments: self.attaching.debug(arguments),
                "undebug": lambda arguments: self.attaching.undebug(),
                "report": lambda arguments: self._report(),
                "go": lambda arguments: self.attaching.go(),
                "describe": self._describe,
            },
        )
        self.recorder = Recorder(self._record, lambda: bool(self.endpoint) and not self.taps)
        self.attaching = Attaching(invitation, self._link.send)
        self.node_breakpoints = NodeBreakpoints(self._link.send)
        self.stops = Stops(self._link.send, Replays(self.publish))
        self.node_stops = NodeStops(self._link.send)
        self.data_breakpoints = DataBreakpoints(self.publish, self._link.send, self.active)
        self._link.on_close = self._link_closed
        self._link.start(_hello(invitation))
        if invitation.own_breakpoints:
            breakpoints.follow(self._follow)
        standing.describe = self._standing

    @property
    def endpoint(self) -> str:
        """Where the observer is."""
        return self._invitation.endpoint

    @property
    def observed(self) -> bool:
        """Whether somebody listens."""
        return not self._link.closed.is_set()

    def add(self, name: str) -> None:
        """Observe a framework that the program just imported."""
        if name in self.backends:
            return
        module = import_module(f"graphdebug.runtime.backends.{name}")
        backend: Backend = module.backend(self)
        self.backends[name] = backend
        presentation.install()
        try:
            backend.install()
        except HookUnfit as error:
            backend.remove()
            self._given_up.add(name)
            self._tell_state(backend, active=False, reason=str(error))
        except Exception as error:
            self.give_up(backend, "the import", error)
        else:
            self._tell_state(backend, active=True, reason=backend.reason)

    def give_up(self, backend: Backend, what: str, error: Exception) -> None:
        """Take a backend's hooks out after an error of ours, and say so once."""
        if backend.name in self._given_up:
            return
        self._given_up.add(backend.name)
        reason = f"{what} failed in graphdebug: {type(error).__name__}: {error}"
        try:
            backend.remove()
        except Exception as again:
            reason += f"; and removing its hooks: {type(again).__name__}: {again}"
        self.recorder.alert(
            "hook",
            f"{backend.name} is no longer observed, since {reason}. The program is not affected; "
            "please report this.",
            source=_innermost(error),
        )
        self._tell_state(backend, active=False, reason=reason)

    def joined(self, rank: int, size: int) -> None:
        """The program has made a process group, in which it has this rank."""
        place = messages.RankEvent(rank, size)
        if place != self._place:
            self._place = place
            self.recorder.rank = NAMES["rank"] = rank
            waits = self.debugged and self.observed and self._invitation.attachable
            if waits:
                self.attaching.expect()
            self._link.send(place)
            if waits:  # or it would run past breakpoints while the debugger is on its way
                self.attaching.wait_for_client(JOIN_SECONDS)

    def meet(self, rank: int, size: int, connect: Callable[[], meeting.Store]) -> None:
        """Find the hub of rank 0, where ranks on other machines have hubs of their own."""
        if self._invitation.attachable and not self._met and meeting.several_machines(size):
            self._met = True
            meeting.begin(connect, rank, self._invitation, self._move, self._apart)

    def _move(self, invitation: messages.Invitation) -> None:
        if self.debugged:
            raise meeting.Apart("somebody debugs them by the hub of their own machine")
        place = filter(None, [self._place])
        self._link.move(invitation, _hello(invitation), *self._told.values(), *place)
        self._invitation = self.attaching.invitation = invitation
        self.recorder.forget()

    def _apart(self, why: str) -> None:
        self.recorder.alert("hook", why)

    def log(self, text: str, source: Source) -> None:
        """Write what a log point on a graph line says to the debug console."""
        self._link.send(messages.LogEvent(text, source))

    def publish(self, key: str, result: Any = None, error: str | None = None) -> None:
        """Send the result of an expression that the adapter evaluated."""
        self._link.send(messages.PublishedEvent(key, result, error))

    def _standing(self, frame: Source) -> messages.Standing | None:
        """What is to be said of a stop of the calling thread; None where no adapter of ours hears it."""
        if not (self.debugged and self.observed):
            return None
        ours = self.stops.here() is not None or self.node_stops.here() is not None
        return messages.Standing(frame, ours, self._link.told)

    @untraced
    def explanation(self, error: BaseException, traceback: TracebackType | None) -> str | None:
        """What is to be said of an error that an operation on tensors raised; None of any other."""
        for backend in self.active():
            try:
                found = backend.explain(error, traceback)
            except Exception as ours:
                self._alert_once(f"an error of {backend.name}'s is not explained", ours)
            else:
                if found is not None:
                    return found.text()
        return None

    def _alert_once(self, what: str, error: Exception) -> None:
        reason = f"{what}, since graphdebug failed: {type(error).__name__}: {error}"
        if reason not in self._said:
            self._said.add(reason)
            text = f"{reason}. The program is not affected; please report this."
            self.recorder.alert("hook", text, source=_innermost(error))

    def finish(self) -> None:
        """The program ends: explain the error that ended it, and send what is open."""
        if self._invitation.explain:
            self._explain_the_end()
        for backend in self.backends.values():
            if backend.name not in self._given_up:
                try:
                    backend.finish()
                except Exception as error:
                    self.give_up(backend, "the end of the program", error)
        try:
            self.recorder.undescribed.describe_all()
        except Exception as error:
            self._alert_once(UNDESCRIBED, error)
        self._link.close(FLUSH_SECONDS)

    def _explain_the_end(self) -> None:
        """Write below the traceback of an error that ended the program what is to be said of it.

        The interpreter sets ``sys.last_value`` for what nobody caught, and has had it printed, by the
        program's own ``sys.excepthook`` if it has one. Others set it too (pytest, for a test that
        failed); a traceback that ended the program begins at the outermost frame.
        """
        error: BaseException | None = getattr(sys, "last_value", None)
        traceback: TracebackType | None = getattr(sys, "last_traceback", None)
        if error is None or traceback is None or traceback.tb_frame.f_back is not None:
            return
        text = self.explanation(error, traceback)
        if text is not None:
            with contextlib.suppress(OSError, ValueError, AttributeError):  # stderr may be closed
                print("", "graphdebug: " + text, sep="\n", file=sys.stderr, flush=True)

    def abandon(self) -> None:
        """This process is a fork: the link belongs to its parent."""
        self._link.abandon()
        for backend in self.backends.values():
            self._given_up.add(backend.name)
            backend.remove()

    def _describe(self, arguments: messages.DescribeArguments) -> None:
        try:
            self.recorder.undescribed.describe(arguments.graph)
        except Exception as error:
            self._alert_once(UNDESCRIBED, error)

    def _report(self) -> None:
        self._link.send(reports.report(self.recorder.next_step, self.active()))

    def _tell_state(self, backend: Backend, active: bool, reason: str = "") -> None:
        tier, why = backend.tier
        reason = "; ".join(filter(None, (reason, *debugger.problems)))
        state = BackendState(backend.name, backend.version, active, tier, reason, why)
        self._told[backend.name] = messages.BackendEvent(state)
        self._link.send(self._told[backend.name])

    def tell_state(self, backend: Backend) -> None:
        """A part of a backend that is active turned out to stay off."""
        if backend.name in self._told and backend.name not in self._given_up:
            self._tell_state(backend, active=True, reason=backend.reason)

    def _configure(self, arguments: messages.ConfigureArguments) -> None:
        self.configuration = arguments.configuration
        self.debugged = arguments.debugged
        self.node_stops.open()
        self.stops.filters = frozenset(arguments.filters)
        if not self._invitation.own_breakpoints:
            self.breakpoints.replace_all(arguments.breakpoints)
        self.node_breakpoints.replace_all(arguments.node_breakpoints)
        for backend in self.active():
            backend.configure()
            backend.breakpoints_changed()

    def _set_breakpoints(self, arguments: messages.SetBreakpointsArguments) -> None:
        self.breakpoints.replace(arguments.path, arguments.breakpoints)
        for backend in self.active():
            backend.breakpoints_changed()

    def _follow(self, files: breakpoints.Files) -> None:
        """The debugger's breakpoints changed."""
        if self.observed:
            self.breakpoints.replace_all(files)
            for backend in self.active():
                backend.breakpoints_changed()

    def _record(self, event: object, droppable: bool = False) -> bool:
        for tap in self.taps:
            tap(event)
        return self._link.send(event, droppable)

    def active(self) -> list[Backend]:
        """The backends that observe."""
        return [item for name, item in self.backends.items() if name not in self._given_up]

    def _detach(self) -> None:
        """The client leaves the program to itself."""
        self._leave_alone()
        self.node_stops.settle(SETTLE_SECONDS)

    def _link_closed(self) -> None:
        """The observer has gone, and its debugger with it, unless that is the program's own."""
        self._leave_alone()
        self.recorder.undescribed.clear()
        self.attaching.go()
        if not self._invitation.own_breakpoints:
            self.attaching.undebug()

    def _leave_alone(self) -> None:
        """Nobody listens any more: no stop, no record."""
        self.stops.release()
        self.node_stops.release()
        self.stops.filters = frozenset()
        self.data_breakpoints.replace(())
        self.breakpoints.replace_all({})
        self.node_breakpoints.replace_all(())
        self.configuration = Configuration(capture="off")
        self.debugged = False
        for backend in self.active():
            backend.configure()
            backend.breakpoints_changed()


def _hello(invitation: messages.Invitation) -> messages.HelloEvent:
    return messages.HelloEvent(
        token=invitation.token,
        pid=os.getpid(),
        parent_pid=os.getppid(),
        rank=rank(),
        version=__version__,
        world_size=world_size(),
        host=socket.gethostname(),
        command=shlex.join(sys.orig_argv[1:]),
    )


def _innermost(error: Exception) -> Source | None:
    traceback = error.__traceback__
    while traceback is not None and traceback.tb_next is not None:
        traceback = traceback.tb_next
    if traceback is None:
        return None
    code = traceback.tb_frame.f_code
    return Source(code.co_filename, traceback.tb_lineno, code.co_name)
