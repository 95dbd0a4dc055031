"""Dataclasses to JSON values and back: the one place where snake_case meets camelCase.

Both directions are compiled once per class from its type hints, since ``to_wire`` runs in the
user's process, on every node of a step. It trusts its argument, which mypy has checked;
``from_wire`` checks what it is given, since it reads what another process sent.

JSON has no NaN and no infinities: they travel as the strings "nan", "inf" and "-inf". A field of
type ``float`` reads them back as floats; in a field of type ``Any`` they stay strings.
"""

from __future__ import annotations

import dataclasses
import functools
import math
import operator
import reprlib
import types
import typing
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeVar

T = TypeVar("T")
Encoder = Callable[[Any], Any]
Decoder = Callable[[Any], Any]

NON_FINITE = ("nan", "inf", "-inf")
"""How the floats that JSON can't say are spelled."""

_ABSENT = object()


class WireError(ValueError):
    """A message that does not have the declared shape; says which field and why."""

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem
        self.path = ""

    def under(self, parent: str) -> WireError:
        """This error, once the field is known to stand under ``parent``.

        The path is put together on the way out, so that messages without errors never pay for it.
        """
        self.path = parent + self.path
        return self

    def __str__(self) -> str:
        return f"{self.path}: {self.problem}" if self.path else self.problem


@functools.cache
def camel(name: str) -> str:
    """``duration_ns`` -> ``durationNs``."""
    head, *rest = name.split("_")
    return head + "".join(part.capitalize() for part in rest)


class WireField(NamedTuple):
    """A dataclass field as it stands on the wire."""

    name: str
    """The attribute."""
    key: str
    """The key in JSON."""
    hint: Any
    """Its type, without None."""
    nullable: bool
    """Whether it may be None, which is left out on the wire."""
    required: bool
    """Whether a message without it is refused."""


@functools.cache
def wire_fields(cls: type) -> tuple[WireField, ...]:
    """The fields of a dataclass, in the order of their declaration."""
    hints = typing.get_type_hints(cls)
    return tuple(_wire_field(f, hints[f.name]) for f in dataclasses.fields(cls))


def _wire_field(field: dataclasses.Field[Any], hint: Any) -> WireField:
    hint, nullable = without_none(hint)
    defaults = field.default, field.default_factory
    if nullable and defaults not in ((dataclasses.MISSING,) * 2, (None, dataclasses.MISSING)):
        raise TypeError(f"{field.name}: None is left out on the wire, so it must be the default")
    required = not nullable and defaults == (dataclasses.MISSING,) * 2
    return WireField(field.name, camel(field.name), hint, nullable, required)


def without_none(hint: Any) -> tuple[Any, bool]:
    """The type without None, and whether None belonged to it."""
    if hint is Any:
        return hint, True
    args = typing.get_args(hint)
    if not is_union(hint) or type(None) not in args:
        return hint, False
    present = (arg for arg in args if arg is not type(None))
    return functools.reduce(operator.or_, present), True


def is_union(hint: Any) -> bool:
    """Whether it is ``A | B``, however spelled."""
    return typing.get_origin(hint) in (typing.Union, types.UnionType)


def is_list(hint: Any) -> bool:
    """Whether it is ``list[A]`` or ``tuple[A, ...]``."""
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    return origin is list or (origin is tuple and args[1:] == (Ellipsis,))


