"""What goes out comes back the same, and what isn't the protocol is refused by name.

The instances are random, made from the type hints alone, so a new field is covered as it is added.
"""

import copy
import dataclasses
import functools
import json
import math
import typing
from collections.abc import Iterator
from random import Random
from typing import Any

import pytest
from jsonschema import Draft7Validator

from graphdebug.protocol import schema
from graphdebug.protocol.dap import TensorHistogram, TensorSummary
from graphdebug.protocol.model import Source, Step, Tensor
from graphdebug.protocol.runtime import ConfigureArguments
from graphdebug.protocol.wire import (
    WireError,
    camel,
    from_wire,
    is_list,
    is_union,
    to_wire,
    wire_fields,
)

SCHEMA = schema.schema()
CLASSES = [
    getattr(module, name)
    for module in schema.MODULES
    for name in vars(module)
    if name in SCHEMA["definitions"] and getattr(module, name).__module__ == module.__name__
]
Site = tuple[str | int, ...]


def instance(random: Random, hint: Any, full: bool = False) -> Any:
    """A value of a type. A full one has no None and no empty list."""
    if dataclasses.is_dataclass(hint):
        hints = typing.get_type_hints(hint)
        return hint(**{name: instance(random, item, full) for name, item in hints.items()})
    args = typing.get_args(hint)
    if is_union(hint):
        choices = [arg for arg in args if not full or arg is not type(None)]
        return instance(random, random.choice(choices), full)
    if typing.get_origin(hint) is typing.Literal:
        return random.choice(args)
    length = random.randint(int(full), 3)
    if is_list(hint):
        return typing.get_origin(hint)(instance(random, args[0], full) for _ in range(length))
    if typing.get_origin(hint) is dict:
        return {text(random): instance(random, args[1], full) for _ in range(length)}
    if hint is Any:
        return random.choice([None, 1, -0.5, "nan", [[1, 2], [3, 4]], {"a": [True, None]}])
    return {
        int: random.randint(-(2**63), 2**63),
        float: random.choice([0.0, 1e300, math.inf, -math.inf, random.gauss(0, 1)]),
        bool: random.random() < 0.5,
        str: text(random),
        type(None): None,
    }[hint]


def text(random: Random) -> str:
    return "".join(random.choice('aé"\\\n\0\ud800🔥') for _ in range(random.randint(0, 5)))


@functools.cache
def validator(cls: type) -> Draft7Validator:
    return Draft7Validator({**SCHEMA, "allOf": [{"$ref": f"#/definitions/{cls.__name__}"}]})


def test_classes_are_found() -> None:
    assert {cls.__name__ for cls in CLASSES} == set(SCHEMA["definitions"])


@pytest.mark.parametrize("cls", CLASSES)
def test_round_trip(cls: type) -> None:
    for seed in range(30):
        value = instance(Random(seed), cls)
        wire = json.loads(json.dumps(to_wire(value), allow_nan=False))
        assert wire == to_wire(value)
        validator(cls).validate(wire)
        assert from_wire(cls, wire) == value
        assert from_wire(cls, {**wire, "fieldOfALaterVersion": 1}) == value


WRONG: dict[Any, list[Any]] = {
    int: [True, 1.5, "1", None],
    float: [True, "1.5", "NaN", None],
    bool: [0, "true", None],
    str: [1, [], None],
}


def alterations(hint: Any, data: Any, site: Site = ()) -> Iterator[tuple[Site, Any]]:
    """Where data of a type can be spoiled, and by what; ... for leaving it out."""
    args = typing.get_args(hint)
    if dataclasses.is_dataclass(hint):
        yield from ((site, wrong) for wrong in ([], "{}", 1))
        for field in wire_fields(typing.cast(type, hint)):
            at = (*site, field.key)
            if field.required:
                yield at, ...
            for place, wrong in alterations(field.hint, data.get(field.key), at):
                # null for an absent field is more than the schema says, but no reason to refuse it.
                if not (field.nullable and place == at and wrong is None):
                    yield place, wrong
    elif typing.get_origin(hint) is typing.Literal:
        yield from ((site, wrong) for wrong in ("no such", args[0].upper(), 1, None, []))
    elif is_list(hint):
        yield from ((site, wrong) for wrong in ({}, "abc", 1))
        for i, item in enumerate(data):
            yield from alterations(args[0], item, (*site, i))
    elif typing.get_origin(hint) is dict:
        yield from ((site, wrong) for wrong in ([], "abc", 1))
        for key, item in data.items():
            yield from alterations(args[1], item, (*site, key))
    elif hint is not Any:
        yield from ((site, wrong) for wrong in WRONG[hint])


def altered(data: Any, site: Site, wrong: Any) -> Any:
    if not site:
        return wrong
    data = copy.deepcopy(data)
    *parents, last = site
    holder = functools.reduce(lambda part, key: part[key], parents, data)
    if wrong is ...:
        del holder[last]
    else:
        holder[last] = wrong
    return data


