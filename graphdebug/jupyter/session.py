"""One kernel's session: what its processes told, and who hears of it."""

from __future__ import annotations

import asyncio
import collections
import uuid
from collections.abc import Callable
from typing import Any

from graphdebug.jupyter.cells import CellBreakpoints
from graphdebug.observation.breakpoints import Bound
from graphdebug.observation.job import Debugging, Job
from graphdebug.observation.runtimes import Runtime
from graphdebug.observation.step_events import StepEvents, Tell
from graphdebug.protocol import dap
from graphdebug.protocol import runtime as messages
from graphdebug.protocol.jupyter import KernelStopEvent
from graphdebug.protocol.model import Source
from graphdebug.protocol.wire import to_wire

PUBLISHED_KEPT = 64
"""Results that nobody has fetched yet, the newest."""

PUBLISHED_SECONDS = 10.0
"""How long the result of an evaluation is waited for."""


class KernelSession(Debugging):
    """From a start of the kernel to its end. All methods are called on the loop.

    The debugger in the kernel is Jupyter's: it knows the breakpoints, and tells the page itself where
    it stops. So the kernel's runtime reads them from there, and threads that it holds before a stop
    go on at once.
    """

    def __init__(
        self, configuration: dap.Configuration, cells: CellBreakpoints, tell: Tell
    ) -> None:
        self.id = uuid.uuid4().hex
        self.recorded = configuration
        """What is recorded."""
        self.over: Callable[[], None] = lambda: None
        """Called when the last of its processes has gone."""
        self._cells = cells
        self._tell = tell
        self._job = Job(configuration)
        self._job.debugging = self
        self._step_events = StepEvents(tell)
        self._published: collections.OrderedDict[str, asyncio.Future[messages.PublishedEvent]] = (
            collections.OrderedDict()
        )
        self._tasks: set[asyncio.Future[Any]] = set()

    async def open(self) -> messages.Invitation:
        """Let the kernel's processes come, with this."""
        await self._job.runtimes.start()
        return self._job.runtimes.invitation(self.recorded, own_breakpoints=True)

    async def close(self) -> None:
        """The kernel has ended."""
        self.over = lambda: None
        self._step_events.flush()
        await self._job.close()
        for future in self._published.values():
            future.cancel()

    async def configure(self, configuration: dap.Configuration) -> None:
        """Record something else from now on."""
        self.recorded = configuration
        await self._job.configure()

    async def answer(self, command: str, arguments: Any) -> dict[str, Any]:
        """The body of the answer to a request of the Contract. Raises Refused."""
        return await self._job.answers.answered(command, arguments)

    async def published(self, key: str) -> messages.PublishedEvent | None:
        """The result of an expression that was evaluated in the kernel; None where it doesn't come."""
        try:
            return await asyncio.wait_for(self._result(key), PUBLISHED_SECONDS)
        except asyncio.TimeoutError:
            return None
        finally:
            self._published.pop(key, None)

    def _result(self, key: str) -> asyncio.Future[messages.PublishedEvent]:
        if key not in self._published:
            self._published[key] = asyncio.get_running_loop().create_future()
            if len(self._published) > PUBLISHED_KEPT:
                self._published.popitem(last=False)[1].cancel()
        return self._published[key]

    # From the runtimes

    def configuration(self) -> messages.ConfigureArguments:
        return messages.ConfigureArguments(self.recorded)

    def received(self, runtime: Runtime, event: Any) -> None:
        if isinstance(event, messages.StepEvent):
            self._step_events.add(event.step)
        elif isinstance(event, messages.AlertEvent):
            self._tell("graphdebugAlert", to_wire(dap.GraphdebugAlertEvent(event.alert)))
        elif isinstance(event, messages.DroppedEvent):
            dropped = dap.GraphdebugDroppedEvent(self._job.answers.dropped)
            self._tell("graphdebugDropped", to_wire(dropped))
        elif isinstance(event, messages.BoundaryEvent):
            self._stops(runtime, event.frame, event.step, event.title, event.text)
            self._ask(runtime, "resume", messages.ResumeArguments(event.boundary, True))
        elif isinstance(event, messages.NodeStopEvent):
            self._stops(runtime, event.frame, event.step, event.title, event.text)
            self._ask(runtime, "nodeStop", messages.NodeStopArguments(event.stop, "stop"))
        elif isinstance(event, messages.BindingEvent):
            self._bound(self._cells.correct(event))
        elif isinstance(event, messages.BackwardEvent):
            self._bound(self._cells.run_backward(event))
        elif isinstance(event, messages.PublishedEvent):
            future = self._result(event.key)
            if not future.done():
                future.set_result(event)

    def left(self, runtime: Runtime) -> None:
        if not self._job.runtimes.here:
            self.over()

    def _bound(self, changed: list[Bound]) -> None:
        if changed:
            self._tell("breakpoints", to_wire(self._cells.event()))

    def _stops(self, runtime: Runtime, source: Source, step: int, title: str, text: str) -> None:
        self._step_events.flush()
        place = self._job.steps.place(runtime.number, step)
        self._tell("stop", to_wire(KernelStopEvent(source, place, title, text)))

    def _ask(self, runtime: Runtime, command: str, arguments: Any) -> None:
        task = asyncio.ensure_future(runtime.request(command, arguments))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
