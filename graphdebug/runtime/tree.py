"""What opens in Variables: children by name, and groups that do nothing until they are opened."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any

from graphdebug.protocol.dap import TensorSummary
from graphdebug.protocol.model import Tensor
from graphdebug.runtime.inspection import VALUE_LIMIT, Index

PAGE = 100
"""How many children a level of values has at most."""

Child = tuple[str, Any, "str | None"]
"""A name, a value, and what to put behind the parent's expression to evaluate to it, if anything."""


class Group:
    """Children that are made only when somebody opens them."""

    def __init__(self, text: str, open: Callable[[], Sequence[Child]]) -> None:
        self.text = text
        self.open = open

    def __repr__(self) -> str:
        return self.text


# The class's name is what editors show as the type, and a part of a tensor is a tensor to the user.
Part = type("Tensor", (Group,), {"__doc__": "A tensor's row, read only where it is opened."})


@dataclass(frozen=True)
class Elements:
    """How the elements of one tensor are read."""

    tensor: Tensor
    """Its description."""
    cheap: bool
    """Whether reading them waits for no device."""
    read: Callable[[Index], Any]
    """Elements at an index as nested lists; asked only for a few."""
    summary: Callable[[Index], TensorSummary]
    """Statistics of what stands at an index."""

    def children(self) -> list[Child]:
        """``statistics`` and ``values``."""
        return self._children((), self.tensor.shape)

    def _children(self, at: Index, shape: tuple[int, ...]) -> list[Child]:
        found: list[Child] = [("statistics", statistics(lambda: self.summary(at)), None)]
        if not shape:
            found.append(("value", Group("read when opened", lambda: self._item(at)), ""))
        elif 0 not in shape:
            each = self._text(shape[1:]) if len(shape) > 1 else self.tensor.dtype
            text = f"{shape[0]:,} x {each}"
            values = Group(text, lambda: self._page(at, shape, 0, shape[0], 0))
            found.append(("values", values, ""))
        return found

    def _item(self, at: Index) -> list[Child]:
        return [("item()", self.read(at), ".item()")]

    def _page(
        self, at: Index, shape: tuple[int, ...], start: int, stop: int, base: int
    ) -> list[Child]:
        """The items from ``start`` to ``stop`` of a tensor or of its part from ``base`` on."""
        if stop - start > PAGE:
            return [self._range(at, shape, *ends, base) for ends in pages(start, stop)]
        names = [(f"[{index}]", f"[{index - base}]") for index in range(start, stop)]
        if len(shape) == 1:
            items = self.read((*at, slice(start, stop)))
        else:
            items = [self._row((*at, index), shape[1:]) for index in range(start, stop)]
        return [(name, item, suffix) for (name, suffix), item in zip(names, items, strict=True)]

    def _range(self, at: Index, shape: tuple[int, ...], start: int, stop: int, base: int) -> Child:
        text = self._text((stop - start, *shape[1:]))
        group = Group(text, lambda: self._page(at, shape, start, stop, start))
        return f"[{start}:{stop}]", group, f"[{start - base}:{stop - base}]"

    def _row(self, at: Index, shape: tuple[int, ...]) -> Group:
        text = self._text(shape)
        if self.cheap and _count(shape) <= VALUE_LIMIT:
            text += f" {self.read(at)}"
        part: Group = Part(text, lambda: [("shape", shape, ".shape"), *self._children(at, shape)])
        return part

    def _text(self, shape: tuple[int, ...]) -> str:
        return f"{self.tensor.dtype} {shape} {self.tensor.device}"


def statistics(summary: Callable[[], TensorSummary]) -> Group:
    """A group of the statistics, computed when it is opened."""

    def open() -> list[Child]:
        found = summary()
        return [(field.name, getattr(found, field.name), None) for field in fields(found)]

    return Group("computed when opened", open)


def pages(start: int, stop: int) -> list[tuple[int, int]]:
    """Ranges of equal size, a power of ``PAGE``, so that no level has more than ``PAGE``."""
    span = PAGE
    while stop - start > span * PAGE:
        span *= PAGE
    return [(at, min(at + span, stop)) for at in range(start, stop, span)]


def paged(items: Sequence[Child]) -> list[Child]:
    """The items, in groups where there are more than ``PAGE``."""
    if len(items) <= PAGE:
        return list(items)

    def group(start: int, stop: int) -> Child:
        return f"[{start}:{stop}]", Group("", lambda: paged(items[start:stop])), ""

    return [group(start, stop) for start, stop in pages(0, len(items))]


def _count(shape: tuple[int, ...]) -> int:
    count = 1
    for size in shape:
        count *= size
    return count
