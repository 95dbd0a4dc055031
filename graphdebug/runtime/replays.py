"""Recorded runs of graphs, kept while the thread that ran one is stopped, so that it can be walked through.

A backend hands in a ``Replay`` with a boundary stop (``Stops.boundary``); the adapter walks, and asks
here for what only this process has: values. It does so by having debugpy evaluate, in the stopped
thread, calls of ``Replays``' methods. Nothing is run again.

Imported by ``stops`` and by backends; standard library only.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, cast

from graphdebug.protocol.model import Node, Source, Tensor
from graphdebug.runtime.tree import Child, Group

Named = Callable[[str], str]

CHANGED = "the program's variables have changed since, so that a recorded place knows only {}"


class Missing(Group):
    """What stands where a value wasn't recorded: what is known of it, and why there is no more."""

    def __init__(self, text: str, why: str) -> None:
        super().__init__(f"{text}: no value, since {why}" if why else f"{text}: no value", list)


@dataclass(frozen=True)
class Item:
    """An input or an output of an execution."""

    tensor: Tensor
    """Its description."""
    read: Callable[[], Any]
    """Its value, or a ``Missing``; called where somebody looks."""
    name: str = ""
    """The variable that the user's line assigned it to; of an input, the node that made it."""


@dataclass(frozen=True)
class Execution:
    """One execution of a node, as it is shown where a walk stands at it."""

    node: Node
    """Its description."""
    inputs: tuple[Item, ...] = ()
    """By position, as far as they are known."""
    outputs: tuple[Item, ...] = ()
    """By position."""
    scope: Mapping[str, Any] = field(default_factory=dict)
    """Globals of the module that the node's line stands in, where that isn't the stopped frame's."""
    alone: bool = False
    """Whether the program has gone on since, so that its own names tell nothing of this place."""

    def names(self) -> dict[str, Any]:
        """What an expression sees before it sees the program's own names."""
        outputs = [item.read() for item in self.outputs]
        names: dict[str, Any] = {
            "node": self.node.name,
            "iteration": self.node.iteration,
            "iterations": self.node.iterations,
            "phase": self.node.phase,
            "inputs": [item.read() for item in self.inputs],
            "outputs": outputs,
        }
        if outputs:
            names["value"] = outputs[0]
        names.update(
            (item.name, value)
            for item, value in zip(self.outputs, outputs, strict=True)
            if item.name
        )
        return names


@dataclass(frozen=True)
class Passed:
    """What the breakpoints that are set now do at the executions of a record."""

    stops: tuple[int, ...] = ()
    """Positions of the executions that stop."""
    logs: tuple[tuple[int, str, Source], ...] = ()
    """What log points say that weren't there when the run was over, and where."""


class Replay(Protocol):
    """One recorded run. Called in the stopped thread only."""

    def execution(self, index: int) -> Execution:
        """The execution at a position of the record. Raises LookupError for one that isn't kept."""

    def passed(self) -> Passed:
        """Evaluate the breakpoints again, which may have changed since the run was over."""

    def release(self) -> None:
        """Nobody asks any more. Called once, on any thread."""


class Replays:
    """The replays of the boundaries where threads are stopped, by the boundary's number.

    Those of other stops have numbers below 0.

    Put in by the thread that stops, taken out by that thread or the link's.
    """

    def __init__(self, publish: Callable[[str, Any], None]) -> None:
        self._publish = publish
        self._kept: dict[int, Replay] = {}
        self._live = itertools.count(-1, -1)

    def keep_live(self, replay: Replay) -> int:
        """Keep what leads back from a stop that isn't a boundary, under a number of its own."""
        number = next(self._live)
        self._kept[number] = replay
        return number

    def keep(self, boundary: int, replay: Replay) -> None:
        """A thread is about to stop."""
        self._kept[boundary] = replay

    def drop(self, boundary: int) -> None:
        """It went on."""
        replay = self._kept.pop(boundary, None)
        if replay is not None:
            replay.release()

    def drop_all(self) -> None:
        """Nobody is there any more who could look."""
        for boundary in list(self._kept):
            self.drop(boundary)

    # What the adapter evaluates

    def evaluate(
        self,
        boundary: int,
        index: int,
        expression: str,
        globals_: dict[str, Any],
        locals_: Mapping[str, Any],
    ) -> Any:
        """The value of an expression of the user's at an execution.

        ``globals_`` and ``locals_`` are those of the frame that called the run.
        """
        execution = self._kept[boundary].execution(index)
        names = execution.names()
        if not execution.alone:
            names = {**globals_, **locals_, **execution.scope, **names}
        try:
            return eval(compile(expression.strip(), "<replay>", "eval"), dict(names))
        except NameError as error:
            if execution.alone:
                raise NameError(f"{error}: {CHANGED.format(', '.join(names))}") from None
            raise

    def scopes(self, boundary: int, index: int) -> Group:
        """What opens to the scopes of an execution, each of which opens to its variables."""
        execution = self._kept[boundary].execution(index)
        return Group("", lambda: _scopes(execution))

    def passed(self, boundary: int, key: str) -> None:
        """Publish what the breakpoints do now."""
        found = self._kept[boundary].passed()
        logs = [[index, text, source.path, source.line] for index, text, source in found.logs]
        self._publish(key, {"stops": list(found.stops), "logs": logs})


def _scopes(execution: Execution) -> list[Child]:
    return [
        ("Outputs", Group("", lambda: _outputs(execution)), ""),
        ("Inputs", Group("", lambda: _inputs(execution)), ""),
        ("Node", Group("", lambda: _facts(execution.node)), ""),
    ]


def _outputs(execution: Execution) -> list[Child]:
    return [
        _child(item.name or f"[{at}]", item.read(), item.name or f"outputs[{at}]")
        for at, item in enumerate(execution.outputs)
    ]


def _inputs(execution: Execution) -> list[Child]:
    return [
        _child(f"[{at}] {item.name}".rstrip(), item.read(), f"inputs[{at}]")
        for at, item in enumerate(execution.inputs)
    ]


def _facts(node: Node) -> list[Child]:
    phase = (("phase", node.phase),) if node.phase != "graph" else ()
    facts: Iterable[tuple[str, Any]] = (
        ("name", node.name),
        ("operation", node.op_type),
        *phase,
        ("iteration", node.iterations or node.iteration),
        ("device", node.device),
        ("time", f"{node.duration_ns / 1000:,.1f} µs" if node.duration_ns else "not measured"),
        ("line", f"{node.source.path}:{node.source.line}" if node.source else "none of yours"),
    )
    return [(name, value, None) for name, value in facts]


def _child(name: str, value: Any, expression: str) -> Child:
    # pydevd takes a function here too, of the parent's expression: at the place, the name is enough.
    named: Named = lambda parent: expression  # noqa: E731
    return name, value, cast(str, named)
