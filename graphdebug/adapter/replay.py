"""Replay: stepping through a recorded run, forwards and backwards, from the boundary that it ended at.

The adapter moves a cursor over the record; the program stands still, and nothing of it runs again.
Values stay in the program, where debugpy evaluates what it takes to see them (``runtime.replays``).
From any other stop the way leads back through what the thread ran last (``past``).
"""

from __future__ import annotations

import ast
import asyncio
from collections.abc import Callable
from typing import Any

from graphdebug.adapter.evaluated import NAMES, REPLAYS, Evaluated
from graphdebug.adapter.past import LiveStops, PastWalk
from graphdebug.adapter.records import Records
from graphdebug.adapter.session import PASS, Passed, Session
from graphdebug.adapter.walks import FIRST_FRAME, Walk, kept
from graphdebug.observation.answers import paged
from graphdebug.observation.breakpoints import Breakpoints
from graphdebug.observation.runtimes import same_path
from graphdebug.observation.steps import Steps
from graphdebug.protocol.dap import GraphdebugNodesArguments
from graphdebug.protocol.model import Node
from graphdebug.protocol.runtime import BoundaryEvent
from graphdebug.transport.framing import Message

GONE = "the program has gone on, and this place of the recorded run with it"
UNREAD = "what was recorded of this run isn't there any more"
READ_ONLY = "a recorded value can't be changed: the run is over"
NO_STATEMENTS = "a statement can't run at a recorded place; step out, to where the program stands"


