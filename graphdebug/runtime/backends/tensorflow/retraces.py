"""Why a tf.function was traced again: which argument was what, and is what now."""

from __future__ import annotations

import reprlib
import weakref
from collections.abc import Iterator
from typing import Any, NamedTuple

TYPES_LIMIT = 64
"""Traces of one function that are remembered."""


class Difference(NamedTuple):
    """An argument that made the function trace again."""

    name: str
    was: Any
    now: Any


class Retraces:
    """The types that each function was traced for."""

    def __init__(self) -> None:
        self._types: weakref.WeakKeyDictionary[Any, list[dict[str, Any]]] = (
            weakref.WeakKeyDictionary()
        )

    def reason(self, function: Any, traced: Any) -> str | None:
        """Take in a trace; what made it necessary, in words, where it isn't the function's first.

        A function that creates variables is traced twice for its first call: for the same type.
        """
        types = self._types.setdefault(function, [])
        now = {name: item.type_constraint for name, item in traced.parameters.items()}
        if now in types:
            return None
        nearest = min(
            (list(_differences(was, now)) for was in reversed(types)), key=len, default=None
        )
        types.append(now)
        del types[:-TYPES_LIMIT]
        if not nearest:
            return None
        changed = "; ".join(_words(item) for item in nearest)
        return f"{changed}{_advice(nearest)}"


def _differences(was: dict[str, Any], now: dict[str, Any]) -> Iterator[Difference]:
    for name, kind in now.items():
        if name not in was or was[name] != kind:
            yield Difference(name, was.get(name), kind)


def _words(item: Difference) -> str:
    return f"argument '{item.name}' was {_described(item.was)} and is {_described(item.now)}"


def _described(kind: Any) -> str:
    if kind is None:
        return "not there"
    if hasattr(kind, "value") and type(kind).__name__ == "Literal":
        return f"the Python value {reprlib.repr(kind.value)}"
    if hasattr(kind, "shape") and hasattr(kind, "dtype"):
        return f"{kind.dtype.name} tensor of shape {kind.shape}"
    text = str(kind)
    return text if len(text) <= 120 else text[:117] + "..."


def _advice(found: list[Difference]) -> str:
    kinds = {type(item.now).__name__ for item in found}
    if "Literal" in kinds:
        return ". Each Python value is compiled on its own; pass a tensor where it varies"
    if all(getattr(item.was, "dtype", 0) == getattr(item.now, "dtype", 1) for item in found):
        return ". Give it an input_signature with None for a size that varies, or reduce_retracing"
    return ""
