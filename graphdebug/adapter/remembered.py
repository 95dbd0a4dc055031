"""What debugpy answered at this stop, given again while a slow request holds its adapter up."""

from __future__ import annotations

from typing import Any

from graphdebug.adapter.session import Session
from graphdebug.observation.answers import paged
from graphdebug.transport.framing import Message


class Remembered:
    """Threads, stacks and scopes. What was not asked for before has to wait for debugpy."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._threads: dict[int, str] = {}
        self._stacks: dict[int, list[dict[str, Any]]] = {}
        self._scopes: dict[int, dict[str, Any]] = {}

    def forget(self) -> None:
        """The program has moved on."""
        self._stacks.clear()
        self._scopes.clear()

    def thread_event(self, message: Message) -> None:
        """A thread began or ended. Its name is asked for now: at a stop it would cost the client."""
        body = message["body"]
        if body.get("reason") == "exited":
            self._threads.pop(body["threadId"], None)
        else:
            self._threads.setdefault(body["threadId"], f"Thread-{body['threadId']}")
            self._session.start(self._name_threads())
        self._session.to_client(message)

    async def _name_threads(self) -> None:
        response = await self._session.upstream.ask("threads")
        if response.get("success"):
            self._keep_threads(response["body"])

    def _keep_threads(self, body: dict[str, Any]) -> None:
        self._threads = {item["id"]: item["name"] for item in body.get("threads", [])}

    def threads_request(self, request: Message) -> None:
        """All threads."""
        if self._session.upstream.busy and self._threads:
            threads = [{"id": id, "name": name} for id, name in self._threads.items()]
            self._session.reply(request, {"threads": threads})
        else:
            self._session.forward(request, self._keep_threads)

    def stackTrace_request(self, request: Message) -> None:
        """A thread's stack, of which the whole is kept."""
        arguments = request["arguments"]
        thread, start = arguments["threadId"], arguments.get("startFrame") or 0
        known = self._stacks.get(thread)
        if self._session.upstream.busy and known is not None:
            frames = paged(known, start, arguments.get("levels") or None)
            self._session.reply(request, {"stackFrames": frames, "totalFrames": len(known)})
            return

        def keep(body: dict[str, Any]) -> None:
            frames = body.get("stackFrames", [])
            if start == 0 and len(frames) >= body.get("totalFrames", len(frames)):
                self._stacks[thread] = frames

        self._session.forward(request, keep)

    def scopes(self, request: Message, added: list[dict[str, Any]]) -> None:
        """A frame's scopes, with some of ours after debugpy's."""
        frame = request["arguments"]["frameId"]
        known = self._scopes.get(frame)
        if self._session.upstream.busy and known is not None:
            self._session.reply(request, known)
            return

        def keep(body: dict[str, Any]) -> None:
            body["scopes"] = [*body.get("scopes", []), *added]
            self._scopes[frame] = body

        self._session.forward(request, keep)
