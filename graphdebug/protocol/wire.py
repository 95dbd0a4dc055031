"""Dataclasses to JSON objects and back: the one place where snake_case meets camelCase.

``from_wire`` checks what it is given, since it reads what another process sent.
"""

from __future__ import annotations

import dataclasses
import functools
import types
import typing
from typing import Any, TypeVar

T = TypeVar("T")


class WireError(ValueError):
    """A message that does not have the declared shape; says which field and why."""


@functools.cache
def camel(name: str) -> str:
    """``duration_ns`` -> ``durationNs``."""
    head, *rest = name.split("_")
    return head + "".join(part.capitalize() for part in rest)


@functools.cache
def _fields(cls: type) -> tuple[tuple[str, str, Any, bool], ...]:
    hints = typing.get_type_hints(cls)
    return tuple(
        (
            f.name,
            camel(f.name),
            hints[f.name],
            f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING,
        )
        for f in dataclasses.fields(cls)
    )


def to_wire(value: Any) -> Any:
    """A dataclass (or a list, tuple or dict of them) as plain JSON values; None fields are left out."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {
            wire: to_wire(item)
            for name, wire, _, _ in _fields(type(value))
            if (item := getattr(value, name)) is not None
        }
    if isinstance(value, (list, tuple)):
        return [to_wire(item) for item in value]
    if isinstance(value, dict):
        return {key: to_wire(item) for key, item in value.items()}
    return value


def from_wire(cls: type[T], data: Any) -> T:
    """The dataclass that ``data`` spells. Unknown keys are ignored, so that versions can differ.

    Raises WireError where a field is missing or of another type.
    """
    return typing.cast(T, _parse(cls, data, cls.__name__))


def _parse(hint: Any, data: Any, where: str) -> Any:
    if hint is Any:
        return data
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return _parse_dataclass(hint, data, where)
    origin = typing.get_origin(hint)
    args = typing.get_args(hint)
    if origin is typing.Literal:
        if data not in args:
            raise WireError(f"{where}: {data!r} is not one of {', '.join(map(repr, args))}")
        return data
    if origin in (typing.Union, types.UnionType):
        return _parse_union(args, data, where)
    if origin in (list, tuple):
        if not isinstance(data, (list, tuple)):
            raise WireError(f"{where}: a list is expected, not {type(data).__name__}")
        return origin(_parse(args[0], item, f"{where}[{i}]") for i, item in enumerate(data))
    if origin is dict:
        if not isinstance(data, dict):
            raise WireError(f"{where}: an object is expected, not {type(data).__name__}")
        return {key: _parse(args[1], item, f"{where}.{key}") for key, item in data.items()}
    if hint is float and isinstance(data, int) and not isinstance(data, bool):
        return float(data)
    if not isinstance(data, hint) or (hint is int and isinstance(data, bool)):
        raise WireError(f"{where}: {hint.__name__} is expected, not {type(data).__name__}")
    return data


def _parse_union(args: tuple[Any, ...], data: Any, where: str) -> Any:
    if data is None and type(None) in args:
        return None
    errors = []
    for arg in args:
        if arg is type(None):
            continue
        try:
            return _parse(arg, data, where)
        except WireError as error:
            errors.append(str(error))
    raise WireError("; ".join(errors))


def _parse_dataclass(cls: type, data: Any, where: str) -> Any:
    if not isinstance(data, dict):
        raise WireError(f"{where}: an object is expected, not {type(data).__name__}")
    values = {}
    for name, wire, hint, required in _fields(cls):
        if wire in data:
            values[name] = _parse(hint, data[wire], f"{where}.{wire}")
        elif required and type(None) in typing.get_args(hint):
            values[name] = None
        elif required:
            raise WireError(f"{where}: {wire!r} is missing")
    return cls(**values)
