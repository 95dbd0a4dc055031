"""The scopes of one file, each at its place.

Imported by ``names`` and all that is built on it.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field

from graphdebug.analysis.facts import Facts, ScopeKind
from graphdebug.analysis.source import chunks


@dataclass(eq=False)
class Scope:
    """One scope of the file."""

    facts: Facts
    """What it says; shared with other files' and other versions' scopes of the same text."""
    offset: int
    """How many lines of the file stand before the chunk that it is in."""
    parent: Scope | None
    """The scope around it; None for the top level of a chunk."""
    kind: ScopeKind = field(init=False)
    """What it is."""
    name: str = field(init=False)
    """As in ``co_name``."""
    children: list[Scope] = field(default_factory=list)
    """The scopes right inside, in source order."""
    inside: dict[ast.AST, Scope] = field(default_factory=dict)
    """The same, by the nodes that define them."""

    def __post_init__(self) -> None:
        self.kind = self.facts.kind
        self.name = self.facts.name
        for facts in self.facts.children:
            child = Scope(facts, self.offset, self)
            self.children.append(child)
            self.inside[facts.node] = child

    def line(self, node: ast.AST) -> int:
        """The line of the file that ``node`` starts at."""
        return self.offset + int(getattr(node, "lineno", 1))

    def around(self) -> Iterator[Scope]:
        """The scopes around it, from the inside out."""
        scope = self.parent
        while scope is not None:
            yield scope
            scope = scope.parent

    def walk(self) -> Iterator[Scope]:
        """It and all scopes inside."""
        yield self
        for child in self.children:
            yield from child.walk()


def scopes_of(text: str) -> list[Scope]:
    """The top levels of the chunks of ``text``, which must be normalised, in source order."""
    return [Scope(chunk.facts, chunk.offset, None) for chunk in chunks(text)]
