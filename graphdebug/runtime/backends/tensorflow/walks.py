"""A recorded run of a graph as ``replays`` wants it: its executions, and their values when asked for."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from graphdebug.protocol.model import Source
from graphdebug.protocol.runtime import Breakpoint
from graphdebug.runtime.backends.tensorflow import boundary, budget, record
from graphdebug.runtime.backends.tensorflow.arrays import recorded
from graphdebug.runtime.backends.tensorflow.assignments import variables
from graphdebug.runtime.backends.tensorflow.named import Named
from graphdebug.runtime.backends.tensorflow.record import PASSED_ON, Execution
from graphdebug.runtime.backends.tensorflow.signatures import Selection
from graphdebug.runtime.backends.tensorflow.sources import GraphLines
from graphdebug.runtime.backends.tensorflow.watches import Slot
from graphdebug.runtime.replays import Execution as Shown
from graphdebug.runtime.replays import Item, Missing, Passed

if TYPE_CHECKING:
    from graphdebug.runtime.runtime import Runtime

Why = Callable[[Execution, int], str]
"""Why an output has no value; empty where nobody knows."""


class Recorded(Protocol):
    """Where the values of a run come from."""

    @property
    def reshapes(self) -> Mapping[Slot, Slot]:
        """Outputs whose values weren't recorded since others have the same numbers: which those are."""

    def attach(self, found: Sequence[Execution]) -> None:
        """Give executions their values."""

    def constant(self, node: str) -> Any:
        """The value of a constant of the graph; None for any other node."""


class Walk:
    """What is kept of one run while its thread is stopped."""

    def __init__(
        self,
        runtime: Runtime,
        graph: Any,
        lines: GraphLines,
        recorded: Recorded,
        found: Callable[[], Sequence[Execution]],
        count: int,
        wanted: Collection[int],
        home: boundary.Home | None,
        why: Why,
        before: boundary.Before,
        release: Callable[[], None],
        by_name: Callable[[], Named],
    ) -> None:
        """Keep the first of ``count`` executions, up to the limit, and those at ``wanted`` positions.

        They are asked for where somebody looks, unless there are more than the limit.
        """
        self._limit = runtime.configuration.record_limit
        self._recorded = recorded
        self._find: Callable[[], Sequence[Execution]] | None = found
        self._wanted = wanted
        self._runtime = runtime
        self._graph = graph
        self._lines = lines
        self._kept: dict[int, Execution] = {}
        if count > self._limit:
            self._look()  # now, since those beyond the limit aren't kept to count by
        self._home = home
        self._release = release
        self._why = why
        self._before = before
        self._by_name = by_name

    def _look(self) -> None:
        """List what ran, and the values: most stops go by without anybody looking at one."""
        find, self._find = self._find, None
        if find is None:
            return
        found = find()
        self._recorded.attach(found)
        self._kept.update(enumerate(found[: self._limit]))
        for index in self._wanted:
            if index >= self._limit:
                found[index].fed = ()  # or it would keep all that were before it
                self._kept[index] = found[index]

    def execution(self, index: int) -> Shown:
        """The execution at a position of the record. Raises LookupError for one that isn't kept."""
        self._look()
        item = self._kept[index]
        (node,) = record.nodes([item])
        names = self._variables(item.source).get(item.origin or ("", ""), {})
        outputs = tuple(
            Item(tensor, self._reader(item, slot), names.get(slot, ""))
            for slot, tensor in sorted(item.outputs.items())
        )
        inputs = tuple(
            Item(made.outputs[slot], self._reader(made, slot), _called(*_source(made, slot)))
            for made, slot in item.fed
        )
        scope: Mapping[str, Any] = {}
        if item.source is not None:
            scope = boundary.globals_of(item.source.path, self._home)
        return Shown(node, inputs, outputs, scope)

    def passed(self) -> Passed:
        """Evaluate the breakpoints that are set now."""
        self._look()
        indices = sorted(self._kept)
        logs: list[tuple[int, str, Source]] = []

        def log(at: int, breakpoint: Breakpoint, text: str, source: Source) -> None:
            if breakpoint != self._before.breakpoints.get(source.path, {}).get(source.line):
                logs.append((indices[at], text, source))

        names = {
            (path, line): self._variables(Source(path, line))
            for path, file in self._runtime.breakpoints.files.items()
            for line in file
        }
        stops = boundary.hits(
            self._runtime,
            [self._kept[index] for index in indices],
            names,
            self._home,
            by_name=self._by_name(),
            log=log,
            before=self._before,
        )
        return Passed(tuple(indices[at] for at in stops.executions), tuple(logs))

    def release(self) -> None:
        """Nobody asks any more."""
        self._find = None
        self._kept.clear()
        self._release()

    def _variables(self, source: Source | None) -> Mapping[Any, Mapping[int, str]]:
        if source is None:
            return {}
        origins = self._lines.built_at(self._graph, source.path, source.line)
        return variables(self._graph, source.path, source.line, origins)

    def _reader(self, item: Execution, slot: int) -> Callable[[], Any]:
        def read() -> Any:
            made, at = self._numbers(item, slot)
            value = made.values.get(at)
            array = self._recorded.constant(made.node) if value is None else value.read()
            tensor = item.outputs[slot]
            if array is not None and array.size == math.prod(tensor.shape):
                array = array.reshape(tensor.shape)
            if array is None:
                text = f"{tensor.dtype} {tensor.shape} {tensor.device}"
                return Missing(text, self._why(made, at))
            return recorded(array, tensor.device)

        return read

    def _numbers(self, item: Execution, slot: int) -> tuple[Execution, int]:
        """The execution that has a value as its own, in this shape or in another."""
        item, slot = _source(item, slot)
        of = self._recorded.reshapes.get((item.node, slot))
        if slot in item.values or of is None:
            return item, slot
        made = next((made for made, at in item.fed if (made.node, at) == of), None)
        return (item, slot) if made is None else self._numbers(made, of[1])


