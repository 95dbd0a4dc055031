"""What is known of each compiled function that was called, so that a call of it as one before costs little.

Imported by ``function_hooks`` and ``functions``; ``reaches_python`` by ``signatures``, too.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from graphdebug.protocol.model import Node
from graphdebug.runtime.backends.tensorflow.repeats import Told
from graphdebug.runtime.backends.tensorflow.sources import body_of, called

_PYTHON = ("PyFunc", "Iterator", "Dataset", "Optional", "Remote")
"""What is in the names of operations that call Python, or may call functions that do."""


@dataclass
class Described:
    """A concrete function, described."""

    key: tuple[str, int]
    """Names its description."""
    nodes: list[Node]
    """What it was built of."""
    devices: tuple[str, ...]
    """Where they run."""
    name: str
    """What was called."""


class Callee:
    """A concrete function. Threads that look at one at once find the same."""

    def __init__(self) -> None:
        self.told = Told()
        self.unasked: tuple[int, int] | None = None
        """The breakpoints when they were found not to ask about it."""
        self.described: Described | None = None
        self._calls_python: bool | None = None

    def calls_python(self, graph: Any) -> bool:
        """Whether Python of the user's may run while it does."""
        if self._calls_python is None:
            self._calls_python = reaches_python(graph, graph.get_operations())
        return self._calls_python


NOBODY = Callee()
"""Stands where none runs."""


class Callees:
    """All that are alive."""

    def __init__(self) -> None:
        self._known: weakref.WeakKeyDictionary[Any, Callee] = weakref.WeakKeyDictionary()

    def of(self, concrete: Any) -> Callee:
        """What is known of one."""
        known = self._known.get(concrete)
        if known is None:
            known = self._known.setdefault(concrete, Callee())
        return known


def reaches_python(graph: Any, operations: Iterable[Any]) -> bool:
    """Whether operations of a graph call Python, themselves or in functions that they call."""
    return any(part in kind for kind in set(_kinds(graph, operations, set())) for part in _PYTHON)


def _kinds(graph: Any, operations: Iterable[Any], seen: set[str]) -> Iterator[str]:
    for operation in operations:
        yield operation.type
        for function in called(operation):
            if function in seen:
                continue
            seen.add(function)
            body = body_of(graph, function)
            if body is None:
                yield _PYTHON[0]  # nobody knows what is in it
            else:
                yield from _kinds(body, body.get_operations(), seen)
