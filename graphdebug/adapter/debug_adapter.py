"""Puts the parts of a session together and runs it."""

from __future__ import annotations

import asyncio
import importlib
import os
from typing import Any

from graphdebug.adapter.attaching import Attaching
from graphdebug.adapter.bindings import Bindings
from graphdebug.adapter.children import Children
from graphdebug.adapter.data_breakpoints import DataBreakpoints
from graphdebug.adapter.exceptions import Exceptions
from graphdebug.adapter.filters import Filters
from graphdebug.adapter.function_breakpoints import FunctionBreakpoints
from graphdebug.adapter.lifecycle import Lifecycle
from graphdebug.adapter.node_stops import NodeStops
from graphdebug.adapter.past import LiveStops
from graphdebug.adapter.ranks import Ranks
from graphdebug.adapter.records import Records
from graphdebug.adapter.remembered import Remembered
from graphdebug.adapter.replay import Replay
from graphdebug.adapter.session import Session
from graphdebug.adapter.sources import Sources
from graphdebug.adapter.stops import Stops
from graphdebug.adapter.unanswered import Unanswered
from graphdebug.adapter.upstream import Upstream
from graphdebug.observation.breakpoints import Breakpoints
from graphdebug.observation.job import Debugging, Job
from graphdebug.observation.runtimes import Runtime
from graphdebug.protocol import runtime as messages
from graphdebug.protocol.dap import Configuration
from graphdebug.protocol.observers import RunningSession
from graphdebug.transport.connections import Connection
from graphdebug.transport.framing import Message


class DebugAdapter(Debugging):
    """One client's session, and what the runtimes say in it."""

    def __init__(self, client: Connection, upstream: Upstream, job: Job | None = None) -> None:
        """With a ``job`` the client attaches to it; else the session launches one of its own."""
        self.session = Session(client, upstream)
        self._attaches = job is not None
        self._job = job or Job(Configuration())
        self._runtimes, steps = self._job.runtimes, self._job.steps
        self._breakpoints = Breakpoints()
        self._lifecycle = Lifecycle(
            self.session,
            self._runtimes,
            self._breakpoints,
            self._let_observe,
            has_job=self._attaches,
        )
        self._attaching = Attaching(self.session, self._job, lambda: self._lifecycle.configuration)
        self._filters = Filters(self.session, self._configure)
        self._functions = FunctionBreakpoints(
            self.session,
            self._functions_changed,
            lambda: self._breakpoints.observed,
            lambda: self._lifecycle.configuration.static_graphs,
        )
        self._bindings = Bindings(self.session, self._breakpoints, self._runtimes)
        self._records = Records(self.session, steps, self._job.answers)
        self._ranks = Ranks(self.session, self._runtimes)
        children = Children(self.session, self._runtimes, lambda: self._lifecycle.configuration)
        remembered = Remembered(self.session)
        exceptions = Exceptions(self.session, self._records)
        live = LiveStops(self.session, self._records, self._runtimes, steps)
        self._stops = Stops(
            self.session,
            self._breakpoints,
            self._runtimes,
            steps,
            self._records,
            remembered,
            exceptions,
            live,
            self._ranks,
            self._bindings.tell,
        )
        replay = self._stops.replay = Replay(
            self.session,
            self._breakpoints,
            self._records,
            steps,
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
            *([self._attaching, Sources(self.session)] if self._attaches else []),
            children,
            self._ranks,
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
        self._job.debugging = self
        try:
            if self._attaches:
                self.session.leave = self._job.undebug
            else:
                await self._runtimes.start()
            await self.session.run()
        finally:
            if not self._attaches:
                await self._job.close()
        return self.session.exit_code

    async def _warm_up(self) -> None:
        """Import what the first breakpoints need while the program is still starting."""
        await asyncio.to_thread(importlib.import_module, "graphdebug.analysis")

    async def _let_observe(self, program: str) -> None:
        """The program has started: other programs of this user may look at it."""
        if self._attaches:
            return
        try:
            session, _ = await self._job.open(
                RunningSession(
                    "",
                    "",
                    os.getpid(),
                    "debug",
                    program,
                    self._lifecycle.cwd,
                    self._lifecycle.started,
                )
            )
            self._job.publish(session)
        except OSError as error:
            self.session.output(f"language servers can't find this session: {error}")

    async def terminated_event(self, event: Message) -> None:
        """The program is over: what it still had to say comes first."""
        if not self._attaches:
            await self._runtimes.drained(1.0)
        self._records.flush()
        self._job.flush()
        self.session.to_client(event)

    def configuration(self) -> messages.ConfigureArguments:
        return messages.ConfigureArguments(
            self._lifecycle.configuration,
            self._breakpoints.for_runtime(),
            self._filters.set,
            self._functions.set,
            debugged=True,
        )

    def takes(self, runtime: Runtime) -> bool:
        return self._attaches and self._attaching.takes(runtime)

    async def _configure(self) -> None:
        await self._job.configure()

    async def _functions_changed(self) -> None:
        self._breakpoints.version += 1
        await self._configure()

    def received(self, runtime: Runtime, event: Any) -> None:
        self._ranks.received(runtime, event)
        if self._attaches and isinstance(event, messages.HelloEvent):
            self._attaching.came(runtime)
        elif self._attaches and isinstance(event, messages.RankEvent):
            self._attaching.ranked(runtime)
        if isinstance(event, messages.StepEvent):
            self._records.step(event.step)
        elif isinstance(event, messages.BoundaryEvent):
            self._records.flush()
            self._stops.boundary(runtime, event)
        elif isinstance(event, messages.NodeStopEvent):
            self._node_stops.announced(runtime, event)
        elif isinstance(event, messages.BindingEvent):
            self._bindings.corrected(event)
        elif isinstance(event, messages.NodeBindingEvent):
            self._functions.bound(event)
        elif isinstance(event, messages.BackwardEvent):
            self._bindings.run_backward(event)
        elif isinstance(event, messages.AlertEvent):
            self._records.alert(event.alert)
        elif isinstance(event, messages.DroppedEvent):
            self._records.dropped()
        elif isinstance(event, messages.DataBreakpointEvent):
            self._data_breakpoints.changed(event)
        elif isinstance(event, messages.PublishedEvent):
            self._records.published(event)
        elif isinstance(event, messages.UndebuggedEvent):
            self._attaching.undebugged(runtime, event)
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