class Replay:
    """The walks of stopped threads. Requests that mean none of them are passed on.

    ``stops`` tells when a thread comes to a boundary with a record, and when it goes on.
    """

    def __init__(
        self,
        session: Session,
        breakpoints: Breakpoints,
        records: Records,
        steps: Steps,
        live: LiveStops,
        just_my_code: Callable[[], bool],
    ) -> None:
        self._session = session
        self._just_my_code = just_my_code
        self._breakpoints = breakpoints
        self._records = records
        self._steps = steps
        self._live = live
        self._walks: dict[int, Walk] = {}
        self._evaluated = Evaluated()
        self._moving = asyncio.Lock()

    # From the stops

    def arrived(self, body: dict[str, Any], frame: int, event: BoundaryEvent, step: int) -> None:
        """A thread stopped at a boundary, from where the nodes of a step can be walked through."""
        thread = body["threadId"]
        self.left(thread)
        if event.recorded:
            hits, version = frozenset(event.executions), self._breakpoints.version
            self._walks[thread] = Walk(thread, event, step, body, frame, (), hits, version)

    async def _read(self, walk: Walk) -> None:
        """Have the nodes of a walk: somebody is about to go into it."""
        if not walk.nodes:
            await self._records.described(walk.step)
            nodes = self._steps.nodes(GraphdebugNodesArguments(walk.step), same_path)
            walk.nodes = [node for node in nodes if self._shown(node)]

    def left(self, thread: int | None) -> None:
        """A thread goes on, or all do."""
        for walked in [thread] if thread is not None else list(self._walks):
            walk = self._walks.pop(walked, None)
            if isinstance(walk, PastWalk):
                self._session.start(walk.leave())
        if not self._walks:
            self._evaluated.clear()

    # Moving

    def next_request(self, request: Message) -> Any:
        """To the next execution; after the last one, back to the boundary."""
        walk = self._inside(request)
        return self._on(request) if walk is None else self._move(request, walk, 1)

    def stepIn_request(self, request: Message) -> Any:
        """The same; at the boundary, to the first one."""
        walk = self._walk(request)
        if walk is None or (walk.position is None and not walk.ahead):
            return self._on(request)
        return self._move(request, walk, 1)

    def stepBack_request(self, request: Message) -> Any:
        """To the execution before; before the first one, back to the boundary; from there, the last.

        From any other stop, to what its thread ran last.
        """
        return self._back(request)

    async def _back(self, request: Message) -> None:
        walk = self._walk(request) or await self._into_the_past(request)
        if walk is not None:
            await self._move(request, walk, -1)

    async def _into_the_past(self, request: Message) -> Walk | None:
        """A walk back from the thread's stop; None, and the request refused, where there is none."""
        thread = (request.get("arguments") or {}).get("threadId", 0)
        walk = await self._live.back(thread, self._shown)
        if isinstance(walk, str):
            self._session.fail(request, walk)
            return None
        self._walks[walk.thread] = walk
        return walk

    def _shown(self, node: Node) -> bool:
        return node.source is not None or not self._just_my_code()

    def stepOut_request(self, request: Message) -> Any:
        """To the boundary."""
        walk = self._inside(request)
        return self._on(request) if walk is None else self._move(request, walk, 0)

    def continue_request(self, request: Message) -> Any:
        """To the next execution that a breakpoint stops at; on with the program after the last."""
        walk = self._inside(request)
        return self._on(request) if walk is None else self._continue(request, walk)

    async def _continue(self, request: Message, walk: Walk) -> None:
        async with self._moving:
            await self._look_again(walk)
            there = walk.hit_beside(1)
            self._log(walk, there)
            if there is not None:
                self._go(request, walk, there, "breakpoint")
            else:
                self.left(walk.thread)
                self._session.forward(request)

    def reverseContinue_request(self, request: Message) -> Any:
        """To the execution before that a breakpoint stops at; else to the boundary."""
        return self._reverse(request)

    async def _reverse(self, request: Message) -> None:
        walk = self._walk(request) or await self._into_the_past(request)
        if walk is None:
            return
        async with self._moving:
            await self._read(walk)
            if not walk.nodes:
                return self._session.fail(request, UNREAD)
            await self._look_again(walk)
            self._go(request, walk, walk.hit_beside(-1), "breakpoint")

    async def _move(self, request: Message, walk: Walk, by: int) -> None:
        """To the execution ``by`` further, or, by none, to the boundary."""
        async with self._moving:
            await self._read(walk)
            if not walk.nodes:
                return self._session.fail(request, UNREAD)
            there = walk.beside(by) if by else None
            await self._look_again(walk)
            if there is not None and (walk.position is None or there > walk.position):
                self._log(walk, there)
            self._go(request, walk, there, "step")

    def _go(self, request: Message, walk: Walk, there: int | None, reason: str) -> None:
        walk.position = there
        goes_on = request["command"] == "continue"
        self._session.reply(request, {"allThreadsContinued": False} if goes_on else None)
        self._session.event("stopped", walk.body(reason, self._ids))

    def _on(self, request: Message) -> Passed:
        """The program goes on, as after any call."""
        self.left((request.get("arguments") or {}).get("threadId"))
        return PASS

    def _ids(self, path: str, line: int) -> list[int]:
        return [bound.id for bound in self._breakpoints.at(path, line) if bound.id is not None]

    def _log(self, walk: Walk, there: int | None) -> None:
        for text, path, line in walk.passed(there):
            output = {"category": "stdout", "output": text + "\n", "source": {"path": path}}
            self._session.event("output", {**output, "line": line})

    async def _look_again(self, walk: Walk) -> None:
        """Have the breakpoints evaluated again, if they changed since."""
        version = self._breakpoints.version
        if walk.version == version:
            return
        found = await self._records.publish(
            lambda key: f"{REPLAYS}.passed({walk.event.boundary}, {key!r})", walk.frame
        )
        if isinstance(found, str):
            self._session.output(f"the changed breakpoints don't count in this record: {found}")
            return
        walk.version, walk.hits = version, frozenset(found.result["stops"])
        walk.logs = {at: (text, path, line) for at, text, path, line in found.result["logs"]}

    # Looking

    def stackTrace_request(self, request: Message) -> Any:
        """The frame of the place above those that called the run."""
        walk = self._inside(request)
        return PASS if walk is None else self._stack(request, walk, walk.stack_frame())

    async def _stack(self, request: Message, walk: Walk, top: dict[str, Any]) -> None:
        if walk.stack is None:
            response = await self._session.upstream.ask("stackTrace", threadId=walk.thread)
            walk.stack = response.get("body", {}).get("stackFrames", [])
        arguments = request["arguments"]
        frames = [top, *walk.below()]
        page = paged(frames, arguments.get("startFrame") or 0, arguments.get("levels") or None)
        self._session.reply(request, {"stackFrames": page, "totalFrames": len(frames)})

    def scopes_request(self, request: Message) -> Any:
        """The node's, then those of the frame that called the run."""
        frame = request["arguments"]["frameId"]
        return PASS if frame < FIRST_FRAME else self._scopes(request, frame)

    async def _scopes(self, request: Message, frame: int) -> None:
        found = self._place(frame)
        if found is None:
            return self._session.fail(request, GONE)
        walk, index = found
        if frame not in walk.scopes:
            expression = f"{REPLAYS}.scopes({walk.event.boundary}, {index})"
            response = await self._session.upstream.ask(
                "evaluate", expression=expression, frameId=walk.frame, context="watch"
            )
            if not response.get("success"):
                return self._session.fail(request, _last_line(response))
            reference = response["body"]["variablesReference"]
            response = await self._session.upstream.ask("variables", variablesReference=reference)
            walk.scopes[frame] = [
                {
                    "name": item["name"],
                    "variablesReference": item["variablesReference"],
                    "expensive": False,
                }
                for item in response["body"]["variables"]
            ]
            self._evaluated.references.update(
                item["variablesReference"] for item in walk.scopes[frame]
            )
        theirs = []
        if walk.ahead:  # else the frame's variables have changed since
            response = await self._session.upstream.ask("scopes", frameId=walk.frame)
            theirs = response.get("body", {}).get("scopes", [])
        return self._session.reply(request, {"scopes": [*walk.scopes[frame], *theirs]})

    def variables_request(self, request: Message) -> Any:
        """What opens below a scope or a result of ours can't be changed."""
        if request["arguments"]["variablesReference"] not in self._evaluated.references:
            return PASS
        return self._session.forward(request, self._evaluated.mark)

    def evaluate_request(self, request: Message) -> Any:
        """At a place, with the node's names before the program's."""
        frame = (request.get("arguments") or {}).get("frameId") or 0
        return PASS if frame < FIRST_FRAME else self._evaluate(request, frame)

    async def _evaluate(self, request: Message, frame: int) -> None:
        found = self._place(frame)
        if found is None:
            return self._session.fail(request, GONE)
        walk, index = found
        arguments = request["arguments"]
        expression = arguments["expression"]
        if arguments.get("context") == "repl" and not _is_expression(expression):
            if not walk.ahead:
                return self._session.fail(request, NO_STATEMENTS)
            # A statement is the program's: it runs in the frame that called the run, as ever.
            there = {**arguments, "frameId": walk.frame}
            return self._session.forward(request, arguments=there)
        asked = self._evaluated.expression(walk, index, expression)
        there = {**arguments, "frameId": walk.frame, "expression": asked}
        response = await self._session.forwarded({**request, "arguments": there})
        if not response.get("success"):
            return self._session.fail(request, _last_line(response))
        if response["body"].get("variablesReference"):
            self._evaluated.references.add(response["body"]["variablesReference"])
        return self._session.to_client(response)

    def graphdebugTensor_request(self, request: Message) -> Any:
        """A tensor at a place, or of a record that a thread can walk through from where it stands."""
        arguments = request.get("arguments") or {}
        frame, expression = arguments.get("frameId"), arguments.get("expression")
        if isinstance(frame, int) and frame >= FIRST_FRAME and isinstance(expression, str):
            place = self._place(frame)
            if place is None:
                return self._session.fail(request, GONE)
            return self._tensor(request, *place, expression)
        walks = [walk for walk in self._walks.values() if walk.step == arguments.get("step")]
        if not all(walk.nodes for walk in walks):
            return self._read_tensor(request, walks)
        found = kept(self._walks.values(), arguments)
        return PASS if found is None else self._tensor(request, *found)

    async def _read_tensor(self, request: Message, walks: list[Walk]) -> None:
        """The same, of a record that nobody looked into yet."""
        for walk in walks:
            await self._read(walk)
        found = kept(walks, request["arguments"])
        await (
            self._tensor(request, *found)
            if found
            else self._records.graphdebugTensor_request(request)
        )

    def _tensor(self, request: Message, walk: Walk, index: int, expression: str) -> Any:
        arguments = request["arguments"]
        asked = self._evaluated.expression(walk, index, expression)
        there = {**arguments, "frameId": walk.frame, "expression": asked}
        return self._records.graphdebugTensor_request({**request, "arguments": there})

    def completions_request(self, request: Message) -> Any:
        """The node's names before the program's."""
        arguments = request.get("arguments") or {}
        frame = arguments.get("frameId") or 0
        if frame < FIRST_FRAME:
            return PASS
        found = self._place(frame)
        if found is None:
            return self._session.reply(request, {"targets": []})
        walk = found[0]
        typed = str(arguments.get("text", ""))[: max(0, arguments.get("column", 1) - 1)]

        def add(body: dict[str, Any]) -> None:
            if typed.isidentifier():
                ours = [{"label": name} for name in NAMES if name.startswith(typed)]
                body["targets"] = [*ours, *(body.get("targets", []) if walk.ahead else [])]

        return self._session.forward(request, add, {**arguments, "frameId": walk.frame})

    def stepInTargets_request(self, request: Message) -> Any:
        """At a place there is but one way in."""
        if request["arguments"]["frameId"] < FIRST_FRAME:
            return PASS
        return self._session.reply(request, {"targets": []})

    # Refusing

    def setVariable_request(self, request: Message) -> Any:
        """What was recorded stays as it is."""
        if request["arguments"].get("variablesReference") not in self._evaluated.references:
            return PASS
        return self._session.fail(request, READ_ONLY)

    def setExpression_request(self, request: Message) -> Any:
        """What was recorded stays as it is."""
        if (request["arguments"].get("frameId") or 0) < FIRST_FRAME:
            return PASS
        return self._session.fail(request, READ_ONLY)

    def goto_request(self, request: Message) -> Any:
        """The program can be sent elsewhere from the boundary."""
        if self._inside(request) is None:
            return self._on(request)
        return self._session.fail(
            request,
            "the recorded run is over, nothing in it can be jumped to; step out of it first",
        )

    # Which walk

    def _walk(self, request: Message) -> Walk | None:
        return self._walks.get((request.get("arguments") or {}).get("threadId", 0))

    def _inside(self, request: Message) -> Walk | None:
        walk = self._walk(request)
        return None if walk is None or walk.position is None else walk

    def _place(self, frame: int) -> tuple[Walk, int] | None:
        for walk in self._walks.values():
            index = walk.index_of(frame)
            if index is not None:
                return walk, index
        return None


def _is_expression(text: str) -> bool:
    try:
        ast.parse(text.strip(), mode="eval")
    except (SyntaxError, ValueError):
        return False
    return True


def _last_line(response: Message) -> str:
    """What went wrong, without the frames that led there, which are ours."""
    lines = str(response.get("message") or "it can't be evaluated").strip().splitlines()
    return lines[-1].strip()
