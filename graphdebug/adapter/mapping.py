"""Paths of the client's machine, where the program's lie elsewhere: ``pathMappings``.

They are translated at the edge, so that debugpy and everything of ours see the program's own paths.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

from graphdebug.transport.connections import Connection, Fault
from graphdebug.transport.framing import Message


class Mapped(Connection):
    """A client's connection whose paths are the program's, once ``attach`` has said how they lie.

    A mapping is ``{"localRoot": ..., "remoteRoot": ...}``, as debugpy has it; the first that fits counts.
    """

    def __init__(self, client: Connection) -> None:
        super().__init__()
        self._client = client
        self._roots: list[tuple[str, str]] = []

    async def messages(self) -> AsyncIterator[Message | Fault]:
        """What comes, with the program's paths."""
        async for message in self._client.messages():
            self.heard = True
            if isinstance(message, Fault):
                yield message
                continue
            if message.get("command") == "attach":
                message = self._without_mappings(message)
            yield self._translated(message, self._to_program)

    def send(self, message: Message) -> None:
        """Queue a message, with the client's paths."""
        self._client.send(self._translated(message, self._to_client))

    async def close(self) -> None:
        await self._client.close()

    async def _read(self) -> bytes:
        raise NotImplementedError("the client's connection is read")

    def _send(self, data: bytes) -> None:
        raise NotImplementedError("the client's connection is written to")

    def _without_mappings(self, request: Message) -> Message:
        arguments = dict(request.get("arguments") or {})
        given = arguments.pop("pathMappings", None)
        for item in given if isinstance(given, list) else ():
            if isinstance(item, dict) and item.get("localRoot") and item.get("remoteRoot"):
                self._roots.append((str(item["localRoot"]), str(item["remoteRoot"])))
        return {**request, "arguments": arguments}

    def _translated(self, message: Message, translate: Callable[[str], str]) -> Message:
        if not self._roots:
            return message
        return {**message, **{key: _mapped(message[key], translate)
                              for key in ("arguments", "body") if key in message}}  # fmt: skip

    def _to_program(self, path: str) -> str:
        return next((found for local, remote in self._roots
                     if (found := moved(path, local, remote)) is not None), path)  # fmt: skip

    def _to_client(self, path: str) -> str:
        return next((found for local, remote in self._roots
                     if (found := moved(path, remote, local)) is not None), path)  # fmt: skip


def moved(path: str, root: str, other: str) -> str | None:
    """``path`` below ``other`` instead of ``root``, with that one's separators; None where it isn't."""
    if root.rstrip("/\\") == path:
        return other.rstrip("/\\")
    rest = next((path[len(root.rstrip("/\\")) :] for sep in "/\\"
                 if path.startswith(root.rstrip("/\\") + sep)), None)  # fmt: skip
    if rest is None:
        return None
    windows = "\\" in other
    return other.rstrip("/\\") + (rest.replace("/", "\\") if windows else rest.replace("\\", "/"))


def _mapped(value: Any, translate: Callable[[str], str]) -> Any:
    """Every string under a key ``path``, translated."""
    if isinstance(value, dict):
        return {
            key: translate(item) if key == "path" and isinstance(item, str)
            else _mapped(item, translate)
            for key, item in value.items()
        }  # fmt: skip
    if isinstance(value, list):
        return [_mapped(item, translate) for item in value]
    return value
