"""Which identifiers of a file may stand for code of that file.

A coarse sieve, by identifier alone, without scopes: most calls of a program are of a framework's
functions with tensors, and need no second look. ``f()`` stands for what calling ``f`` gives.
Imported by ``edges`` alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from graphdebug.analysis.facts import Use, last_part
from graphdebug.analysis.scopes import Scope


class Mentions:
    """The identifiers that the functions and classes of one file may go by."""

    def __init__(self, scopes: list[Scope]) -> None:
        self.scopes = scopes
        self.known: dict[str, list[list[str]]] = {}
        for scope in scopes:
            name, given = _signature(scope)
            self.known.setdefault(name, []).append(given)
        self.decorating = set(self._decorating())

    def of(self, wanted: Iterable[Scope]) -> set[str]:
        """The identifiers that ``wanted`` may go by."""
        found = self.decorating | set(_names(wanted))
        before = 0
        while before < len(found):
            before = len(found)
            self._grow(found)
        return found

    def _decorating(self) -> Iterator[str]:
        """What this file's decorators call the functions that they are given."""
        for scope in self.scopes:
            for decorator in scope.facts.decorators:
                for given in self.known.get(last_part(decorator), ()):
                    yield from given[:1]

    def _grow(self, found: set[str]) -> None:
        """Adds what is given one of ``found``."""
        for scope in self.scopes:
            for name, mentions in scope.facts.flows:
                if not found.isdisjoint(mentions):
                    found.add(name)
                    if any(f"{mention}()" in found for mention in mentions):
                        found.add(f"{name}()")
            for use in scope.facts.uses:
                if use.last in self.known and not found.isdisjoint(use.mentions):
                    found.update(self._filled(use, found))

    def _filled(self, use: Use, found: set[str]) -> Iterator[str]:
        """The parameters that a call fills with one of ``found``."""
        for slot, mentions in use.given.items():
            if found.isdisjoint(mentions):
                continue
            if isinstance(slot, str):
                yield slot
            elif slot is not None and slot >= 0:
                callees = self.known[use.last]
                yield from (given[slot] for given in callees if slot < len(given))


def _names(wanted: Iterable[Scope]) -> Iterator[str]:
    """The names of ``wanted``, and of classes whose objects stand for methods among them."""
    for scope in wanted:
        yield scope.name
        owner = scope if scope.kind == "class" else scope.parent
        if owner is not None and owner.kind == "class":
            yield owner.name
            yield f"{owner.name}()"


def _signature(scope: Scope) -> tuple[str, list[str]]:
    """The name that ``scope`` is called by, and the parameters that a call fills."""
    owner = scope.parent
    given = scope.facts.parameters
    if owner is None or owner.kind != "class":
        return scope.name, given
    return owner.name if scope.name == "__init__" else scope.name, given[1:]
