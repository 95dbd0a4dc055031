"""Exception filters of graphdebug's own: offered beside debugpy's, and never shown to it."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from graphdebug.adapter.session import Session
from graphdebug.transport.framing import Message

OFFERED = (
    {
        "filter": "graphdebug.boundary",
        "label": "Graph boundaries",
        "description": "Stops after each run of a static graph, where the program called it.",
        "default": False,
    },
    {
        "filter": "graphdebug.retrace",
        "label": "Retraces and recompiles",
        "description": "Stops where a tf.function is traced again or torch.compile compiles again.",
        "default": False,
    },
    {
        "filter": "graphdebug.nan",
        "label": "NaN and Inf",
        "description": "Stops at the operation or backward node that first made one.",
        "default": False,
    },
)
"""As DAP's ``ExceptionBreakpointsFilter``."""

OWN = frozenset(str(item["filter"]) for item in OFFERED)


class Filters:
    """``setExceptionBreakpoints``: ours are taken out, and the runtimes told.

    ``changed`` is awaited before the request is answered, so that no run is missed.
    """

    def __init__(self, session: Session, changed: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self._session = session
        self._changed = changed
        self.set: tuple[str, ...] = ()
        """Those of ours that are set."""

    def initialize_request(self, request: Message) -> None:
        """Offer ours after debugpy's, and what ``replay`` and ``data_breakpoints`` do."""

        def offer(body: dict[str, Any]) -> None:
            theirs = body.get("exceptionBreakpointFilters") or []
            body["exceptionBreakpointFilters"] = [*theirs, *OFFERED]
            body["supportsStepBack"] = True
            body["supportsDataBreakpoints"] = True

        self._session.forward(request, offer)

    async def setExceptionBreakpoints_request(self, request: Message) -> None:
        """Ours are answered here, in their places among debugpy's."""
        arguments = request.get("arguments") or {}
        plain = list(arguments.get("filters") or [])
        options = list(arguments.get("filterOptions") or [])
        names = [*plain, *(item["filterId"] for item in options)]
        self.set = tuple(name for name in dict.fromkeys(names) if name in OWN)
        await self._changed()
        theirs = {
            **arguments,
            "filters": [name for name in plain if name not in OWN],
            **(
                {"filterOptions": [item for item in options if item["filterId"] not in OWN]}
                if "filterOptions" in arguments
                else {}
            ),
        }
        response = await self._session.forwarded({**request, "arguments": theirs})
        body = response.get("body") or {}
        answered = body.get("breakpoints")
        if response.get("success") and (answered or self.set):
            response["body"] = {**body, "breakpoints": _lined_up(names, answered or [])}
        self._session.to_client(response)


def _lined_up(names: list[str], theirs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One answer for each filter that was asked for, in order."""
    rest = iter(theirs)
    return [{"verified": True} if name in OWN else next(rest, {"verified": True}) for name in names]
