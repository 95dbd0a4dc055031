"""What the program calls a tensor: the names in its frames, and the paths in its modules."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import FrameType
from typing import Any

import torch

from graphdebug.runtime.frames import is_user_file
from graphdebug.runtime.frames import locals_of as locals_of

_FRAMES_LIMIT = 16


def name_in(frame: FrameType | None, tensor: Any) -> str:
    """Its shortest name there, such as ``x``, ``self.scale`` or ``model.head.weight``; or empty.

    Looked for in this frame and those of the user's around it, innermost first. Nothing of the
    program's is called.
    """
    for _ in range(_FRAMES_LIMIT):
        if frame is None:
            return ""
        if is_user_file(frame.f_code.co_filename):
            scope = locals_of(frame)
            found = [name for name, item in _named(scope) if item is tensor]
            if not found and frame.f_code.co_name != "<module>":
                found = [name for name, item in _named(frame.f_globals) if item is tensor]
            if found:
                parameter = isinstance(tensor, torch.nn.Parameter)
                return min(found, key=lambda name: (parameter and "." not in name, len(name)))
        frame = frame.f_back
    return ""


def _named(scope: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in list(scope.items()):
        yield name, value
        if isinstance(value, torch.nn.Module):
            yield from _of_module(name, value)
        elif name == "self":
            for part, item in list(getattr(value, "__dict__", {}).items()):
                yield f"self.{part}", item
                if isinstance(item, torch.nn.Module):
                    yield from _of_module(f"self.{part}", item)


def _of_module(path: str, module: Any) -> Iterator[tuple[str, Any]]:
    waiting, seen = [(path, module)], set()
    while waiting:
        path, each = waiting.pop()
        if id(each) in seen:
            continue
        seen.add(id(each))
        for table in ("_parameters", "_buffers", "_modules"):
            for name, item in list(getattr(each, table, {}).items()):
                inner = f"{path}[{name}]" if name.isdecimal() else f"{path}.{name}"
                yield inner, item
                if isinstance(item, torch.nn.Module):
                    waiting.append((inner, item))
