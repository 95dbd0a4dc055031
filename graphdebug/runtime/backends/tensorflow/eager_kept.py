"""The last operations of a step of eager code with their tensors, as far as there is room for them.

One thread's. Imported by ``eager_trail``; ``eager_watch`` looks through them.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np

from graphdebug.runtime.backends.tensorflow.eager_records import Event

BYTES_LIMIT = 64 << 20
"""What all that is kept takes together, whoever made it: a batch that came from outside, too."""

LIMIT = 4096
"""Operations that are kept."""


class Kept(NamedTuple):
    """An operation with its tensors."""

    event: Event
    inputs: tuple[Any, ...]
    outputs: tuple[Any, ...]

    @property
    def forward_kind(self) -> str:
        """Its type; empty for one that didn't run forward."""
        made = self.event.made
        return "" if made is None or made.phase != "forward" else made.kind


class KeptOperations:
    """In the order in which they ran. The newest one is kept whatever it takes."""

    def __init__(self, forget: Callable[[Kept], None]) -> None:
        """``forget`` is called with each that is let go of to make room."""
        self._forget = forget
        self._all = deque[Kept]()
        self._by_kind: dict[str, deque[Kept]] = {}
        self._uses: dict[int, list[int]] = {}
        """Of each tensor, by its ``id``: its bytes, and in how many places it is kept."""
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._all)

    def __iter__(self) -> Iterator[Kept]:
        yield from self._all

    def __reversed__(self) -> Iterator[Kept]:
        yield from reversed(self._all)

    def add(self, event: Event, inputs: tuple[Any, ...], outputs: tuple[Any, ...]) -> Kept:
        """Keep one."""
        kept = Kept(event, inputs, outputs)
        self._all.append(kept)
        if kind := kept.forward_kind:
            self._by_kind.setdefault(kind, deque()).append(kept)
        self._use(inputs)
        self._use(outputs)
        while len(self._all) > LIMIT or (self._bytes > BYTES_LIMIT and len(self._all) > 1):
            self._drop_oldest()
        return kept

    def of_kind(self, kind: str) -> Iterable[Kept]:
        """Those of this type that ran forward."""
        return self._by_kind.get(kind, ())

    def clear(self) -> None:
        """Let go of all."""
        self._all.clear()
        self._by_kind.clear()
        self._uses.clear()
        self._bytes = 0

    def _drop_oldest(self) -> None:
        oldest = self._all.popleft()
        if kind := oldest.forward_kind:
            self._by_kind[kind].popleft()
        for value in (*oldest.inputs, *oldest.outputs):
            use = self._uses[id(value)]
            use[1] -= 1
            if not use[1]:
                self._bytes -= self._uses.pop(id(value))[0]
        self._forget(oldest)

    def _use(self, values: Iterable[Any]) -> None:
        for value in values:
            use = self._uses.get(id(value))
            if use is None:
                size = _bytes(value)
                self._uses[id(value)] = [size, 1]
                self._bytes += size
            else:
                use[1] += 1


_ITEM_SIZES: dict[int, int] = {}
"""By the number of a tensor's type."""


def _bytes(value: Any) -> int:
    """What it takes; 0 where nobody knows, and for a variable, which is there anyway."""
    if not hasattr(value, "_datatype_enum"):
        return int(value.nbytes) if isinstance(value, np.ndarray) else 0
    kind = value._datatype_enum()
    size = _ITEM_SIZES.get(kind)
    if size is None:
        size = _ITEM_SIZES[kind] = value.dtype.size or 0
    return int(math.prod(value._shape_tuple()) * size)
