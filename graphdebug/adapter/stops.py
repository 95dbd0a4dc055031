"""Stops: which of them are ours, what they say, and what they show."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from graphdebug.adapter.debugged import Debugged
from graphdebug.adapter.exceptions import Exceptions
from graphdebug.adapter.node_stops import NodeStops
from graphdebug.adapter.past import LiveStops
from graphdebug.adapter.ranks import Ranks
from graphdebug.adapter.records import Records
from graphdebug.adapter.references import References
from graphdebug.adapter.remembered import Remembered
from graphdebug.adapter.replay import Replay
from graphdebug.adapter.session import Session
from graphdebug.adapter.turns import Boundary, Turns
from graphdebug.observation.breakpoints import Bound, Breakpoints
from graphdebug.observation.runtimes import Runtime, Runtimes, same_path
from graphdebug.observation.steps import Steps, UnknownStep
from graphdebug.protocol.dap import StoppedPlace
from graphdebug.protocol.model import Node
from graphdebug.protocol.runtime import (
    STANDING,
    BoundaryEvent,
    FlushArguments,
    LeftArguments,
    Standing,
)
from graphdebug.protocol.wire import WireError, from_wire, to_wire
from graphdebug.transport.framing import Message

LOOK_UP_SECONDS = 1.0
"""How long a stop waits for debugpy to say where it is; the stop is passed on without that then."""

LEFT_SECONDS = 0.1
"""How long after a thread went on its process is told that what was kept for the stop can go. One that
runs the next graph until then sees it itself, and isn't disturbed."""

FORWARD = "forward: autograd Nodes that this line made stop again in backward"

BUILDING = "tensors are symbolic here: the graph is being built, and no value exists before it runs"

PLACE = "__import__('sys').modules['graphdebug.runtime.boot'].place()"
"""Evaluated in the stopped thread: ``building`` or ``eager``."""


HERE = "__import__('sys').modules['graphdebug.runtime.boot'].runtime.stops.here()"
"""Evaluated in the stopped thread: the number of the boundary that it is stopped at."""

LINE_REASONS = ("breakpoint", "step", "function breakpoint")
"""Why debugpy stops where a line begins."""

RETRACE = "graphdebug.retrace"
"""The exception filter whose stops are answered as exceptions."""


