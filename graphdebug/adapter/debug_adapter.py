"""Puts the parts of a session together and runs it."""

from __future__ import annotations

import asyncio
import importlib
import os
from typing import Any

from graphdebug.adapter.bindings import Bindings
from graphdebug.adapter.data_breakpoints import DataBreakpoints
from graphdebug.adapter.exceptions import Exceptions
from graphdebug.adapter.filters import Filters
from graphdebug.adapter.function_breakpoints import FunctionBreakpoints
from graphdebug.adapter.lifecycle import Lifecycle
from graphdebug.adapter.node_stops import NodeStops
from graphdebug.adapter.past import LiveStops
from graphdebug.adapter.records import Records
from graphdebug.adapter.remembered import Remembered
from graphdebug.adapter.replay import Replay
from graphdebug.adapter.session import Session
from graphdebug.adapter.stops import Stops
from graphdebug.adapter.unanswered import Unanswered
from graphdebug.adapter.upstream import Upstream
from graphdebug.observation.answers import Answers
from graphdebug.observation.breakpoints import Breakpoints
from graphdebug.observation.observers import Observers
from graphdebug.observation.runtimes import Observer, Runtime, Runtimes
from graphdebug.observation.steps import Steps
from graphdebug.protocol import runtime as messages
from graphdebug.transport.connections import Connection
from graphdebug.transport.framing import Message


class DebugAdapter(Observer):
    """One client's session, and what the runtimes say in it."""

    def __init__(self, client: Connection, upstream: Upstream) -> None:
        self.session = Session(client, upstream)
        self._steps = Steps()
        self._breakpoints = Breakpoints()
        self._runtimes = Runtimes(self)
        self._lifecycle = Lifecycle(
            self.session, self._runtimes, self._breakpoints, self._let_observe
        )
        self._filters = Filters(self.session, self._configure)
        self._functions = FunctionBreakpoints(
            self.session, self._configure, lambda: self._breakpoints.observed
        )
        self._bindings = Bindings(self.session, self._breakpoints, self._runtimes)
        answers = Answers(
            self._steps, self._runtimes, lambda: self._lifecycle.configuration.capture
        )
        self._observers = Observers(answers)
        self._records = Records(self.session, self._steps, answers, self._tell)
        remembered = Remembered(self.session)
        exceptions = Exceptions(self.session, self._records)
        live = LiveStops(self.session, self._records, self._runtimes, self._steps)
        self._stops = Stops(
            self.session,
            self._breakpoints,
            self._runtimes,
            self._steps,
            remembered,
            exceptions,
            live,
            self._bindings.tell,
        )
        replay = self._stops.replay = Replay(
            self.session,
            self._breakpoints,
            self._records,
            live,
            lambda: self._lifecycle.just_my_code,
        )
        self._node_stops = self._stops.node_stops = NodeStops(
            self.session, self._breakpoints, exceptions
        )
        self._data_breakpoints = DataBreakpoints(self.session, self._records, self._runtimes)
        live.follow(self._data_breakpoints.left)
        self.session.parts = [
            self,
            replay,
            self._node_stops,
            self._lifecycle,
            self._bindings,
            self._data_breakpoints,
            self._filters,
            self._functions,
            self._stops,
            exceptions,
            remembered,
            self._records,
            Unanswered(self.session),
        ]

    async def run(self) -> int:
        """Until the session is over; the exit code."""
        self.session.start(self._warm_up())
        try:
            await self._runtimes.start()
            await self.session.run()
        finally:
            await self._observers.close()
            await self._runtimes.close()
        return self.session.exit_code

    async def _warm_up(self) -> None:
        """Import what the first breakpoints need while the program is still starting."""
        await asyncio.to_thread(importlib.import_module, "graphdebug.analysis")

    async def _let_observe(self, program: str) -> None:
        """The program has started: other programs of this user may look at it."""
        try:
            await self._observers.open(
                "debug", os.getpid(), program, self._lifecycle.cwd, self._lifecycle.started
            )
        except OSError as error:
            self.session.output(f"language servers can't find this session: {error}")

    def _tell(self, event: str, body: dict[str, Any]) -> None:
        """An event for the client and for those who look on."""
        self.session.event(event, body)
        self._observers.tell(event, body)

    async def terminated_event(self, event: Message) -> None:
        """The program is over: what it still had to say comes first."""
        await self._runtimes.drained(1.0)
        self._records.flush()
        self.session.to_client(event)

    def configuration(self) -> messages.ConfigureArguments:
        return messages.ConfigureArguments(
            self._lifecycle.configuration,
            self._breakpoints.for_runtime(),
            self._filters.set,
            self._functions.set,
        )

    async def _configure(self) -> None:
        """Tell the runtimes that are here what they are told when they come."""
        await self._runtimes.tell("configure", self.configuration())

    def received(self, runtime: Runtime, event: Any) -> None:
        if isinstance(event, messages.GraphEvent):
            self._steps.add_graph(runtime.number, event)
        elif isinstance(event, messages.StepEvent):
            self._records.step(runtime, event)
        elif isinstance(event, messages.BoundaryEvent):
            self._records.flush()
            self._stops.boundary(runtime, event)
        elif isinstance(event, messages.NodeStopEvent):
            self._node_stops.announced(runtime, event)
        elif isinstance(event, messages.BindingEvent):
            self._bindings.corrected(event)
        elif isinstance(event, messages.BackwardEvent):
            self._bindings.run_backward(event)
        elif isinstance(event, messages.AlertEvent):
            self._records.alert(runtime, event)
        elif isinstance(event, messages.DroppedEvent):
            self._records.dropped()
        elif isinstance(event, messages.DataBreakpointEvent):
            self._data_breakpoints.changed(event)
        elif isinstance(event, messages.PublishedEvent):
            self._records.published(event)
        elif isinstance(event, messages.LogEvent):
            self.session.event(
                "output",
                {
                    "category": "stdout",
                    "output": event.text + "\n",
                    "source": {"path": event.source.path},
                    "line": event.source.line,
                },
            )
