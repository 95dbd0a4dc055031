"""A job: what its runtimes tell, kept for whoever looks, whether or not an editor debugs it.

A launched program's job lives as long as its session. A job that was made attachable outlives its
clients: see ``protocol.hub`` for who comes to it, and how.

An editor's session with it is a ``DebugAdapter(client, upstream, job)``. Its debugpy comes from each
process that ``debug`` asks: start ``upstream = await Upstream.start_guarded()``, send it ``attach``
with ``listen``, and once it says ``debugpyWaitingForServer``, call
``await job.debug(runtime, port, upstream.tokens)`` for a process of ``job.runtimes.here``. When the
session ends, in whatever way, ``await job.undebug()`` takes debugpy out of the processes again.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import replace
from typing import Any

from graphdebug.observation.answers import Answers
from graphdebug.observation.debuggees import Tokens
from graphdebug.observation.observers import Observers
from graphdebug.observation.runtimes import Observer, Runtime, Runtimes
from graphdebug.observation.step_events import StepEvents
from graphdebug.observation.steps import Steps
from graphdebug.protocol import runtime as messages
from graphdebug.protocol.dap import (
    Configuration,
    GraphdebugAlertEvent,
    GraphdebugDroppedEvent,
)
from graphdebug.protocol.wire import to_wire


class Follower(ABC):
    """Hears what the runtimes say once the job has kept it: steps and alerts have the job's indices.

    Called on the loop.
    """

    @abstractmethod
    def received(self, runtime: Runtime, event: Any) -> None:
        """An event came; one of the dataclasses of ``protocol.runtime.EVENTS``."""


class Debugging(Follower):
    """A follower that debugs the job: it says what the runtimes do. There is one at most."""

    @abstractmethod
    def configuration(self) -> messages.ConfigureArguments:
        """What the runtimes are told, now or when they come."""


class Job(Observer):
    """The runtimes of a program, the steps that they made, and those who look at them."""

    def __init__(self, unattended: Configuration) -> None:
        """``unattended`` is what is recorded while nobody debugs the job."""
        self.unattended = unattended
        self.runtimes = Runtimes(self)
        self.steps = Steps()
        self.followers: list[Follower] = []
        self.debugging: Debugging | None = None
        self.answers = Answers(
            self.steps, self.runtimes, lambda: self.configuration().configuration.capture
        )
        self.observers = Observers(self.answers)
        self._step_events = StepEvents(self.observers.tell)

    def configuration(self) -> messages.ConfigureArguments:
        """What a runtime that just came is told."""
        if self.debugging is not None:
            return self.debugging.configuration()
        return messages.ConfigureArguments(self.unattended)

    async def configure(self) -> None:
        """Tell the runtimes that are here what they are told when they come."""
        await self.runtimes.tell("configure", self.configuration())

    async def debug(self, runtime: Runtime, port: int, tokens: Tokens) -> bool:
        """Have debugpy connect from a process to its adapter, which waits at this loopback port.

        Whether it was asked in time; that it came is seen by the adapter going on.
        """
        return await self.runtimes.debug(runtime, port, tokens)

    async def undebug(self) -> None:
        """Take debugpy out of all processes; what they record is as if nobody had debugged them."""
        self.debugging = None
        await self.runtimes.tell("undebug", messages.UndebugArguments())
        await self.configure()

    async def go(self) -> None:
        """A client has come: a program that waits for one need wait no more."""
        await self.runtimes.tell("go", messages.GoArguments())

    def received(self, runtime: Runtime, event: Any) -> None:
        if isinstance(event, messages.GraphEvent):
            self.steps.add_graph(runtime.number, event)
        elif isinstance(event, messages.StepEvent):
            event = replace(event, step=self.steps.add(runtime.number, event.step, event.graph))
            self._step_events.add(event.step)
        elif isinstance(event, messages.AlertEvent):
            event = messages.AlertEvent(self.steps.add_alert(runtime.number, event.alert))
            self.observers.tell("graphdebugAlert", to_wire(GraphdebugAlertEvent(event.alert)))
        elif isinstance(event, messages.DroppedEvent):
            dropped = GraphdebugDroppedEvent(self.answers.dropped)
            self.observers.tell("graphdebugDropped", to_wire(dropped))
        for follower in [*self.followers, *filter(None, [self.debugging])]:
            follower.received(runtime, event)

    def flush(self) -> None:
        """Tell observers of the last step now."""
        self._step_events.flush()

    async def close(self) -> None:
        """The job is over."""
        self.flush()
        await self.observers.close()
        await self.runtimes.close()