def _called(item: Execution, slot: int) -> str:
    """An output, as TensorFlow names inputs."""
    return f"{item.name}:{slot}" if slot else item.name


def _source(item: Execution, slot: int) -> tuple[Execution, int]:
    """The execution that has a value as its own, which others only passed on."""
    while slot not in item.values and item.op_type in PASSED_ON and item.fed:
        if item.op_type == "Merge":
            if slot != 0:
                break  # which of its inputs it was
            # Of its inputs only one came, and last.
            item, slot = max(item.fed, key=lambda made: made[0].began)
        elif item.op_type == "Switch" and len(item.fed) < 2:
            break  # one of its inputs isn't known
        else:
            item, slot = item.fed[0]
    return item, slot


def reasons(selection: Selection, watched: Collection[Slot]) -> Why:
    """Why outputs of a run that watched these have no value."""

    def why(item: Execution, slot: int) -> str:
        if selection.without_values:
            return selection.without_values
        if (item.node, slot) in watched or slot not in item.outputs:
            return ""
        if item.outputs[slot].dtype in ("resource", "variant"):
            return f"it is a {item.outputs[slot].dtype}"
        return budget.why(item.outputs[slot].bytes, selection.stops)

    return why


def remarks(
    removed: Iterable[tuple[str, int]], executions: int, limit: int, without_values: str = ""
) -> list[str]:
    """What a stop says beyond what ran: lines that nothing is left of, and what isn't kept."""
    said = [f"TensorFlow's optimizer left nothing of line {line}" for _, line in removed]
    if without_values:
        said.append(f"without values, since {without_values}")
    if executions > limit:
        said.append(
            f"of {executions:,} node executions the first {limit:,} are kept (recordLimit), and "
            "those that the breakpoints stop at"
        )
    return said