def spelled(cls: type, site: Site) -> str:
    """A path as errors spell it; keys of free objects stand in brackets too."""
    path, hint = cls.__name__, typing.cast(Any, cls)
    for part in site:
        if dataclasses.is_dataclass(hint):
            path += f".{part}"
            fields = wire_fields(typing.cast(type, hint))
            hint = next(field.hint for field in fields if field.key == part)
        else:
            path += f"[{part!r}]"
            hint = typing.get_args(hint)[-1 if isinstance(part, str) else 0]
    return path


@pytest.mark.parametrize("cls", CLASSES)
def test_altered_messages_are_refused(cls: type) -> None:
    data = to_wire(instance(Random(1), cls, full=True))
    for site, wrong in alterations(cls, data):
        bad = altered(data, site, wrong)
        with pytest.raises(WireError) as caught:
            from_wire(cls, bad)
        assert str(caught.value).startswith(f"{spelled(cls, site)}: ")
        (error,) = validator(cls).iter_errors(bad)
        place = site[:-1] if wrong is ... else site
        assert tuple(error.absolute_path) == place


@pytest.mark.parametrize(
    ("cls", "data", "message"),
    [
        (Step, [], "Step: an object is expected, not list"),
        (Source, {"line": 1}, "Source.path: is missing"),
        (Source, {"path": "a", "line": True}, "Source.line: int is expected, not bool"),
        (
            ConfigureArguments,
            {"configuration": {}, "breakpoints": {"/a.py": [{"line": 1}, {"line": None}]}},
            "ConfigureArguments.breakpoints['/a.py'][1].line: int is expected, not NoneType",
        ),
        (
            ConfigureArguments,
            {"configuration": {"staticGraphs": "edge"}},
            "ConfigureArguments.configuration.staticGraphs: "
            "'edge' is not one of 'boundary', 'node'",
        ),
        (
            TensorSummary,
            {"elements": 1, "mean": 10**400},
            "TensorSummary.mean: the number is too large",
        ),
    ],
)
def test_errors_name_field_and_cause(cls: type, data: Any, message: str) -> None:
    with pytest.raises(WireError) as caught:
        from_wire(cls, data)
    assert str(caught.value) == message


def test_errors_stay_short() -> None:
    with pytest.raises(WireError) as caught:
        from_wire(ConfigureArguments, {"configuration": {"capture": "x" * 10**6}})
    assert len(str(caught.value)) < 200


def test_null_is_as_good_as_absent() -> None:
    tensor = Tensor((), "float32", "cpu", 4)
    assert from_wire(Tensor, {**to_wire(tensor), "value": None}) == tensor


def test_numbers_that_json_lacks_are_spelled() -> None:
    tensor = Tensor((3,), "float32", "cpu", 12, value=[math.nan, math.inf, -math.inf])
    assert to_wire(tensor)["value"] == ["nan", "inf", "-inf"]
    histogram = TensorHistogram((math.nan, 1), (1,))
    assert to_wire(histogram)["edges"] == ["nan", 1]
    assert math.isnan(from_wire(TensorHistogram, to_wire(histogram)).edges[0])


@dataclasses.dataclass(frozen=True)
class Sparse:
    """Lists that hold None."""

    sources: tuple[Source | None, ...]
    counts: list[int | None]


def test_none_is_kept_in_lists() -> None:
    sparse = Sparse((None, Source("a", 1)), [1, None])
    wire = to_wire(sparse)
    assert wire == {"sources": [None, to_wire(Source("a", 1))], "counts": [1, None]}
    assert from_wire(Sparse, wire) == sparse
    assert to_wire([None, {"a": None}]) == [None, {"a": None}]
    assert schema.of_type(list[int | None]) == {
        "type": "array",
        "items": {"anyOf": [{"type": "integer"}, {"type": "null"}]},
    }


def test_instances_share_no_default() -> None:
    first, second = (from_wire(ConfigureArguments, {"configuration": {}}) for _ in range(2))
    assert first == second
    assert first.breakpoints is not second.breakpoints


def test_ambiguous_and_unknown_types_are_refused_when_first_used() -> None:
    @dataclasses.dataclass
    class LeftOutMeansThree:
        field: typing.Optional[int] = 3  # noqa: UP045

    @dataclasses.dataclass
    class Pair:
        field: tuple[int, str]

    with pytest.raises(TypeError, match="must be the default"):
        to_wire(LeftOutMeansThree(None))
    with pytest.raises(TypeError, match="no form on the wire"):
        from_wire(Pair, {"field": [1, "a"]})
    with pytest.raises(TypeError, match="no JSON Schema"):
        schema.of_type(tuple[int, str])


def test_camel() -> None:
    assert [camel(name) for name in ("line", "duration_ns", "op_type")] == [
        "line",
        "durationNs",
        "opType",
    ]
