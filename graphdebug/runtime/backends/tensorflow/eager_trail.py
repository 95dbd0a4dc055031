"""What eager code runs in each thread: the operations of the open step, and the steps before.

Of the operations of the open step the tensors are kept too, up to a limit, so that a NaN that does harm
can be followed back to what made it.
"""

from __future__ import annotations

import sys
import threading
from collections import deque
from collections.abc import Callable, Sequence
from types import CodeType, FrameType
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from graphdebug.protocol.model import Tensor
from graphdebug.runtime.backends.tensorflow import record
from graphdebug.runtime.backends.tensorflow.arrays import recorded
from graphdebug.runtime.backends.tensorflow.calls import Call
from graphdebug.runtime.backends.tensorflow.eager_kept import KeptOperations
from graphdebug.runtime.backends.tensorflow.eager_records import (
    Event,
    Made,
    Values,
    describe,
    flattened,
    infos,
    place_of,
    read,
)
from graphdebug.runtime.backends.tensorflow.eager_watch import EagerWatch
from graphdebug.runtime.backends.tensorflow.operations import Operation
from graphdebug.runtime.frames import user_frame
from graphdebug.runtime.past import STEPS_LIMIT, Part, Past, numbers

if TYPE_CHECKING:
    from graphdebug.runtime.backends.tensorflow import TensorFlow

STEP_LIMIT = 100_000
"""Operations of one step; the nodes of a longer one are not recorded."""

EVENTS_LIMIT = 50_000
"""Operations remembered to recognise later steps by; what is beyond is forgotten."""


class Ended(NamedTuple):
    """A step that is over."""

    step: int
    """Its index within this process."""
    graph: int
    """The number of its description, which was sent."""
    last: Event
    values: list[Values] | None


class Trail(threading.local):
    """The open step of the calling thread."""

    def __init__(self, backend: TensorFlow) -> None:
        self.backend = backend
        self.root = self.at = Event(None, None)
        self.values: list[Values] = []
        self.ended: deque[Ended] = deque(maxlen=STEPS_LIMIT)
        self.partial = False
        self.watch = EagerWatch(self)
        self.kept = KeptOperations(self.watch.forget)
        self.between: tuple[int, CodeType, int] | None = None
        """The user's frame, its code and place, where Keras last ran a batch: what else it runs from
        there, it runs for itself."""
        self.differentiated = -1
        """Which operation of the step, counted from 0, the tape differentiates now; -1 for none."""
        self._grown = 0

    def after(self, operation: Operation, result: Any, ns: int) -> None:
        """An operation has run."""
        if self.partial:
            return
        frame = user_frame(sys._getframe(1))
        if self._belongs_to_keras(frame) or self._is_full():
            return
        outputs = result if isinstance(result, (list, tuple)) else (result,)
        made = Made(
            operation.kind,
            operation.name,
            self.backend.calls.phase,
            place_of(frame),
            infos(operation.inputs),
            infos(outputs),
            self.differentiated,
        )
        found = self._add(made, ns)
        if self.backend.records_values:
            self.values.append((read(operation.inputs), read(outputs)))
        if self.watch.on:
            kept = self.kept.add(found, flattened(operation.inputs), flattened(outputs))
            if self.backend.stops_at_nan or operation.kind.startswith("Assign"):
                self.watch.made(kept, frame)

    def called(self, call: Call, outputs: Sequence[Any], ns: int, keep: bool) -> None:
        """A compiled function has run that no tape follows; ``keep``: its tensors may be looked at."""
        if self.partial or self._belongs_to_keras(call.frame) or self._is_full():
            return
        place, given = place_of(call.frame), infos(call.given)
        made = Made(call.executed, "", call.phase, place, given, infos(outputs), -1)
        event = self._add(made, ns)
        if keep:
            self.kept.add(event, flattened(call.given), tuple(outputs))

    def _belongs_to_keras(self, frame: FrameType | None) -> bool:
        """Whether Keras runs it for itself."""
        here = self.between
        return (
            here is not None
            and frame is not None
            and (id(frame), frame.f_code, frame.f_lasti) == here
        )

    def _is_full(self) -> bool:
        """Whether there is no place for another operation: then nothing more is recorded of the step."""
        if self.at.depth >= STEP_LIMIT:
            self.partial = True
            self.kept.clear()
        return self.partial

    def close(
        self, report: Callable[[int | None, int, int], int], last: Event | None = None
    ) -> None:
        """The step is over, with what is there or with ``last``.

        ``report`` is given the number of its description, and how many nodes ran forward and backward;
        it returns the step's index.
        """
        graph, here = None, self.at
        last = here if last is None else last
        values = self.values[: last.depth + 1] if self.backend.records_values else None
        counts = last.counts
        if last.parent is not None and not self.partial:
            key = None if values else ("eager", last.number)
            graph = self.backend.runtime.recorder.graph(key, lambda: describe(last, values))
        step = report(graph, *(counts if graph is not None else (0, 0)))
        if graph is not None:
            self.ended.append(Ended(step, graph, last, values))
        rest = here.path()[last.depth + 1 :]
        kept = self.values[last.depth + 1 :]
        self.reopen()
        for event in rest:
            assert event.made is not None
            forward = max(-1, event.made.forward - last.depth - 1)
            self._add(event.made._replace(forward=forward), event.ns)
        self.values = kept

    @property
    def devices(self) -> tuple[str, ...]:
        """Where the open step ran."""
        made = (event.made for event in self.at.path())
        named = {info[2] for item in made if item is not None for info in item.outputs}
        return tuple(sorted(map(record.short_device, named)))

    def _add(self, made: Made, ns: int) -> Event:
        found = self.at.children.get(made)
        if found is None:
            found = self.at.children[made] = Event(self.at, made)
            self._grown += 1
        found.ns = ns
        self.at = found
        return found

    def reopen(self) -> None:
        """The next step begins."""
        if self._grown > EVENTS_LIMIT:
            self.root, self._grown = Event(None, None), 0
        self.at, self.values, self.partial = self.root, [], False
        self.kept.clear()
        self.watch.over()

    def past(self) -> Past | None:
        """What the thread ran last; None where it ran nothing. Called in the stopped thread."""
        runtime = self.backend.runtime
        parts: list[Part] = [
            (item.step, item.graph, describe(item.last, item.values)) for item in self.ended
        ]
        if self.at.parent is not None and not self.partial:
            nodes = describe(self.at, self.values or None)
            parts.append((None, runtime.recorder.graph(None, lambda: nodes), nodes))
        return Past(runtime, parts, _shown) if parts else None

    def differentiates(self, kind: str, inputs: Any, outputs: Any) -> int:
        """Which operation of the step a gradient function is called for; -1 where that isn't certain."""
        wanted = {id(item) for item in (*(inputs or ()), *(outputs or ())) if item is not None}
        known = list(self.kept.of_kind(kind))
        if len(known) > 1:
            known = [
                item
                for item in known
                if any(id(each) in wanted for each in (*item.outputs, *item.inputs))
            ] or known
        lines = {item.event.made and item.event.made.source for item in known}
        return known[-1].event.depth if len(lines) == 1 else -1


def _shown(tensor: Tensor) -> Any:
    """A kept value as tensors are shown."""
    kind = object if tensor.dtype == "string" else np.dtype(tensor.dtype)
    value = tensor.value if kind is object else numbers(tensor.value)
    return recorded(np.array(value, dtype=kind), tensor.device)