class Stops:
    """Annotates debugpy's ``stopped`` events, and answers for what is shown at ours."""

    def __init__(
        self,
        session: Session,
        breakpoints: Breakpoints,
        runtimes: Runtimes,
        steps: Steps,
        records: Records,
        remembered: Remembered,
        exceptions: Exceptions,
        live: LiveStops,
        ranks: Ranks,
        tell: Callable[[list[Bound]], None],
    ) -> None:
        self._session = session
        self._breakpoints = breakpoints
        self._runtimes = runtimes
        self._steps = steps
        self._records = records
        self._tell = tell
        self._references = References()
        self._remembered = remembered
        self._exceptions = exceptions
        self._live = live
        self._ranks = ranks
        self._expected: list[Boundary] = []
        self._turns = Turns(session)
        self._top: dict[str, Any] | None = None
        self._standing: dict[int, Boundary] = {}
        self._gone: dict[int, Boundary] = {}
        self.replay: Replay | None = None
        """Hears of the boundaries that threads stop at."""
        self._frames: dict[int, tuple[int | None, BoundaryEvent]] = {}
        self.node_stops: NodeStops | None = None
        """Says what stops inside of running graphs are."""

    # From the runtimes

    def boundary(self, runtime: Runtime, event: BoundaryEvent) -> None:
        """A graph run that a breakpoint is bound to is over: its thread may stop now."""
        boundary = Boundary(runtime, event)
        self._expected.append(boundary)
        self._turns.add(boundary)

    # From debugpy

    async def stopped_event(self, message: Message) -> None:
        """Say what kind of stop it is, once the place is known."""
        body = message["body"]
        standing = _standing(body)
        self._turns.stopped(body.get("threadId", 0))
        self._remembered.forget()
        self._left(body.get("threadId"))
        self._top = None
        if self._runtimes.here and not (self._has_all(standing) and self._is_plain(body, standing)):
            try:
                await asyncio.wait_for(self._look_up(body, standing), LOOK_UP_SECONDS)
            except (asyncio.TimeoutError, asyncio.CancelledError, KeyError):
                pass  # the stop matters more than what we could say of it
        self._ranks.stopped(body.get("threadId", 0), self._top)
        self._live.stopped(body)
        self._session.to_client(message)

    def continued_event(self, message: Message) -> None:
        """What was shown at the stop is gone."""
        thread = message["body"].get("threadId", 0)
        upstream = self._session.upstream
        gone = upstream.of(thread)
        self._frames = {id: at for id, at in self._frames.items() if upstream.of(id) is not gone}
        self._remembered.forget()
        everything = message["body"].get("allThreadsContinued", True)
        self._left(None if everything else thread)
        self._session.to_client(message)
        self._turns.went_on(thread)

    def process_gone(self, one: Debugged) -> None:
        """A process has ended, and its stops with it."""
        for thread in one.threads:
            self._left(thread)

    def _left(self, thread: int | None) -> None:
        """A thread goes on, or all do."""
        self._exceptions.left(thread)
        self._ranks.left(thread)
        self._live.left(thread)
        if self.replay is not None:
            self.replay.left(thread)
        if self.node_stops is not None:
            self.node_stops.left(thread)
        for stopped in [thread] if thread is not None else list(self._standing):
            boundary = self._standing.pop(stopped, None)
            if boundary is not None:
                self._gone[stopped] = boundary
                self._session.start(self._tell_left(stopped, boundary))

    async def _tell_left(self, thread: int, boundary: Boundary) -> None:
        await asyncio.sleep(LEFT_SECONDS)
        if self._gone.get(thread) is boundary:
            del self._gone[thread]
            await boundary.runtime.request("left", LeftArguments(boundary.event.boundary))

    def _has_all(self, standing: Standing | None) -> bool:
        """Whether what the program did before it stopped is here."""
        return standing is not None and standing.told and self._runtimes.quiet

    def _is_plain(self, body: dict[str, Any], standing: Standing | None) -> bool:
        """Whether a stop is debugpy's alone, at a place of which all is known; say then what it is."""
        if standing is None or standing.ours or body.get("reason") == "exception":
            return False
        frame = standing.frame
        if body.get("reason") in LINE_REASONS:
            if self._observed() and self._breakpoints.kind(frame.path, frame.line) != "line":
                return False
            if self._breakpoints.runs_backward(frame.path, frame.line):
                body.update(text=FORWARD)
        self._top = {"source": {"path": frame.path}, "line": frame.line, "name": frame.function}
        return True

    async def _look_up(self, body: dict[str, Any], standing: Standing | None) -> None:
        # What the program did before it stopped is known to the client when it hears of the stop.
        flushed = self._runtimes.tell("flush", FlushArguments())
        if (self._expected or self._observed()) and not self._is_plain(body, standing):
            _, top = await asyncio.gather(flushed, self._top_frame(body["threadId"]))
        else:
            await flushed
            asks = (self._expected or self._observed()) and not self._is_plain(body, standing)
            top = await self._top_frame(body["threadId"]) if asks else None
        if top is not None:
            await self._annotate(body, top)

    async def _annotate(self, body: dict[str, Any], top: dict[str, Any]) -> None:
        self._top = top
        if self.node_stops is not None and await self.node_stops.annotate(body, top):
            return
        boundary = await self._take(top)
        if boundary is not None:
            self._standing[body["threadId"]] = boundary
            self._gone.pop(
                body["threadId"], None
            )  # the thread ran another graph, and so knows itself
            self._at_boundary(body, top, boundary)
        elif body.get("reason") == "exception":
            if self._observed():
                await self._exceptions.explain(body, top["id"])
        elif body.get("reason") in LINE_REASONS:
            await self._at_line(body, top)

    async def _top_frame(self, thread: int) -> dict[str, Any] | None:
        response = await self._session.upstream.ask(
            "stackTrace", threadId=thread, startFrame=0, levels=1
        )
        frames = response.get("body", {}).get("stackFrames") or [None]
        top: dict[str, Any] | None = frames[0]
        return top

    async def _take(self, top: dict[str, Any]) -> Boundary | None:
        """The boundary that this frame stands at, if one was announced."""
        path = (top.get("source") or {}).get("path") or ""
        found = [
            item
            for item in self._expected
            if item.event.frame.line == top["line"]
            and same_path(item.event.frame.path, path)
            and self._session.upstream.in_process(top["id"], item.runtime)
        ]
        if not found:
            return None
        # Another thread may be at the same line: only this one knows which boundary is its own.
        answer = await self._session.upstream.ask(
            "evaluate", expression=HERE, frameId=top["id"], context="hover"
        )
        here = (answer.get("body") or {}).get("result")
        for boundary in found:
            if not answer.get("success") or str(boundary.event.boundary) == here:
                self._expected.remove(boundary)
                self._turns.came(boundary)
                return boundary
        return None

    def _at_boundary(self, body: dict[str, Any], top: dict[str, Any], boundary: Boundary) -> None:
        event = boundary.event
        step = self._steps.place(boundary.runtime.number, event.step)
        self._frames[top["id"]] = step, event
        if event.filter == RETRACE:
            self._exceptions.alerted(body["threadId"], event.filter, event.text)
            body.update(reason="exception", description=event.title, text=event.text)
            return
        hit = [
            bound.id
            for line in event.lines
            for bound in self._breakpoints.at(line.path, line.line)
            if bound.id is not None
        ]
        body.update(
            reason="function breakpoint" if event.hit and not hit else "breakpoint",
            description=event.title,
            text=event.text,
            hitBreakpointIds=[*hit, *event.hit],
        )
        if self.replay is not None and step is not None:
            body["graphdebug"] = to_wire(StoppedPlace(step))
            self.replay.arrived(body, top["id"], event, step)

    async def _at_line(self, body: dict[str, Any], top: dict[str, Any]) -> None:
        """A stop of debugpy's: does Python run the program here, or build a graph?"""
        path = (top.get("source") or {}).get("path") or ""
        line = top["line"]
        if self._breakpoints.runs_backward(path, line):
            body.update(text=FORWARD)
        if not self._observed() or self._breakpoints.kind(path, line) == "line":
            return
        place = await self._session.upstream.ask(
            "evaluate", expression=PLACE, frameId=top["id"], context="hover"
        )
        if not place.get("success"):
            return
        if "building" in place["body"]["result"]:
            body.update(description="Building graph", text=BUILDING)
        elif body["reason"] == "breakpoint" and "eager" in place["body"]["result"]:
            self._tell(self._breakpoints.ran_eagerly(path, line))

    def _observed(self, framework: str | None = None) -> bool:
        return any(
            backend.active and framework in (None, backend.name)
            for runtime in self._runtimes.here
            for backend in runtime.backends.values()
        )

    # For the client

    def scopes_request(self, request: Message) -> None:
        """At a boundary, the recorded executions come after the frame's own scopes."""
        shown = self._frames.get(request["arguments"]["frameId"])
        self._remembered.scopes(request, [] if shown is None else [self._graph_scope(*shown)])

    def _graph_scope(self, step: int | None, event: BoundaryEvent) -> dict[str, Any]:
        count = 0 if step is None else len(event.executions)
        if step is not None and self._steps.undescribed(step) is None:
            count = len(self._described(step, event))
        return {
            "name": f"Graph run: {count} executions",
            "variablesReference": self._references.executions(lambda: self._nodes(step, event)),
            "indexedVariables": count,
            "expensive": False,
            **({"source": {"path": event.lines[0].path}} if event.lines else {}),
        }

    async def _nodes(self, step: int | None, event: BoundaryEvent) -> list[Node]:
        """The executions that breakpoints stop at, as far as they are kept."""
        if step is None:
            return []
        await self._records.described(step)
        return self._steps.in_step(step, self._described(step, event))

    def _described(self, step: int, event: BoundaryEvent) -> list[Node]:
        nodes: list[Node] = []
        for index in event.executions:
            try:
                nodes.append(self._steps.node(step, index))
            except UnknownStep:
                break
        return nodes

    def variables_request(self, request: Message) -> Any:
        """Ours, or debugpy's."""
        if not self._references.owns(request["arguments"]["variablesReference"]):
            return self._session.forward(request)
        return self._variables(request)

    async def _variables(self, request: Message) -> None:
        arguments = request["arguments"]
        await self._references.look(arguments["variablesReference"])
        self._session.reply(request, {"variables": self._references.variables(arguments)})

    def setVariable_request(self, request: Message) -> None:
        """What was recorded can't be changed."""
        if not self._references.owns(request["arguments"].get("variablesReference")):
            return self._session.forward(request)
        return self._session.fail(request, "a recorded value can't be changed: the run is over")


def _standing(body: dict[str, Any]) -> Standing | None:
    """What the process said of its stop, which isn't the client's; None where it said nothing."""
    said = body.pop(STANDING, None)
    try:
        return None if said is None else from_wire(Standing, said)
    except WireError:
        return None
