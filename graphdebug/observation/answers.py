"""Answers the Contract's requests about steps, whoever asks: the client, or an observer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from graphdebug.observation.runtimes import Runtimes, same_path
from graphdebug.observation.steps import Steps, UnknownStep
from graphdebug.protocol import dap
from graphdebug.protocol.model import Backend, Capture
from graphdebug.protocol.runtime import DescribeArguments
from graphdebug.protocol.wire import WireError, from_wire, to_wire

DESCRIBE_SECONDS = 10.0
"""How long a process may take to describe a step: longer than it does."""

_OF_NODES = ("graphdebugNodes", "graphdebugNode", "graphdebugTensor")


class Refused(Exception):
    """A request that can't be answered; ``str()`` tells the one who asked why."""


class Answers:
    """Bodies for the requests that need no stopped program."""

    def __init__(self, steps: Steps, runtimes: Runtimes, capture: Callable[[], Capture]) -> None:
        self._steps = steps
        self._runtimes = runtimes
        self._capture = capture
        self._describing: dict[int, asyncio.Future[bool]] = {}
        self._answers: dict[str, Callable[[Any], Any]] = {
            "graphdebugSteps": self._steps_between,
            "graphdebugTimeline": self._timeline,
            "graphdebugAlerts": self._alerts,
            "graphdebugNodes": self._nodes,
            "graphdebugNode": self._node,
            "graphdebugState": self._state,
            "graphdebugTensor": self._recorded_tensor,
        }

    async def described(self, step: object) -> None:
        """Have a step described that wasn't, since nobody looked into it before.

        What is asked for without it is answered from what is here.
        """
        if not isinstance(step, int):
            return
        going_on = self._describing.get(step)
        missing = self._steps.undescribed(step) if going_on is None else None
        if missing is not None and (runtime := self._runtimes.all[missing[0]]).here:
            asked = runtime.request("describe", DescribeArguments(missing[1]), DESCRIBE_SECONDS)
            going_on = self._describing[step] = asyncio.ensure_future(asked)
            going_on.add_done_callback(lambda _: self._describing.pop(step, None))
        if going_on is not None:
            await asyncio.shield(going_on)

    async def answered(self, command: str, arguments: Any) -> dict[str, Any]:
        """The same as ``answer``, once the step that it is about is described. Raises Refused."""
        if command in _OF_NODES and isinstance(arguments, dict):
            await self.described(arguments.get("step"))
        return self.answer(command, arguments)

    def answer(self, command: str, arguments: Any) -> dict[str, Any]:
        """The body of the answer. Raises Refused."""
        if command not in self._answers:
            raise Refused(f"{command!r} isn't answered here")
        try:
            wanted: Any = from_wire(dap.REQUESTS[command][0], arguments or {})
            body: dict[str, Any] = to_wire(self._answers[command](wanted))
            return body
        except (WireError, UnknownStep) as error:
            raise Refused(str(error)) from None

    @property
    def dropped(self) -> int:
        """Records that were dropped since the session began."""
        return sum(runtime.dropped for runtime in self._runtimes.all)

    def _steps_between(self, wanted: dap.GraphdebugStepsArguments) -> dap.GraphdebugStepsResponse:
        steps = tuple(self._steps.between(wanted.begin, wanted.end))
        return dap.GraphdebugStepsResponse(steps, len(self._steps))

    def _timeline(self, wanted: dap.GraphdebugTimelineArguments) -> dap.GraphdebugTimelineResponse:
        points = self._steps.timeline.points(wanted.begin, wanted.end, wanted.points)
        return dap.GraphdebugTimelineResponse(tuple(points), len(self._steps))

    def _alerts(self, wanted: dap.GraphdebugAlertsArguments) -> dap.GraphdebugAlertsResponse:
        alerts = tuple(self._steps.alerts)
        page = tuple(paged(alerts, wanted.start, wanted.count))
        return dap.GraphdebugAlertsResponse(page, len(alerts))

    def _nodes(self, wanted: dap.GraphdebugNodesArguments) -> dap.GraphdebugNodesResponse:
        nodes = self._steps.nodes(wanted, same_path)
        page = self._steps.in_step(wanted.step, paged(nodes, wanted.start, wanted.count))
        return dap.GraphdebugNodesResponse(tuple(page), len(nodes))

    def _node(self, wanted: dap.GraphdebugNodeArguments) -> dap.GraphdebugNodeResponse:
        node = self._steps.node(wanted.step, wanted.node)
        (node,) = self._steps.in_step(wanted.step, [node])
        return dap.GraphdebugNodeResponse(node)

    def _state(self, wanted: dap.GraphdebugStateArguments) -> dap.GraphdebugStateResponse:
        backends: dict[tuple[str, bool], Backend] = {}
        for runtime in self._runtimes.all:
            for backend in runtime.backends.values():
                backends.setdefault((backend.name, backend.active), backend)
        return dap.GraphdebugStateResponse(
            capture=self._capture(),
            backends=tuple(backends.values()),
            ranks=tuple(self._runtimes.ranks()),
            dropped=self.dropped,
        )

    def _recorded_tensor(self, wanted: dap.GraphdebugTensorArguments) -> Any:
        if wanted.step is None or wanted.node is None:
            raise Refused("a recorded tensor is named by step, node, and output or input")
        node = self._steps.node(wanted.step, wanted.node)
        name, side, at = "outputs", node.outputs, wanted.output or 0
        if wanted.input is not None:
            name, side, at = "inputs", node.inputs, wanted.input
        if not 0 <= at < len(side):
            raise Refused(f"the node has {len(side)} {name}")
        tensor = side[at]
        if tensor.value is None and wanted.mode == "values":
            raise Refused(
                'the value was not captured; "capture": "values" keeps those of at most 16 elements'
            )
        values = tensor.value if wanted.mode == "values" else None
        return dap.GraphdebugTensorResponse(tensor, values=values)


def paged(items: Sequence[Any], start: int, count: int | None) -> Sequence[Any]:
    """The items from ``start`` on, ``count`` at most."""
    return items[max(0, start) : None if count is None else max(0, start) + max(0, count)]
