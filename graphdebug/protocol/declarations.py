"""The protocol's declarations as data: what the generators of JSON Schema and TypeScript read."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import re
import typing
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from graphdebug.protocol.wire import WireField, to_wire, wire_fields

COMMAND = "python -m graphdebug.protocol"
"""Writes the generated files."""
NOTICE = f"Generated from the dataclasses in graphdebug/protocol by `{COMMAND}`; do not edit."
"""What each of them says first."""


@dataclass(frozen=True)
class Property:
    """A field of a declaration."""

    wire: WireField
    """Its key and type."""
    description: str
    """The string under it."""
    default: Any
    """Its default as JSON; None where there is none."""


@dataclass(frozen=True)
class Declaration:
    """A dataclass of the protocol."""

    name: str
    """Name of the class."""
    description: str
    """Its docstring."""
    properties: tuple[Property, ...]
    """Its fields."""


def declarations(module: ModuleType) -> tuple[Declaration, ...]:
    """The dataclasses that stand in ``module``, in their order."""
    tree = ast.parse(inspect.getsource(module))
    return tuple(
        _declaration(getattr(module, node.name), node)
        for node in tree.body
        if isinstance(node, ast.ClassDef) and dataclasses.is_dataclass(getattr(module, node.name))
    )


def choices(module: ModuleType) -> dict[str, tuple[Any, ...]]:
    """The named Literal types that stand in ``module``, and the values that each allows."""
    return {
        name: typing.get_args(value)
        for name, value in vars(module).items()
        if typing.get_origin(value) is typing.Literal
    }


def _declaration(cls: type, node: ast.ClassDef) -> Declaration:
    strings = _strings_under_fields(node)
    defaults = {field.name: _default(field) for field in dataclasses.fields(cls)}
    return Declaration(
        cls.__name__,
        _flow(ast.get_docstring(node) or ""),
        tuple(
            Property(field, _flow(strings.get(field.name, "")), defaults[field.name])
            for field in wire_fields(cls)
        ),
    )


def _strings_under_fields(node: ast.ClassDef) -> dict[str, str]:
    strings = {}
    for field, below in zip(node.body, node.body[1:], strict=False):
        match field, below:
            case (
                ast.AnnAssign(target=ast.Name(id=name)),
                ast.Expr(value=ast.Constant(value=str(text))),
            ):
                strings[name] = text
    return strings


def _default(field: dataclasses.Field[Any]) -> Any:
    if field.default is not dataclasses.MISSING:
        return to_wire(field.default)
    if field.default_factory is not dataclasses.MISSING:
        return to_wire(field.default_factory())
    return None


def _flow(docstring: str) -> str:
    """Paragraphs on one line each, in Markdown, which is what readers of the results show."""
    paragraphs = re.split(r"\n\s*\n", inspect.cleandoc(docstring))
    return "\n\n".join(" ".join(p.split()) for p in paragraphs).replace("``", "`")
