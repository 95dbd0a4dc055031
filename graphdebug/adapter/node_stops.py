"""Stops inside running graphs: what they say, and how the client steps from one to the next."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from graphdebug.adapter.exceptions import Exceptions
from graphdebug.adapter.session import PASS, Session
from graphdebug.observation.breakpoints import Breakpoints
from graphdebug.observation.runtimes import Runtime, same_path
from graphdebug.protocol.runtime import NodeStopAction, NodeStopArguments, NodeStopEvent
from graphdebug.transport.framing import Message

HERE = "__import__('sys').modules['graphdebug.runtime.boot'].node_stop()"
"""Evaluated in the stopped thread: the number of the stop that it stands at."""


@dataclass(frozen=True)
class _Expected:
    runtime: Runtime
    event: NodeStopEvent


class NodeStops:
    """Between the runtime, which holds the graph, and debugpy, which stops the thread that called it.

    A step from such a stop is one for the runtime: it is told, and debugpy has the thread go on.
    """

    def __init__(self, session: Session, breakpoints: Breakpoints, exceptions: Exceptions) -> None:
        self._session = session
        self._breakpoints = breakpoints
        self._exceptions = exceptions
        self._expected: list[_Expected] = []
        self._standing: dict[int, _Expected] = {}

    def announced(self, runtime: Runtime, event: NodeStopEvent) -> None:
        """A thread is going to stop, once the runtime knows that this is known here."""
        self._expected.append(_Expected(runtime, event))
        arguments = NodeStopArguments(event.stop, "stop")
        self._session.start(self._tell(runtime, arguments))

    async def _tell(self, runtime: Runtime, arguments: NodeStopArguments) -> None:
        await runtime.request("nodeStop", arguments)

    async def annotate(self, body: dict[str, Any], top: dict[str, Any]) -> bool:
        """Say what a stop is, whose innermost frame is ``top``; whether it is one of these."""
        found = await self._take(top)
        if found is None:
            return False
        event = found.event
        if event.inside:
            self._standing[body["threadId"]] = found
        if event.filter is not None:
            self._exceptions.alerted(body["threadId"], event.filter, event.text)
        frame = event.frame
        hit = self._breakpoints.at(frame.path, frame.line) if event.reason == "breakpoint" else []
        body.update(
            reason=event.reason,
            description=event.title,
            text=event.text,
            hitBreakpointIds=[
                *(bound.id for bound in hit if bound.id is not None),
                *event.hit,
            ],
        )
        return True

    def left(self, thread: int | None) -> None:
        """A thread goes on, or all do."""
        if thread is None:
            self._standing.clear()
        else:
            self._standing.pop(thread, None)

    def next_request(self, request: Message) -> Any:
        """To the next node."""
        return self._step(request, "step")

    def stepIn_request(self, request: Message) -> Any:
        """The same: there is nothing of Python's in a node."""
        return self._step(request, "step")

    def stepOut_request(self, request: Message) -> Any:
        """To the line that called the graph, unless a breakpoint comes first."""
        return self._step(request, "out")

    def _step(self, request: Message, action: NodeStopAction) -> Any:
        found = self._standing.pop((request.get("arguments") or {}).get("threadId", 0), None)
        return PASS if found is None else self._move(request, found, action)

    async def _move(self, request: Message, found: _Expected, action: NodeStopAction) -> None:
        await self._tell(found.runtime, NodeStopArguments(found.event.stop, action))
        given = request["arguments"]
        arguments = {key: given[key] for key in ("threadId", "singleThread") if key in given}
        answer = await self._session.upstream.ask("continue", **arguments)
        if answer.get("success"):
            self._session.reply(request)
        else:
            self._session.fail(request, str(answer.get("message")))

    async def _take(self, top: dict[str, Any]) -> _Expected | None:
        path = (top.get("source") or {}).get("path") or ""
        at = [
            item
            for item in self._expected
            if item.event.frame.line == top["line"]
            and same_path(item.event.frame.path, path)
            and self._session.upstream.in_process(top["id"], item.runtime)
        ]
        if not at:
            return None
        # Another thread may stop at this line, and Python itself may: only the thread knows.
        answer = await self._session.upstream.ask(
            "evaluate", expression=HERE, frameId=top["id"], context="hover"
        )
        number = answer.get("body", {}).get("result")
        for item in at:
            if str(item.event.stop) == number:
                self._expected.remove(item)
                return item
        return None
