"""Steps, nodes and alerts for the client, as they come and as it asks for them."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from typing import Any, TypeVar

from graphdebug.adapter.runtimes import Runtime, Runtimes, same_path
from graphdebug.adapter.session import Session, paged
from graphdebug.adapter.steps import Steps, UnknownStep
from graphdebug.protocol import dap
from graphdebug.protocol import runtime as messages
from graphdebug.protocol.model import Backend, Step
from graphdebug.protocol.wire import WireError, from_wire, to_wire
from graphdebug.transport.framing import Message

EVENT_INTERVAL = 0.1
"""Seconds between two ``graphdebugStep`` events at least."""

T = TypeVar("T")


class Records:
    """The custom requests and events of the Contract."""

    def __init__(
        self,
        session: Session,
        steps: Steps,
        runtimes: Runtimes,
        configuration: Callable[[], dap.Configuration],
    ) -> None:
        self._session = session
        self._steps = steps
        self._runtimes = runtimes
        self._configuration = configuration
        self._newest: Step | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._keys = itertools.count()
        self._published: dict[str, asyncio.Future[messages.PublishedEvent]] = {}

    # From the runtimes

    def step(self, runtime: Runtime, event: messages.StepEvent) -> None:
        """A step came: the client hears of the newest, ten times a second at most."""
        self._newest = self._steps.add(runtime.number, event.step, event.graph)
        if self._timer is None:
            self._tell_newest()

    def _tell_newest(self) -> None:
        self._timer = None
        if self._newest is not None:
            self._session.event("graphdebugStep", to_wire(dap.GraphdebugStepEvent(self._newest)))
            self._newest = None
            self._timer = asyncio.get_running_loop().call_later(EVENT_INTERVAL, self._tell_newest)

    def flush(self) -> None:
        """Tell of the last step now."""
        if self._timer is not None:
            self._timer.cancel()
        self._tell_newest()

    def alert(self, runtime: Runtime, event: messages.AlertEvent) -> None:
        """An alert came."""
        alert = self._steps.placed_alert(runtime.number, event.alert)
        self._session.event("graphdebugAlert", to_wire(dap.GraphdebugAlertEvent(alert)))

    def dropped(self) -> None:
        """A runtime had to drop records."""
        self._session.event(
            "graphdebugDropped", to_wire(dap.GraphdebugDroppedEvent(self._dropped()))
        )

    def published(self, event: messages.PublishedEvent) -> None:
        """The result of an expression of ours came."""
        future = self._published.get(event.key)
        if future is not None and not future.done():
            future.set_result(event)

    def _dropped(self) -> int:
        return sum(runtime.dropped for runtime in self._runtimes.all)

    # For the client

    def graphdebugSteps_request(self, request: Message) -> None:
        """The steps of a range."""
        wanted = self._arguments(dap.GraphdebugStepsArguments, request)
        if wanted is not None:
            steps = tuple(self._steps.between(wanted.begin, wanted.end))
            self._reply(request, dap.GraphdebugStepsResponse(steps, len(self._steps)))

    def graphdebugNodes_request(self, request: Message) -> None:
        """The nodes of a step that pass the filters."""
        wanted = self._arguments(dap.GraphdebugNodesArguments, request)
        if wanted is None:
            return None
        try:
            nodes = self._steps.nodes(wanted, same_path)
        except UnknownStep as error:
            return self._session.fail(request, str(error))
        page = self._steps.in_step(wanted.step, paged(nodes, wanted.start, wanted.count))
        self._reply(request, dap.GraphdebugNodesResponse(tuple(page), len(nodes)))

    def graphdebugNode_request(self, request: Message) -> None:
        """One node."""
        wanted = self._arguments(dap.GraphdebugNodeArguments, request)
        if wanted is None:
            return
        try:
            node = self._steps.node(wanted.step, wanted.node)
        except UnknownStep as error:
            self._session.fail(request, str(error))
            return
        (node,) = self._steps.in_step(wanted.step, [node])
        self._reply(request, dap.GraphdebugNodeResponse(node))

    def graphdebugState_request(self, request: Message) -> None:
        """What is observed, and where."""
        backends: dict[tuple[str, bool], Backend] = {}
        for runtime in self._runtimes.all:
            for backend in runtime.backends.values():
                backends.setdefault((backend.name, backend.active), backend)
        self._reply(
            request,
            dap.GraphdebugStateResponse(
                capture=self._configuration().capture,
                backends=tuple(backends.values()),
                ranks=tuple(runtime.rank for runtime in self._runtimes.all),
                dropped=self._dropped(),
            ),
        )

    async def graphdebugTensor_request(self, request: Message) -> None:
        """A tensor of a stopped frame, or a recorded output."""
        wanted = self._arguments(dap.GraphdebugTensorArguments, request)
        if wanted is None:
            return
        if wanted.expression is not None and wanted.frame_id is not None:
            await self._live_tensor(request, wanted)
        elif wanted.step is not None and wanted.node is not None:
            self._recorded_tensor(request, wanted)
        else:
            self._session.fail(
                request, "graphdebugTensor takes frameId and expression, or step, node and output"
            )

    async def _live_tensor(self, request: Message, wanted: dap.GraphdebugTensorArguments) -> None:
        inspect = "__import__('graphdebug.runtime.boot').runtime.boot.inspect"
        published = await self.publish(
            lambda key: (
                f"{inspect}({key!r}, ({wanted.expression}), {wanted.mode!r}, {wanted.slice!r})"
            ),
            wanted.frame_id,
        )
        if isinstance(published, str):
            return self._session.fail(request, published)
        if published.error is not None:
            return self._session.fail(request, published.error)
        return self._session.reply(request, published.result)

    async def publish(
        self, expression: Callable[[str], str], frame: int | None
    ) -> messages.PublishedEvent | str:
        """What an expression that is evaluated in a stopped frame publishes under the key it is given.

        A sentence for the user where that fails.
        """
        key = str(next(self._keys))
        future = self._published[key] = asyncio.get_running_loop().create_future()
        try:
            response = await self._session.upstream.ask(
                "evaluate", expression=expression(key), frameId=frame, context="repl"
            )
            if not response.get("success"):
                return str(response.get("message"))
            return await asyncio.wait_for(future, 2)
        except asyncio.TimeoutError:
            return "this process isn't observed: it has imported no framework"
        finally:
            del self._published[key]

    def _recorded_tensor(self, request: Message, wanted: dap.GraphdebugTensorArguments) -> None:
        assert wanted.step is not None and wanted.node is not None
        try:
            node = self._steps.node(wanted.step, wanted.node)
            tensor = node.outputs[wanted.output or 0]
        except UnknownStep as error:
            return self._session.fail(request, str(error))
        except IndexError:
            return self._session.fail(request, f"the node has {len(node.outputs)} outputs")
        if tensor.value is None and wanted.mode == "values":
            return self._session.fail(
                request,
                'the value was not captured; "capture": "values" keeps those of at most 16 elements',
            )
        values = tensor.value if wanted.mode == "values" else None
        return self._reply(request, dap.GraphdebugTensorResponse(tensor, values=values))

    def _arguments(self, cls: type[T], request: Message) -> T | None:
        """The request's arguments; None, and the request refused, where they are wrong."""
        try:
            return from_wire(cls, request.get("arguments") or {})
        except WireError as error:
            self._session.fail(request, str(error))
            return None

    def _reply(self, request: Message, response: Any) -> None:
        self._session.reply(request, to_wire(response))
