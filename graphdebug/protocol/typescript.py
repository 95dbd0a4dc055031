"""The protocol as TypeScript, for the editors: steps, nodes and the custom DAP messages.

What runtime and adapter say to each other stays between them.
"""

from __future__ import annotations

import dataclasses
import json
import textwrap
import typing
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from graphdebug.protocol import dap, jupyter, model
from graphdebug.protocol.declarations import (
    NOTICE,
    Declaration,
    Property,
    choices,
    declarations,
)
from graphdebug.protocol.wire import NON_FINITE, is_list, is_union

WIDTH = 100

_MODULES = (model, dap, jupyter)
_ALIASES = {values: name for module in _MODULES for name, values in choices(module).items()}
_PLAIN: Mapping[Any, str] = {
    Any: "unknown",
    str: "string",
    int: "number",
    float: "Float",
    bool: "boolean",
    type(None): "null",
}


def render() -> str:
    """The text of ``protocol.ts``."""
    parts = [
        f"// {NOTICE}",
        "\n".join(_aliases()),
        *(interface(item) for module in _MODULES for item in declarations(module)),
        _events("GraphdebugEvents", "Custom DAP events and their bodies.", dap.EVENTS),
        _events("KernelEvents", "Events of a kernel's websocket beside these.", jupyter.EVENTS),
        _requests(),
    ]
    return "\n\n".join(parts) + "\n"


def _aliases() -> Iterator[str]:
    yield "/** A number; JSON has no NaN and no infinities, which travel as these strings. */"
    yield f"export type Float = number | {_one_of(NON_FINITE)};"
    for values, name in _ALIASES.items():
        yield f"export type {name} = {_one_of(values)};"


def interface(declaration: Declaration) -> str:
    """One dataclass."""
    head = [*_comment(declaration.description), f"export interface {declaration.name} {{"]
    lines = [f"  {line}" for field in declaration.properties for line in _property(field)]
    return "\n".join([*head, *lines, "}"])


def _property(field: Property) -> Iterator[str]:
    default = None if field.default is None else json.dumps(field.default, ensure_ascii=False)
    yield from _comment(field.description, default)
    optional = "" if field.wire.required else "?"
    yield f"{field.wire.key}{optional}: {of_type(field.wire.hint)};"


def of_type(hint: Any) -> str:
    """The spelling of a type as fields are annotated with."""
    if hint in _PLAIN:
        return _PLAIN[hint]
    if dataclasses.is_dataclass(hint):
        return typing.cast(type, hint).__name__
    args = typing.get_args(hint)
    if typing.get_origin(hint) is typing.Literal:
        return _ALIASES.get(args) or _one_of(args)
    if is_list(hint):
        item = of_type(args[0])
        return f"({item})[]" if " | " in item else f"{item}[]"
    if typing.get_origin(hint) is dict:
        return f"Record<string, {of_type(args[1])}>"
    if is_union(hint):
        return " | ".join(of_type(arg) for arg in args)
    raise TypeError(f"{hint!r} has no TypeScript type")


def _one_of(values: Iterable[Any]) -> str:
    return " | ".join(json.dumps(value) for value in values)


def _comment(text: str, default: str | None = None) -> Iterator[str]:
    text = text.replace("*/", "*\\/")
    if default is None and len(text) <= WIDTH - len("  /** ") - len(" */"):
        yield f"/** {text} */"
        return
    yield "/**"
    for paragraph in text.splitlines():
        for line in textwrap.wrap(paragraph, WIDTH - len("   * ")) or [""]:
            yield f" * {line}".rstrip()
    if default is not None:
        yield f" * @default {default}"
    yield " */"


def _events(name: str, description: str, events: Mapping[str, type]) -> str:
    bodies = (f"  {event}: {body.__name__};" for event, body in events.items())
    return _map(name, description, bodies)


def _requests() -> str:
    messages = (
        f"  {command}: {{ arguments: {arguments.__name__}; response: {response.__name__} }};"
        for command, (arguments, response) in dap.REQUESTS.items()
    )
    return _map("GraphdebugRequests", "Custom DAP requests: arguments and answers.", messages)


def _map(name: str, description: str, lines: Iterable[str]) -> str:
    return "\n".join([f"/** {description} */", f"export interface {name} {{", *lines, "}"])
