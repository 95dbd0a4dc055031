"""debugpy's ends: one for each process that it debugs in this session, behind one face.

The first process is the one that was launched or attached to; its messages pass as they are. Where
others join it (``ranks``), each request goes where its ids point, or to all, and the client sees one set
of ids (``ids``) and one answer (``merging``).
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Sequence
from typing import Any

from graphdebug.adapter import merging, rank_conditions
from graphdebug.adapter.debugged import Debugged
from graphdebug.adapter.ids import Ids
from graphdebug.adapter.upstream import GONE, Answered, Upstream
from graphdebug.observation.debuggees import Tokens
from graphdebug.observation.runtimes import Runtime
from graphdebug.transport.framing import Message

Arrived = tuple[Debugged, "Message | None"]
"""A message and who sent it; None when it has gone."""

Announced = Callable[[Debugged, dict[str, Any]], None]
"""Hears of a child of a process, with the configuration to attach to it."""

_OWN = frozenset(("initialized", "debugpySockets", "debugpyWaitingForServer", "process", "exited"))
"""Events that tell something of one process, or of one connection, and not of the session."""


_ANYWHERE = frozenset(("evaluate", "completions", "gotoTargets", "setExpression"))
"""Requests that mean, where they name no place, the process that stopped last."""


class Upstreams:
    """Requests to debugpy, and what it sends; see ``Upstream``, whose place this takes."""

    def __init__(self, first: Upstream) -> None:
        self.first = Debugged(0, first)
        self.all = [self.first]
        """Those that take part in the session."""
        self.announced: Announced | None = None
        """Told of children; without it the client is."""
        self.inbox: asyncio.Queue[Arrived] = asyncio.Queue()
        self._known = [self.first]
        self._launched = False
        self.leaving = False
        """Whether the client has had enough: that processes go is no news then."""
        self.attached: dict[str, Any] = {}
        """The arguments of ``attach``, where the client attached."""
        self._ids = Ids()
        self._current = self.first
        self._initialize: dict[str, Any] = {}
        self._kept: dict[tuple[str, str], Message] = {}
        self._numbers: dict[tuple[str, str], list[int]] = {}
        self._pumps: list[asyncio.Task[None]] = []

    # Which process

    def of(self, id: int) -> Debugged:
        """The process that one of the client's ids belongs to."""
        return self._numbered(self._ids.inner(id)[0])

    def of_process(self, pid: int) -> Debugged:
        """The one with this process id; the first one where it is nobody else's."""
        return next((one for one in self.all if one.pid == pid), self.first)

    def of_runtime(self, runtime: Runtime) -> Debugged:
        """The one that a runtime is in."""
        known = next((one for one in self.all if one.runtime is runtime), None)
        return known or self.of_process(0 if runtime.hello is None else runtime.hello.pid)

    def in_process(self, id: int, runtime: Runtime) -> bool:
        """Whether one of the client's ids is of the process that a runtime is in."""
        return self.of(id) is self.of_runtime(runtime)

    def _numbered(self, number: int) -> Debugged:
        for one in self.all:
            if one.number == number:
                return one
        gone = Debugged(number, self.first.upstream)
        gone.ended = True
        return gone

    def _meant(self, command: str, arguments: Any) -> tuple[Debugged, Any]:
        """The process that a request is for, and the arguments with its ids."""
        number, translated = self._ids.to_process(arguments)
        if number is not None:
            return self._numbered(number), translated
        return (self._current if command in _ANYWHERE else self.first), translated

    @property
    def tokens(self) -> Tokens:
        """What the first process and debugpy's adapter for it show each other."""
        return self.first.upstream.tokens

    @property
    def several(self) -> bool:
        """Whether more than one takes part."""
        return len(self.all) > 1

    @property
    def busy(self) -> bool:
        """Whether a request that holds up those after it waits for its answer."""
        return any(one.upstream.busy for one in self.all)

    # Requests

    def send(self, message: Message) -> None:
        """Pass a response or an event of the client on."""
        self.first.upstream.send(message)

    def request(self, message: Message, answered: Answered) -> None:
        """Send a request; ``answered`` gets its response, among the forwarded messages."""
        command = message["command"]
        if command == "initialize":
            message = self._said_for_all(message)
        if command == "launch":
            self._launched = True
        if command == "attach":
            self.attached = dict(message.get("arguments") or {})
        if command in merging.CONFIGURING:
            self._kept[merging.key(message)] = message
            return self._to_all(message, answered)
        if not self.several:
            self.leaving |= command in ("disconnect", "terminate")
            return self._to(self.first, message, answered)
        if command in merging.ASKED_OF_ALL:
            return self._to_all(message, answered)
        arguments = message.get("arguments") or {}
        if command == "continue" and not any(one.stopped for one in self.all):
            return answered(merging.nobody_stands(message))  # which debugpy never answers
        if command in ("continue", "pause") and not arguments.get("singleThread"):
            return self._to_all(message, answered)
        if command in ("disconnect", "terminate"):
            return self._leave(message, answered)
        one, translated = self._meant(command, arguments)
        return self._to(
            one, {**message, "arguments": translated}, merging.of_one(command, answered)
        )

    def _leave(self, message: Message, answered: Answered) -> None:
        """End the others, or leave them before the first one, with which debugpy's adapter drops them.

        The launcher can't end them all: those that torchrun starts lead process groups of their own.
        """
        self.leaving = True
        arguments = message.get("arguments") or {}
        others = [one for one in self.all if one is not self.first]
        ends = message["command"] == "terminate" or arguments.get(
            "terminateDebuggee", self._launched
        )
        theirs = {"command": "disconnect", "arguments": {"terminateDebuggee": bool(ends)}}
        if ends:
            self._to(self.first, message, answered)
            for one in others:
                self._to(one, {**message, **theirs}, lambda response: None)
            return

        def left(response: Message) -> None:
            others.pop()
            if not others:
                self._to(self.first, message, answered)

        for one in list(others):
            self._to(one, {**message, **theirs}, left)

    def _said_for_all(self, message: Message) -> Message:
        """Keep what the client is, for those who join; that children are started is said by us."""
        arguments = dict(message.get("arguments") or {})
        arguments.pop("supportsStartDebuggingRequest", None)
        self._initialize = {**arguments, "supportsRunInTerminalRequest": False}
        return {**message, "arguments": arguments}

    def _to(self, one: Debugged, message: Message, answered: Answered) -> None:
        """Send to one process what has its own ids."""
        if one.ended:
            return answered({**GONE, "command": message["command"]})

        def translated(response: Message) -> None:
            answered(self._translated(one, response))

        return one.upstream.request(message, translated)

    def _translated(self, one: Debugged, response: Message) -> Message:
        if "body" not in response:
            return response
        return {**response, "body": self._ids.to_client(one.number, response["body"])}

    def _to_all(self, message: Message, answered: Answered) -> None:
        """Send to each process what concerns it, and answer once."""
        asked = merging.concerned(message, self.all) or [self.first]
        answers: dict[int, Message] = {}

        def take(one: Debugged, response: Message) -> None:
            answers[one.number] = response
            if len(answers) == len(asked):
                answered(self._merged(message, [(one, answers[one.number]) for one in asked]))

        for one in asked:
            self._send_own(one, message, functools.partial(take, one))

    def _send_own(self, one: Debugged, message: Message, answered: Answered) -> None:
        """Send a request without ids, or one for all threads, as this process needs it."""
        if message["command"] in ("continue", "pause"):
            message = {**message, "arguments": {"threadId": 0}}
        alone = one is self.first and not self._ranked
        self._to(one, rank_conditions.for_rank(message, 0 if alone else one.rank), answered)

    @property
    def _ranked(self) -> bool:
        """Whether it is a distributed job."""
        return any(one.rank is not None for one in self.all)

    def _merged(self, message: Message, answers: Sequence[tuple[Debugged, Message]]) -> Message:
        response = merging.merged(message, answers)
        if message["command"] in merging.CONFIGURING and response.get("success"):
            numbers = merging.numbers(response)
            self._numbers[merging.key(message)] = numbers
            for one, answer in answers:
                one.breakpoints.update(zip(merging.numbers(answer), numbers, strict=False))
        return response

    async def ask(self, command: str, **arguments: Any) -> Message:
        """A request of our own; its response."""
        if command in merging.ASKED_OF_ALL:
            asked = list(self.all)
            found = await asyncio.gather(*(one.upstream.ask(command, **arguments) for one in asked))
            pairs = zip(asked, found, strict=True)
            return merging.merged(
                {"command": command}, [(one, self._translated(one, item)) for one, item in pairs]
            )
        one, translated = self._meant(command, arguments)
        if one.ended:
            return dict(GONE)
        return self._translated(one, await one.upstream.ask(command, **translated))

    # Who takes part

    async def join(
        self,
        one: Debugged,
        arguments: dict[str, Any],
        waiting: Callable[[int], None] | None = None,
    ) -> bool:
        """Let a process take part, with all that the client has set; whether it came to that.

        ``arguments`` are those of ``attach``. ``waiting`` is called with the port where debugpy waits
        for the process, if it has still to come there.
        """
        one.waiting = waiting
        self._pump(one)
        if not (await one.upstream.ask("initialize", **self._initialize)).get("success"):
            return False
        attached = asyncio.ensure_future(one.upstream.ask("attach", **arguments))
        try:
            ready: set[asyncio.Future[Any]] = {one.initialized, attached}
            await asyncio.wait(ready, return_when=asyncio.FIRST_COMPLETED)
            if not one.initialized.done() or one.initialized.cancelled():
                return False
            self._configure(one)
            self.all.append(one)
            await one.upstream.ask("configurationDone")
            return bool((await attached).get("success")) and not one.ended
        finally:
            attached.cancel()

    def new(self, upstream: Upstream, pid: int | None) -> Debugged:
        """A process that may join."""
        self._known.append(Debugged(len(self._known), upstream, pid))
        return self._known[-1]

    def _configure(self, one: Debugged) -> None:
        """Send what was sent to the others; no message of the client's can come in between."""
        for key, message in self._kept.items():
            numbers = self._numbers.get(key, [])

            def take(response: Message, numbers: list[int] = numbers) -> None:
                one.breakpoints.update(zip(merging.numbers(response), numbers, strict=False))

            self._send_own(one, message, take)

    # What comes

    def start(self) -> None:
        """Let messages of the first process come into ``inbox``."""
        self._pump(self.first)

    def _pump(self, one: Debugged) -> None:
        pump = one.upstream.pump(lambda message: self.inbox.put_nowait((one, message)))
        self._pumps.append(asyncio.ensure_future(pump))

    def seen(self, one: Debugged, event: Message) -> list[Message]:
        """What the client is to see for an event of a process."""
        name, body = event.get("event"), event.get("body") or {}
        if name == "initialized" and not one.initialized.done():
            one.initialized.set_result(None)
        if name == "process":
            one.pid = body.get("systemProcessId", one.pid)
        if name == "terminated" and not self.is_last(one):
            return []
        if one is not self.first:
            if name == "debugpyWaitingForServer" and one.waiting is not None:
                one.waiting(body["port"])
            if name in _OWN or body.get("category") == "telemetry":
                return []
        if name == "debugpyAttach" and self.announced is not None:
            self.announced(one, body)
            return []
        body = self._ids.to_client(one.number, body)
        if name == "stopped":
            return [{**event, "body": self._stopped(one, body)}]
        if name == "continued":
            return [{**event, "body": part} for part in self._continued(one, body)]
        if name == "thread":
            (one.threads.discard if body["reason"] == "exited" else one.threads.add)(
                body["threadId"]
            )
        if name == "breakpoint" and one is not self.first:
            return self._breakpoint(one, event)
        return [{**event, "body": body}] if "body" in event else [event]

    def _stopped(self, one: Debugged, body: dict[str, Any]) -> dict[str, Any]:
        self._current = one
        one.stopped.add(body.get("threadId", 0))
        one.threads.add(body.get("threadId", 0))
        if one is not self.first and body.get("hitBreakpointIds"):
            hit = [one.breakpoints.get(number) for number in body["hitBreakpointIds"]]
            body = {**body, "hitBreakpointIds": [number for number in hit if number is not None]}
        return {**body, "allThreadsStopped": False} if self.several else body

    def _continued(self, one: Debugged, body: dict[str, Any]) -> list[dict[str, Any]]:
        """All threads of a process are not all threads of the session."""
        everything = body.get("allThreadsContinued", True)
        went, one.stopped = (
            (one.stopped, set()) if everything else ({body["threadId"]}, one.stopped)
        )
        one.stopped -= went
        if not self.several:
            return [body]
        return [{"threadId": thread, "allThreadsContinued": False} for thread in sorted(went)]

    def _breakpoint(self, one: Debugged, event: Message) -> list[Message]:
        """What one process says of a breakpoint counts where it can stop there."""
        body = event["body"]
        told = body.get("breakpoint") or {}
        number = one.breakpoints.get(told.get("id", -1))
        if number is None or not told.get("verified"):
            return []
        return [{**event, "body": {**body, "breakpoint": {**told, "id": number}}}]

    def is_last(self, one: Debugged) -> bool:
        """Whether the session is over when a process has gone."""
        return one in self.all and (not self.several or (self._launched and one is self.first))

    def left(self, one: Debugged) -> list[int]:
        """A process has gone while others go on; the threads that went with it."""
        one.ended = True
        one.initialized.cancel()
        if one in self.all:
            self.all.remove(one)
            if one is self.first:
                self.first = self.all[0]
        if self._current is one:
            self._current = next((other for other in self.all if other.stopped), self.first)
        one.upstream.abandon()
        return sorted(one.threads)

    def abandon(self) -> None:
        """Nothing will be answered any more: requests that still wait fail."""
        for one in self.all:
            one.upstream.abandon()

    async def close(self) -> None:
        """Let go of all; see ``Upstream.close``."""
        await asyncio.gather(*(one.upstream.close() for one in reversed(self._known)))
        for pump in self._pumps:
            pump.cancel()
        await asyncio.gather(*self._pumps, return_exceptions=True)
