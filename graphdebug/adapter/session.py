"""One debug session: a client in front, debugpy's adapter behind, the runtimes beside."""

from __future__ import annotations

import asyncio
import enum
import inspect
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from typing import Any, Protocol

from graphdebug.adapter.debugged import Debugged
from graphdebug.adapter.upstream import Upstream
from graphdebug.adapter.upstreams import Upstreams
from graphdebug.transport.connections import Connection, Fault
from graphdebug.transport.framing import Message

Patch = Callable[[dict[str, Any]], None]


class Passed(enum.Enum):
    """What a part returns for a request that isn't its own after all."""

    PASS = "the next part may answer it"


PASS = Passed.PASS


class Part(Protocol):
    """A part of the adapter: ``X_request(message)`` answers the client's request X, or returns
    ``PASS``; ``X_event(message)`` handles debugpy's event X; ``X_answer(arguments, body)`` sees what
    the client's request X is answered with.

    Both are called on the loop, in the order in which messages come. A request's coroutine runs as a
    task of its own and holds nothing up; an event's is awaited before the next message is looked at.
    """


class Session:
    """Passes messages on, and gives each part those that it has a method for.

    Messages from debugpy reach the client in the order in which they came; numbers are given anew on
    both sides.
    """

    def __init__(self, client: Connection, upstream: Upstream) -> None:
        self.client = client
        self.upstream = Upstreams(upstream)
        self.parts: list[object] = []
        self.describe: Callable[[dict[str, Any]], dict[str, Any]] | None = None
        """Says in the body of each ``stopped`` event whose it is."""
        self.exit_code = 0
        self.leave: Callable[[], Awaitable[None]] = _stay
        """Called when the session is over, while debugpy's adapter is still there."""
        self._seq = 0
        self._reverse: dict[int, int] = {}
        self._asked: dict[int, dict[str, Any]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._over = asyncio.Event()

    async def run(self) -> None:
        """Until the client has gone or the session is over."""
        self.upstream.start()
        readers = [
            asyncio.ensure_future(self._read_client()),
            asyncio.ensure_future(self._read_upstream()),
            asyncio.ensure_future(self._over.wait()),
        ]
        try:
            await asyncio.wait(readers, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (*self._tasks, *readers):
                task.cancel()
            await asyncio.gather(*self._tasks, *readers, return_exceptions=True)
            await self.leave()
            await self.upstream.close()
            await self.client.close()

    def end(self) -> None:
        """End the session once what was sent is out."""
        self._over.set()

    # To the client

    def reply(self, request: Message, body: dict[str, Any] | None = None) -> None:
        """Answer a request."""
        self._respond(request, {"success": True, **({} if body is None else {"body": body})})

    def fail(self, request: Message, message: str) -> None:
        """Refuse a request; ``message`` names the cause and the remedy."""
        error = {"id": 1, "format": message, "showUser": True}
        self._respond(request, {"success": False, "message": message, "body": {"error": error}})

    def event(self, name: str, body: dict[str, Any]) -> None:
        """Send an event."""
        self.to_client({"type": "event", "event": name, "body": body})

    def output(self, text: str, category: str = "console") -> None:
        """A line in the debug console."""
        self.event("output", {"category": category, "output": f"graphdebug: {text}\n"})

    def to_client(self, message: Message) -> None:
        """Send a message under the next number."""
        if message.get("type") == "response":
            asked = self._asked.pop(message.get("request_seq", 0), None)
            if asked is not None and message.get("success"):
                for handler in self._handlers(f"{message.get('command')}_answer"):
                    handler(asked, message.get("body") or {})
        if message.get("event") == "stopped" and self.describe is not None:
            message = {**message, "body": self.describe(message["body"])}
        self._seq += 1
        self.client.send({**message, "seq": self._seq})

    def _respond(self, request: Message, response: dict[str, Any]) -> None:
        self.to_client(
            {
                "type": "response",
                "request_seq": request.get("seq", 0),
                "command": request.get("command", ""),
                **response,
            }
        )

    # To debugpy

    def forward(
        self, request: Message, patch: Patch | None = None, arguments: dict[str, Any] | None = None
    ) -> None:
        """Pass a request on, with other arguments if given, and its answer back.

        ``patch`` may change the body of a successful answer.
        """

        def answered(response: Message) -> None:
            if patch is not None and response.get("success"):
                patch(response.setdefault("body", {}))
            self.to_client({**response, "request_seq": request["seq"]})

        if arguments is not None:
            request = {**request, "arguments": arguments}
        self.upstream.request(request, answered)

    async def forwarded(self, request: Message) -> Message:
        """Pass a request on; its answer, which the caller sends to the client."""
        future: asyncio.Future[Message] = asyncio.get_running_loop().create_future()

        def answered(response: Message) -> None:
            if not future.done():
                future.set_result({**response, "request_seq": request["seq"]})

        self.upstream.request(request, answered)
        return await future

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        """Run beside everything else, until the session ends."""
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            self.output(f"an error of graphdebug's own: {task.exception()!r}", "important")

    # Reading

    async def _read_client(self) -> None:
        async for message in self.client.messages():
            if isinstance(message, Fault):
                self._fault(message)
            elif message.get("type") == "request" and isinstance(message.get("command"), str):
                self._dispatch(message)
            elif message.get("type") == "response":
                self._answer_reverse(message)
            else:
                self.output(f"not a DAP message: {str(message)[:80]}", "important")

    def _fault(self, fault: Fault) -> None:
        text = f"the client sent what isn't DAP: {fault}"
        if fault.fatal:
            self.exit_code = 1
            text += "; the session ends"
        self.output(text, "important")

    def _dispatch(self, request: Message) -> None:
        if not isinstance(request.get("arguments") or {}, dict):
            return self.fail(request, '"arguments" is not an object')
        if next(self._handlers(f"{request['command']}_answer"), None) is not None:
            self._asked[request.get("seq", 0)] = request.get("arguments") or {}
        for handler in self._handlers(f"{request['command']}_request"):
            try:
                work = handler(request)
            except (KeyError, TypeError, ValueError, AttributeError) as error:
                return self.fail(request, f"malformed arguments: {error!r}")
            if inspect.iscoroutine(work):
                self.start(self._guard(request, work))
            if work is not PASS:
                return None
        return self.forward(request)

    async def _guard(self, request: Message, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            self.fail(request, f"malformed arguments: {error!r}")

    async def _read_upstream(self) -> None:
        while True:
            one, message = await self.upstream.inbox.get()
            if message is None:
                if self.upstream.is_last(one):
                    return self._lost()
                await self._process_gone(one)
            elif message.get("type") == "response":
                one.upstream.answered(message)
            elif message.get("type") == "request":
                self._ask_client(message)
            else:
                over = message.get("event") == "terminated" and not self.upstream.is_last(one)
                for event in self.upstream.seen(one, message):
                    await self._take(event)
                if over:
                    await self._process_gone(one)

    async def _take(self, event: Message) -> None:
        handler = next(self._handlers(f"{event.get('event')}_event"), None)
        if handler is None:
            return self.to_client(event)
        work = handler(event)
        if inspect.iscoroutine(work):
            await work
        return None

    async def _process_gone(self, one: Debugged) -> None:
        """A process of several has ended, and its threads with it."""
        if one.ended:
            return
        self.start(one.upstream.close())
        for thread in self.upstream.left(one):
            body = {"reason": "exited", "threadId": thread}
            await self._take({"type": "event", "event": "thread", "body": body})
        for handler in self._handlers("process_gone"):
            handler(one)

    def _lost(self) -> None:
        """debugpy's adapter ended by itself."""
        self.output("debugpy's adapter has ended; the session is over", "important")
        self.event("terminated", {})

    def _ask_client(self, request: Message) -> None:
        """A reverse request, such as runInTerminal."""
        self.to_client(request)
        if "seq" in request:
            self._reverse[self._seq] = request["seq"]

    def ask_client(self, command: str, arguments: dict[str, Any]) -> None:
        """A request of our own to the client, whose answer nobody waits for."""
        self._ask_client({"type": "request", "command": command, "arguments": arguments})

    def _answer_reverse(self, response: Message) -> None:
        seq = self._reverse.pop(response.get("request_seq", 0), None)
        if seq is not None:
            self.upstream.send({**response, "request_seq": seq})

    def _handlers(self, name: str) -> Iterator[Callable[..., Any]]:
        return (method for part in self.parts if (method := getattr(part, name, None)))


async def _stay() -> None:
    """What was launched ends with its adapter."""
