"""Steps, nodes and alerts for the client, as they come and as it asks for them."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from typing import TypeVar

from graphdebug.adapter.session import Session
from graphdebug.observation.answers import Answers, Refused
from graphdebug.observation.step_events import StepEvents
from graphdebug.observation.steps import Steps
from graphdebug.protocol import dap
from graphdebug.protocol import runtime as messages
from graphdebug.protocol.model import Alert, Step
from graphdebug.protocol.wire import WireError, from_wire, to_wire
from graphdebug.transport.framing import Message

T = TypeVar("T")


class Records:
    """The custom requests and events of the Contract."""

    def __init__(self, session: Session, steps: Steps, answers: Answers) -> None:
        self._session = session
        self._steps = steps
        self._answers = answers
        self._events = StepEvents(session.event)
        self._keys = itertools.count()
        self._published: dict[str, asyncio.Future[messages.PublishedEvent]] = {}

    # From the runtimes

    def step(self, step: Step) -> None:
        """A step came: the client hears of the newest, ten times a second at most."""
        self._events.add(step)

    def flush(self) -> None:
        """Tell of the last step now."""
        self._events.flush()

    def alert(self, alert: Alert) -> None:
        """An alert came."""
        self._session.event("graphdebugAlert", to_wire(dap.GraphdebugAlertEvent(alert)))

    def dropped(self) -> None:
        """A runtime had to drop records."""
        self._session.event(
            "graphdebugDropped", to_wire(dap.GraphdebugDroppedEvent(self._answers.dropped))
        )

    def published(self, event: messages.PublishedEvent) -> None:
        """The result of an expression of ours came."""
        future = self._published.get(event.key)
        if future is not None and not future.done():
            future.set_result(event)

    # For the client

    def graphdebugSteps_request(self, request: Message) -> None:
        """The steps of a range."""
        self._answer(request)

    def graphdebugTimeline_request(self, request: Message) -> None:
        """The steps of a range, as a few points."""
        self._answer(request)

    def graphdebugAlerts_request(self, request: Message) -> None:
        """The alerts so far."""
        self._answer(request)

    async def graphdebugNodes_request(self, request: Message) -> None:
        """The nodes of a step that pass the filters."""
        await self._answer_of_nodes(request)

    async def graphdebugNode_request(self, request: Message) -> None:
        """One node."""
        await self._answer_of_nodes(request)

    def graphdebugState_request(self, request: Message) -> None:
        """What is observed, and where."""
        self._answer(request)

    async def _answer_of_nodes(self, request: Message) -> None:
        await self.described((request.get("arguments") or {}).get("step"))
        self._answer(request)

    async def described(self, step: object) -> None:
        """Have a step described that nobody looked into before."""
        await self._answers.described(step)

    def _answer(self, request: Message) -> None:
        try:
            body = self._answers.answer(request["command"], request.get("arguments"))
        except Refused as error:
            return self._session.fail(request, str(error))
        return self._session.reply(request, body)

    async def graphdebugTensor_request(self, request: Message) -> None:
        """A tensor of a stopped frame, or a recorded output."""
        wanted = self._arguments(dap.GraphdebugTensorArguments, request)
        if wanted is None:
            return
        if wanted.expression is not None and wanted.frame_id is not None:
            await self._live_tensor(request, wanted)
        elif wanted.step is not None and wanted.node is not None:
            await self._answer_of_nodes(request)
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

    def _arguments(self, cls: type[T], request: Message) -> T | None:
        """The request's arguments; None, and the request refused, where they are wrong."""
        try:
            return from_wire(cls, request.get("arguments") or {})
        except WireError as error:
            self._session.fail(request, str(error))
            return None
