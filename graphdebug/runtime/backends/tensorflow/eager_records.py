"""The operations of a step of eager code, and how later steps that run the same are recognised."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from types import CodeType, FrameType
from typing import Any, NamedTuple

from graphdebug.protocol.model import VALUE_LIMIT, Node, Phase, Source, Tensor
from graphdebug.runtime.backends.tensorflow import record
from graphdebug.runtime.frames import source_at
from graphdebug.runtime.inspection import plain

Info = tuple[Any, int, str]
"""Of a tensor: shape, the number of its type, device."""

Values = tuple[tuple[Any, ...], tuple[Any, ...]]
"""The values that were kept of an operation's inputs and outputs."""

_numbers = itertools.count()


class Place:
    """Where the user's code called an operation; one object for each, known by what it is.

    To hash the code instead would take longer than all the rest.
    """

    __slots__ = ("code", "lasti")

    def __init__(self, code: CodeType, lasti: int) -> None:
        self.code = code
        self.lasti = lasti

    @property
    def source(self) -> Source:
        """The line."""
        return source_at(self.code, self.lasti)


_PLACES_LIMIT = 65536
_places: dict[tuple[int, int], Place] = {}
"""By the ``id`` of the code, which its place keeps alive."""


def place_of(frame: FrameType | None) -> Place | None:
    """Where a frame stands."""
    if frame is None:
        return None
    code, lasti = frame.f_code, frame.f_lasti
    known = _places.get((id(code), lasti))
    if known is None:
        if len(_places) >= _PLACES_LIMIT:
            _places.clear()
        known = _places[id(code), lasti] = Place(code, lasti)
    return known


class Made(NamedTuple):
    """What tells one operation of a step from others in its place."""

    kind: str
    name: str
    phase: Phase
    place: Place | None
    """Of the user's frame that called it."""
    inputs: tuple[Info, ...]
    outputs: tuple[Info, ...]
    forward: int
    """Of one in backward: which operation of the step it differentiates, counted from 0; else -1."""

    @property
    def source(self) -> Source | None:
        """The user's line that called it."""
        return None if self.place is None else self.place.source


class Event:
    """An operation in its place: what came before it is its parent's, and so on to the step's begin."""

    __slots__ = ("children", "depth", "made", "ns", "number", "parent")

    def __init__(self, parent: Event | None, made: Made | None) -> None:
        self.parent = parent
        self.made = made
        self.depth: int = -1 if parent is None else parent.depth + 1
        self.number = next(_numbers)
        self.ns = 0
        self.children: dict[Made, Event] = {}

    @property
    def counts(self) -> tuple[int, int]:
        """How many operations ran forward and backward up to here; those of an update count for neither."""
        phases = [event.made.phase for event in self.path() if event.made is not None]
        return phases.count("forward"), phases.count("backward")

    def path(self) -> list[Event]:
        """The operations from the step's first to this one."""
        found, event = [], self
        while event.parent is not None:
            found.append(event)
            event = event.parent
        return found[::-1]


def infos(values: Sequence[Any]) -> tuple[Info, ...]:
    """Of the tensors among values."""
    return tuple(
        [
            (value._shape_tuple(), value._datatype_enum(), value.device)
            for value in flattened(values)
            if hasattr(value, "_datatype_enum")
        ]
    )


def flattened(values: Sequence[Any]) -> tuple[Any, ...]:
    """Values, and what lists among them hold; quick where there are no lists."""
    for value in values:
        if type(value) in (list, tuple):
            return tuple(flat(values))
    return tuple(values)


def flat(values: Sequence[Any]) -> Iterator[Any]:
    """Values, and what lists among them hold."""
    for value in values:
        if isinstance(value, (list, tuple)):
            yield from flat(value)
        else:
            yield value


def read(values: Sequence[Any]) -> tuple[Any, ...]:
    """The values of the tensors among values; None for one that isn't small and near."""
    return tuple(_value(value) for value in flat(values) if hasattr(value, "_datatype_enum"))


def _value(tensor: Any) -> Any:
    near = "CPU" in tensor.backing_device and tensor.dtype.name not in ("resource", "variant")
    if not near or math.prod(tensor._shape_tuple()) > VALUE_LIMIT:
        return None
    array = tensor._numpy_internal()
    found = array.tolist() if hasattr(array, "tolist") else array
    return _spelled(plain(found, tensor.dtype.name))


def _spelled(value: Any) -> Any:
    if isinstance(value, list):
        return [_spelled(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return "nan" if math.isnan(value) else "inf" if value > 0 else "-inf"
    return value


def describe(last: Event, values: Sequence[Values] | None = None) -> tuple[Node, ...]:
    """The nodes of a step that ended with ``last``."""
    found: list[Node] = []
    turns: Counter[tuple[str, Place | None]] = Counter()
    for index, event in enumerate(last.path()):
        made = event.made
        assert made is not None
        turn = made.kind, made.place
        turns[turn] += 1
        kept: Values = ((), ()) if values is None or index >= len(values) else values[index]
        outputs = _tensors(made.outputs, kept[1])
        found.append(
            Node(
                index=index,
                step=0,
                name=made.name or made.kind,
                op_type=made.kind,
                phase=made.phase,
                iteration=turns[turn] - 1,
                device=outputs[0].device if outputs else "",
                inputs=_tensors(made.inputs, kept[0]),
                outputs=outputs,
                source=found[made.forward].source if made.forward >= 0 else made.source,
                duration_ns=event.ns,
                forward_node=made.forward if made.forward >= 0 else None,
            )
        )
    return tuple(found)


def _tensors(of: Sequence[Info], values: Sequence[Any]) -> tuple[Tensor, ...]:
    return tuple(
        _tensor(info, values[at] if at < len(values) else None) for at, info in enumerate(of)
    )


def _tensor(info: Info, value: Any) -> Tensor:
    shape, dtype, device = info
    about = record.tensor(tuple(shape), dtype, record.short_device(device))
    if value is None:
        return about
    return Tensor(about.shape, about.dtype, about.device, about.bytes, value=value)
