"""What an expression may stand for, as far as graphs are concerned.

Imported by ``names`` and those who ask it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from graphdebug.analysis.scopes import Scope


@dataclass(frozen=True)
class Api:
    """Something imported, or built in: a module, a class, a function, a method."""

    path: str


@dataclass(frozen=True)
class Made:
    """What calling something imported gives."""

    path: str


@dataclass(frozen=True)
class Instance:
    """An object of a class of this file."""

    scope: Scope


@dataclass(frozen=True)
class Wrapped:
    """A function of this file, or an object, as a framework's wrapper gives it back."""

    scope: Scope
    path: str
    """The wrapper, such as ``tensorflow.function``."""


Value = Api | Made | Instance | Wrapped | Scope
Values = tuple[Value, ...]


def unique(values: Iterable[Value]) -> Values:
    """``values`` without repeats, in order."""
    return tuple(dict.fromkeys(values))


def code_of(value: Value) -> Scope | None:
    """The function that ``value`` is, or wraps."""
    return value if isinstance(value, Scope) else getattr(value, "scope", None)


def outermost(values: Values) -> Values:
    """``values`` without what another of them wraps: ``f = tf.function(f)``."""
    hidden = {value.scope for value in values if isinstance(value, Wrapped)}
    return unique(v for v in values if isinstance(v, Wrapped) or code_of(v) not in hidden)


def wrapped(values: Iterable[Value], path: str) -> Iterator[Value]:
    """This file's code among ``values``, as the wrapper ``path`` gives it back."""
    for value in values:
        if isinstance(value, Instance):
            yield Wrapped(value.scope, path)
        elif isinstance(value, Scope):
            yield Wrapped(value, path)
