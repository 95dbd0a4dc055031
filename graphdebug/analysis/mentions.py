"""Which identifiers of a file may stand for code of that file.

A coarse sieve, by identifier alone, without scopes: most calls of a program are of a framework's
functions with tensors, and need no second look. Imported by ``edges`` alone.
"""

from __future__ import annotations

from collections.abc import Iterable

from graphdebug.analysis.facts import dotted, parameters
from graphdebug.analysis.scopes import Scope


def own_identifiers(scopes: Iterable[Scope]) -> set[str]:
    """The identifiers that functions, classes and lambdas of ``scopes`` may go by."""
    functions = [scope for scope in scopes if scope.kind != "module"]
    found = {"<lambda>"} | {scope.name for scope in functions}
    taking: dict[str, set[str]] = {}
    for scope in functions:
        given = {parameter.arg for parameter in parameters(scope.facts.node)}
        for name in _called_as(scope):
            taking.setdefault(name, set()).update(given)
    for scope in functions:
        for decorator in scope.facts.decorators:
            found |= taking.get(dotted(decorator).rpartition(".")[2], set())
    while _grow(scopes, found, taking):
        pass
    return found


def _called_as(scope: Scope) -> list[str]:
    """The names that ``scope`` is called by: a constructor by that of its class."""
    owner = scope.parent
    return [scope.name, owner.name] if owner and owner.kind == "class" else [scope.name]


def _grow(scopes: Iterable[Scope], found: set[str], taking: dict[str, set[str]]) -> bool:
    """Adds what is given one of ``found``; whether there was such."""
    before = len(found)
    for scope in scopes:
        for name, mentions in scope.facts.flows:
            if name not in found and not found.isdisjoint(mentions):
                found.add(name)
        for use in scope.facts.uses:
            last = use.last
            if last in taking and not found.isdisjoint(use.mentions):
                found |= taking[last]
    return len(found) > before