def to_wire(value: Any) -> Any:
    """A dataclass (or a list, tuple or dict of them) as plain JSON values.

    None fields are left out; None in a list or a dict is kept.
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return _class_encoder(type(value))(value)
    if isinstance(value, (list, tuple)):
        return [to_wire(item) for item in value]
    if isinstance(value, dict):
        return {key: to_wire(item) for key, item in value.items()}
    if isinstance(value, float):
        return _encode_float(value)
    return value


@functools.cache
def _class_encoder(cls: type) -> Encoder:
    plan = tuple((f.name, f.key, _encoder(f.hint)) for f in wire_fields(cls))

    def encode(value: Any) -> dict[str, Any]:
        message = {}
        for name, key, encode_item in plan:
            item = getattr(value, name)
            if item is not None:
                message[key] = item if encode_item is None else encode_item(item)
        return message

    return encode


def _encoder(hint: Any) -> Encoder | None:
    """None for types whose values are JSON as they are."""
    hint, nullable = without_none(hint)
    if hint in (int, str, bool) or typing.get_origin(hint) is typing.Literal:
        return None
    if hint is float:
        encode: Encoder = _encode_float
    elif dataclasses.is_dataclass(hint) and isinstance(hint, type):
        encode = _class_encoder(hint)
    elif is_list(hint):
        return _list_encoder(_encoder(typing.get_args(hint)[0]))
    else:
        return to_wire
    return (lambda value: None if value is None else encode(value)) if nullable else encode


def _list_encoder(encode: Encoder | None) -> Encoder:
    if encode is None:
        return list
    return lambda items: [encode(item) for item in items]


def _encode_float(value: float) -> float | str:
    return value if math.isfinite(value) else str(float(value))


def from_wire(cls: type[T], data: Any) -> T:
    """The dataclass that ``data`` spells. Unknown keys are ignored, so that versions can differ.

    Raises WireError where a field is missing or of another type.
    """
    decode = _class_decoder(typing.cast(type, cls))
    try:
        return typing.cast(T, decode(data))
    except WireError as error:
        raise error.under(cls.__name__) from None


@functools.cache
def _class_decoder(cls: type) -> Decoder:
    plan = tuple((*f, _decoder(f.hint)) for f in wire_fields(cls))

    def decode(data: Any) -> Any:
        if not isinstance(data, dict):
            raise _unexpected("an object", data)
        values = {}
        key = ""
        try:
            for name, key, _, nullable, required, decode_item in plan:
                item = data.get(key, _ABSENT)
                if item is not _ABSENT:
                    values[name] = None if item is None and nullable else decode_item(item)
                elif required:
                    raise WireError("is missing")
                elif nullable:
                    values[name] = None
        except WireError as error:
            raise error.under(f".{key}") from None
        return cls(**values)

    return decode


@functools.cache
def _decoder(hint: Any) -> Decoder:
    hint, nullable = without_none(hint)
    decode = _decoder_of_present(hint)
    return (lambda data: None if data is None else decode(data)) if nullable else decode


def _decoder_of_present(hint: Any) -> Decoder:
    if hint is Any:
        return lambda data: data
    if hint is float:
        return _decode_float
    if hint in (int, str, bool):
        return _plain_decoder(hint)
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return _class_decoder(hint)
    if is_union(hint):
        return _union_decoder([_decoder(arg) for arg in typing.get_args(hint)])
    origin = typing.get_origin(hint)
    args = typing.get_args(hint)
    if origin is typing.Literal:
        return _literal_decoder(args)
    if is_list(hint):
        return _list_decoder(origin, _decoder(args[0]))
    if origin is dict:
        return _dict_decoder(_decoder(args[1]))
    raise TypeError(f"{hint!r} has no form on the wire")


def _plain_decoder(kind: type) -> Decoder:
    def decode(data: Any) -> Any:
        # Not isinstance: True is an int to Python, not to JSON.
        if type(data) is kind:
            return data
        raise _unexpected(kind.__name__, data)

    return decode


def _decode_float(data: Any) -> float:
    if type(data) in (float, int) or data in NON_FINITE:
        try:
            return float(data)
        except OverflowError:
            raise WireError("the number is too large") from None
    raise _unexpected("float", data)


def _literal_decoder(choices: tuple[Any, ...]) -> Decoder:
    expected = ", ".join(map(repr, choices))

    def decode(data: Any) -> Any:
        if data in choices:
            return data
        raise WireError(f"{reprlib.repr(data)} is not one of {expected}")

    return decode


def _list_decoder(kind: Any, decode_item: Decoder) -> Decoder:
    def decode(data: Any) -> Any:
        if not isinstance(data, (list, tuple)):
            raise _unexpected("a list", data)
        items: list[Any] = []
        try:
            for item in data:
                items.append(decode_item(item))
        except WireError as error:
            raise error.under(f"[{len(items)}]") from None
        return kind(items)

    return decode


def _dict_decoder(decode_item: Decoder) -> Decoder:
    def decode(data: Any) -> Any:
        if not isinstance(data, dict):
            raise _unexpected("an object", data)
        items = {}
        key: Any = None
        try:
            for key, item in data.items():
                items[key] = decode_item(item)
        except WireError as error:
            raise error.under(f"[{reprlib.repr(key)}]") from None
        return items

    return decode


def _union_decoder(decoders: Sequence[Decoder]) -> Decoder:
    def decode(data: Any) -> Any:
        problems = []
        for decode_one in decoders:
            try:
                return decode_one(data)
            except WireError as error:
                problems.append(str(error))
        raise WireError("; ".join(problems))

    return decode


def _unexpected(expected: str, data: Any) -> WireError:
    return WireError(f"{expected} is expected, not {type(data).__name__}")
