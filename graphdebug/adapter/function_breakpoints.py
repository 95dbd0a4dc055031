"""Function breakpoints ``node:PATTERN``: they are ours, and never shown to debugpy."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from graphdebug.adapter.session import Session
from graphdebug.protocol.runtime import NodeBindingEvent, NodeBreakpoint
from graphdebug.transport.framing import Message

PREFIX = "node:"

FIRST = 1 << 30
"""The first number of ours: debugpy counts from 0."""

STOPS = (
    "node: stops at each node whose name or operation matches: at operations of PyTorch and of eager "
    "TensorFlow before they run, as graphdebugNodes names them; at autograd Nodes before they run "
    "backward; and {}; not within PyTorch's compiled functions or optimizers' steps"
)
"""With how it stops at graphs."""

AT_GRAPHS = {
    "node": "inside TensorFlow's running graphs, where they can be held",
    "boundary": "where a graph of TensorFlow's with such nodes was called, once its run is over",
}
UNOBSERVED = "never: graphdebug didn't start this program and doesn't see its nodes"
EMPTY = "never: a name or a pattern has to follow, as in node:AddmmBackward0 or node:aten::*"


class FunctionBreakpoints:
    """``setFunctionBreakpoints``: ours are taken out, and the runtimes told.

    ``changed`` is awaited before the request is answered, so that no node is missed. ``observed``:
    whether the program's nodes are, or will be, seen. ``static_graphs``: the configuration's.
    """

    def __init__(
        self,
        session: Session,
        changed: Callable[[], Coroutine[Any, Any, None]],
        observed: Callable[[], bool],
        static_graphs: Callable[[], str],
    ) -> None:
        self._session = session
        self._changed = changed
        self._observed = observed
        self._static_graphs = static_graphs
        self._told: dict[int, str] = {}
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
        number = self._number(item["name"])
        if not _pattern(item):
            message = EMPTY
        elif not self._observed():
            message = UNOBSERVED
        else:
            stops = STOPS.format(AT_GRAPHS[self._static_graphs()])
            message = self._told.get(number, stops)
        return {"id": number, "verified": not message.startswith("never"), "message": message}

    def bound(self, event: NodeBindingEvent) -> None:
        """A runtime knows better what one does."""
        message = self._told[event.id] = f"{event.kind}: {event.reason}"
        verified = event.kind != "never"
        body = {"id": event.id, "verified": verified, "message": message}
        self._session.event("breakpoint", {"reason": "changed", "breakpoint": body})

    def _number(self, name: str) -> int:
        return self._numbers.setdefault(name, FIRST + len(self._numbers))


def _is_own(item: dict[str, Any]) -> bool:
    return str(item["name"]).startswith(PREFIX)


def _pattern(item: dict[str, Any]) -> str:
    return str(item["name"])[len(PREFIX) :].strip()
