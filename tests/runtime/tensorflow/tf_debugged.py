"""Runs the TensorFlow test programs under the adapter, and notes every stop."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from support.dap import Message, Session, Start
from support.markers import line, program
from tf_observed import ENVIRONMENT, Recorded

from graphdebug.protocol.model import Alert, Node, Step
from graphdebug.protocol.wire import from_wire


@dataclass(frozen=True)
class Stop:
    """A stop, as the client sees it."""

    line: int
    """Where the program stands; 0 where it went on, with another thread, before it could be asked."""
    description: str
    """Which kind it is; nothing where it is like any other of Python's."""
    text: str
    """What the stop says."""
    lines: set[int]
    """Of the breakpoints that it stops for."""
    step: int
    """The newest step."""
    executed: list[Message]
    """Variables of the graph run: the executions that it stops for."""
    locals: dict[str, Message]
    """Variables of the frame."""

    @property
    def values(self) -> list[str]:
        """Each execution as it is shown."""
        return [execution["value"] for execution in self.executed]


def under_debugpy(start: Start, name: str, *args: str) -> str:
    """What the program prints under debugpy alone, whose frames stand in TensorFlow's errors."""
    session = start("debugpy", environment=ENVIRONMENT, timeout=120)
    session.launch(program=program(name), args=args)
    session.wait_for_exit()
    return session.output("stdout")


class Debugged(Recorded):
    """The program under the adapter, continued at every stop.

    ``breakpoints`` are marks, or marks with the other fields of a SourceBreakpoint.
    """

    def __init__(
        self,
        start: Start,
        name: str,
        *args: str,
        breakpoints: tuple[str, ...] | dict[str, dict[str, Any]],
        capture: str = "nodes",
    ) -> None:
        self.path = program(name)
        self.stops: list[Stop] = []
        self._nodes: dict[int, tuple[Node, ...]] = {}
        self._session = start("graphdebug", environment=ENVIRONMENT, timeout=120)
        more = breakpoints if isinstance(breakpoints, dict) else {mark: {} for mark in breakpoints}
        wanted = [{"line": line(self.path, mark), **fields} for mark, fields in more.items()]
        self._session.launch(
            program=self.path, args=args, capture=capture, breakpoints={self.path: wanted}
        )
        while (stop := self._session.next_stop()) is not None:
            self.stops.append(self._look(self._session, stop))
            if not self._went_on(stop):
                self._session.cont()
                self._session.client.wait_for_event("continued")
        self.returncode = self._session.wait_for_exit()
        body = self._session.request("graphdebugSteps")
        self._steps = [from_wire(Step, step) for step in body["steps"]]

    def _went_on(self, stop: Message) -> bool:
        """Whether the thread goes on already: to continue another continued all."""
        for entry in reversed(self._session.transcript.entries):
            if entry.message.get("body") is stop:
                return False
            if entry.message.get("event") == "continued":
                return True
        raise AssertionError(f"no such stop: {stop}")

    def _look(self, session: Session, stop: Message) -> Stop:
        numbers = {item["id"]: item["line"] for item in session.breakpoints[self.path]}
        number, step = 0, -1
        executed: list[Message] = []
        shown: dict[str, Message] = {}
        boundary = stop.get("description") == "Graph boundary"
        if boundary:
            step = session.request("graphdebugSteps", begin=1 << 30)["total"] - 1
        if not self._went_on(stop):
            frame = session.frame()
            number = frame["line"]
            if boundary:
                scopes = session.scopes(frame)
                shown = session.variables(scopes["Locals"]["variablesReference"])
                (graph,) = (scopes[name] for name in scopes if name.startswith("Graph run"))
                reference = graph["variablesReference"]
                body = session.request("variables", variablesReference=reference)
                executed = body["variables"]
        return Stop(
            line=number,
            description=stop.get("description", ""),
            text=stop.get("text", ""),
            lines={numbers[number] for number in stop.get("hitBreakpointIds", ())},
            step=step,
            executed=executed,
            locals=shown,
        )

    @property
    def steps(self) -> list[Step]:
        return self._steps

    def nodes(self, step: int) -> tuple[Node, ...]:
        if step not in self._nodes:
            body = self._session.request("graphdebugNodes", step=step)
            self._nodes[step] = tuple(from_wire(Node, node) for node in body["nodes"])
        return self._nodes[step]

    @property
    def boundaries(self) -> list[Stop]:
        """Stops at the boundary."""
        return [stop for stop in self.stops if stop.description == "Graph boundary"]

    @property
    def building(self) -> list[Stop]:
        """Stops where Python builds a graph."""
        return [stop for stop in self.stops if stop.description == "Building graph"]

    @property
    def stdout(self) -> str:
        """What the program wrote; log points say their line, the program's output has none."""
        return "".join(body["output"] for body in self._outputs if "line" not in body)

    @property
    def stderr(self) -> str:
        """What the program wrote there."""
        return self._session.output("stderr")

    @property
    def logged(self) -> list[str]:
        """What our log points said."""
        return [body["output"].rstrip("\n") for body in self._outputs if "line" in body]

    @property
    def _outputs(self) -> list[Message]:
        return [
            body
            for body in self._session.transcript.events("output")
            if body.get("category") == "stdout"
        ]

    @property
    def alerts(self) -> list[Alert]:
        """What the user was told."""
        events = self._session.transcript.events("graphdebugAlert")
        return [from_wire(Alert, body["alert"]) for body in events]

    @property
    def bound(self) -> dict[int, str]:
        """What the breakpoint of each line was last said to do."""
        told = [event["breakpoint"] for event in self._session.transcript.events("breakpoint")]
        return {
            item["line"]: item["message"] for item in (*self._session.breakpoints[self.path], *told)
        }

    def executed(self, stop: Stop) -> list[Node]:
        """The executions that a boundary stops for, as they were recorded."""
        names = [execution["name"] for execution in stop.executed]
        nodes = {f"{node.name} [{node.iteration}]": node for node in self.nodes(stop.step)}
        return [nodes[name] for name in names]
