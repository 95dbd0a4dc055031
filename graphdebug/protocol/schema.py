"""The protocol as JSON Schema: draft 7, which validators of DAP's own schema (draft 4) read too.

The schema says what is written: None is left out, never null. Objects are left open, since the two
sides of a link may be of different versions.
"""

from __future__ import annotations

import dataclasses
import json
import typing
from collections.abc import Mapping
from typing import Any

from graphdebug.protocol import dap, model, runtime
from graphdebug.protocol.declarations import NOTICE, Declaration, Property, declarations
from graphdebug.protocol.wire import NON_FINITE, is_list, is_union

Schema = dict[str, Any]

MODULES = (model, dap, runtime)
"""Where the protocol is declared."""

_PLAIN: Mapping[Any, Schema] = {
    Any: {},
    str: {"type": "string"},
    int: {"type": "integer"},
    bool: {"type": "boolean"},
    float: {"anyOf": [{"type": "number"}, {"enum": list(NON_FINITE)}]},
    type(None): {"type": "null"},
}


def render() -> str:
    """The text of ``schema.json``."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


def schema() -> Schema:
    """Every dataclass under ``definitions``, and by name the events and requests that use them.

    A message is validated against ``{"$ref": "#/events/graphdebugStep"}``, or against
    ``#/requests/graphdebugSteps/arguments`` and ``.../response``; those between the runtime and its
    observer stand under ``#/runtime``.
    """
    return {
        "$comment": NOTICE,
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "graphdebug's additions to the Debug Adapter Protocol",
        "definitions": {
            declaration.name: definition(declaration)
            for module in MODULES
            for declaration in declarations(module)
        },
        "events": {event: _reference(body) for event, body in dap.EVENTS.items()},
        "requests": {
            command: {"arguments": _reference(arguments), "response": _reference(response)}
            for command, (arguments, response) in dap.REQUESTS.items()
        },
        "runtime": {
            "events": {event: _reference(body) for event, body in runtime.EVENTS.items()},
            "requests": {
                command: {"arguments": _reference(arguments)}
                for command, arguments in runtime.REQUESTS.items()
            },
        },
    }


def definition(declaration: Declaration) -> Schema:
    """One dataclass."""
    fields = declaration.properties
    required = [field.wire.key for field in fields if field.wire.required]
    return {
        "description": declaration.description,
        "type": "object",
        "properties": {field.wire.key: _property(field) for field in fields},
        **({"required": required} if required else {}),  # draft 4 forbids an empty one
    }


def _property(field: Property) -> Schema:
    result = {"description": field.description, **of_type(field.wire.hint)}
    if field.default is not None:
        result["default"] = field.default
    return result


def of_type(hint: Any) -> Schema:
    """The schema of a type as fields are annotated with."""
    if hint in _PLAIN:
        return _PLAIN[hint]
    if dataclasses.is_dataclass(hint):
        return _reference(hint)
    args = typing.get_args(hint)
    if typing.get_origin(hint) is typing.Literal:
        return {"enum": list(args)}
    if is_list(hint):
        return {"type": "array", "items": of_type(args[0])}
    if typing.get_origin(hint) is dict:
        return {"type": "object", "additionalProperties": of_type(args[1])}
    if is_union(hint):
        return {"anyOf": [of_type(arg) for arg in args]}
    raise TypeError(f"{hint!r} has no JSON Schema")


def _reference(cls: Any) -> Schema:
    return {"$ref": f"#/definitions/{cls.__name__}"}
