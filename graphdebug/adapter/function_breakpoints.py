"""Function breakpoints ``node:PATTERN``: they are ours, and never shown to debugpy."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from graphdebug.adapter.session import Session
from graphdebug.protocol.runtime import NodeBreakpoint
from graphdebug.transport.framing import Message

PREFIX = "node:"

FIRST = 1 << 30
"""The first number of ours: debugpy counts from 0."""

STOPS = (
    "node: stops at each node whose name or operation matches: at operations of PyTorch before they "
    "run, as graphdebugNodes names them, and at autograd Nodes before they run backward; not within "
    "compiled functions or an optimizer's step, and not at TensorFlow's nodes"
)
UNOBSERVED = "never: graphdebug didn't start this program and doesn't see its nodes"
EMPTY = "never: a name or a pattern has to follow, as in node:AddmmBackward0 or node:aten::*"


class FunctionBreakpoints:
    """``setFunctionBreakpoints``: ours are taken out, and the runtimes told.

    ``changed`` is awaited before the request is answered, so that no node is missed. ``observed``:
    whether the program's nodes are, or will be, seen.
    """

    def __init__(
        self,
        session: Session,
        changed: Callable[[], Coroutine[Any, Any, None]],
        observed: Callable[[], bool],
    ) -> None:
        self._session = session
        self._changed = changed
        self._observed = observed
        self._numbers: dict[str, int] = {}
        self.set: tuple[NodeBreakpoint, ...] = ()
        """Those of ours that are set."""

    async def setFunctionBreakpoints_request(self, request: Message) -> None:
        """Ours are answered here, in their places among debugpy's."""
        arguments = request.get("arguments") or {}
        asked = list(arguments.get("breakpoints") or [])
        own = [item for item in asked if _is_own(item)]
        self.set = tuple(self._breakpoint(item) for item in own if _pattern(item))
        await self._changed()
        theirs = [item for item in asked if not _is_own(item)]
        response = await self._session.forwarded(
            {**request, "arguments": {**arguments, "breakpoints": theirs}}
        )
        if response.get("success") and own:
            body = response.get("body") or {}
            rest = iter(body.get("breakpoints") or [])
            answered = [
                self._answer(item) if _is_own(item) else next(rest, {"verified": False})
                for item in asked
            ]
            response["body"] = {**body, "breakpoints": answered}
        self._session.to_client(response)

    def _breakpoint(self, item: dict[str, Any]) -> NodeBreakpoint:
        return NodeBreakpoint(
            id=self._number(item["name"]),
            pattern=_pattern(item),
            condition=item.get("condition") or None,
            hit_condition=item.get("hitCondition") or None,
        )

    def _answer(self, item: dict[str, Any]) -> dict[str, Any]:
        message = STOPS if self._observed() else UNOBSERVED
        if not _pattern(item):
            message = EMPTY
        stops = message is STOPS
        return {"id": self._number(item["name"]), "verified": stops, "message": message}

    def _number(self, name: str) -> int:
        return self._numbers.setdefault(name, FIRST + len(self._numbers))


def _is_own(item: dict[str, Any]) -> bool:
    return str(item["name"]).startswith(PREFIX)


def _pattern(item: dict[str, Any]) -> str:
    return str(item["name"])[len(PREFIX) :].strip()
