"""Breakpoint requests: each is answered with what the breakpoint will do."""

from __future__ import annotations

from typing import Any

from graphdebug.adapter.session import Session
from graphdebug.observation.breakpoints import Bound, Breakpoints
from graphdebug.observation.runtimes import Runtimes
from graphdebug.protocol.runtime import BackwardEvent, BindingEvent, SetBreakpointsArguments
from graphdebug.transport.framing import Message


class Bindings:
    """``setBreakpoints`` and ``breakpoint``, with the binding in ``message``."""

    def __init__(self, session: Session, breakpoints: Breakpoints, runtimes: Runtimes) -> None:
        self._session = session
        self._breakpoints = breakpoints
        self._runtimes = runtimes

    async def setBreakpoints_request(self, request: Message) -> None:
        """Answered once debugpy and every runtime have them, so that no run is missed."""
        arguments = request.get("arguments") or {}
        path = (arguments.get("source") or {}).get("path")
        if not isinstance(path, str):
            return self._session.forward(request)
        asked = arguments.get("breakpoints")
        if asked is None:
            asked = [{"line": line} for line in arguments.get("lines") or []]
        if not all(type(item.get("line")) is int and item["line"] > 0 for item in asked):
            return self._session.fail(request, '"line" of each breakpoint is a number from 1')
        requested = self._breakpoints.request(path, asked)
        response = await self._session.forwarded(request)
        if response.get("success"):
            body = response["body"]
            body["breakpoints"] = self._breakpoints.answer(path, body["breakpoints"])
            requested = self._breakpoints.placed(path, body["breakpoints"])
        await self._runtimes.tell("setBreakpoints", SetBreakpointsArguments(path, requested))
        self._session.to_client(response)
        return None

    def breakpointLocations_request(self, request: Message) -> None:
        """The lines where a breakpoint can stop, from the source."""
        arguments = request["arguments"]
        path = arguments["source"].get("path") or ""
        begin = arguments["line"]
        lines = self._breakpoints.locations(path, begin, arguments.get("endLine") or begin)
        self._session.reply(request, {"breakpoints": [{"line": line} for line in lines]})

    def breakpoint_event(self, event: Message) -> None:
        """debugpy moved or verified one."""
        body: dict[str, Any] = event["body"]
        moved = self._breakpoints.moved(body["breakpoint"])
        self._session.event("breakpoint", {**body, "breakpoint": moved})

    def corrected(self, event: BindingEvent) -> None:
        """A runtime knows better."""
        self.tell(self._breakpoints.correct(event))

    def run_backward(self, event: BackwardEvent) -> None:
        """A runtime saw Nodes that these lines made run backward, where breakpoints stop too."""
        self.tell(self._breakpoints.run_backward(event))

    def tell(self, changed: list[Bound]) -> None:
        """Tell the client of breakpoints whose binding changed."""
        for bound in changed:
            self._session.event("breakpoint", {"reason": "changed", "breakpoint": bound.body()})
