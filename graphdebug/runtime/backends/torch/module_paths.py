"""Modules, their parameters, and how the user calls them; found without running a method of theirs.

Used by the modules that explain errors.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch

from graphdebug.runtime.places import Place, attribute, is_a

_MODULES_LIMIT = 10_000
"""How many modules are searched for one's path."""


def path_of(root: Any, module: Any) -> str:
    """Where a module is within another; empty where it is that one."""
    return next((path for path, each in modules_in(root) if each is module), "")


def modules_in(root: Any) -> Iterator[tuple[str, Any]]:
    """A module and those within it, each with its path; without any method that a user overrides."""
    waiting = [("", root)]
    seen: set[int] = set()
    while waiting and len(seen) < _MODULES_LIMIT:
        path, each = waiting.pop(0)
        if id(each) in seen:
            continue
        seen.add(id(each))
        yield path, each
        parts = attribute(each, "_modules")
        if isinstance(parts, dict):
            waiting += [
                (f"{path}.{name}".strip("."), item)
                for name, item in parts.items()
                if item is not None
            ]


def parameters_in(places: list[Place]) -> Iterator[tuple[str, Any]]:
    """The parameters of the modules that the user's variables hold, as the user calls them."""
    for each in reversed(places):
        for name, value in list((each.shown or {}).items()) if each.users else ():
            if is_a(value, torch.nn.Module):
                for path, module in modules_in(value):
                    for last, parameter in (attribute(module, "_parameters") or {}).items():
                        yield ".".join(filter(None, (name, path, last))), parameter
