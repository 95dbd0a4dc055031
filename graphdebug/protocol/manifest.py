"""The parts of the VS Code extension's manifest that the protocol says, for ``package.json``.

They are the version, what debug configurations may hold, and configurations to begin with.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from graphdebug import __version__
from graphdebug.protocol import dap, schema
from graphdebug.protocol.declarations import Property, declarations
from graphdebug.protocol.wire import to_wire

OTHERS = Path("extension/vscode/attributes.json")
"""The attributes that aren't graphdebug's own, from the root of the repository."""

_FILE: Mapping[str, Any] = {"request": "launch", "program": "${file}"}
SNIPPETS: Mapping[str, tuple[str, Mapping[str, Any], dap.Configuration]] = {
    "Current File": ("Run the file that is open.", _FILE, dap.Configuration()),
    "Current File, Stop Inside Graphs": (
        "Breakpoints in static graphs stop inside the running graph.",
        _FILE,
        dap.Configuration(static_graphs="node"),
    ),
    "Current File, Small Values Recorded": (
        "Record the values of tensors with at most 16 elements.",
        _FILE,
        dap.Configuration(capture="values"),
    ),
    "Module": (
        "Run a module, as `python -m` does.",
        {"request": "launch", "module": "${1:package.module}"},
        dap.Configuration(),
    ),
    "Attach": (
        "Join a program that runs under graphdebug, here or elsewhere.",
        {"request": "attach", "endpoint": "${1:127.0.0.1:5678}"},
        dap.Configuration(),
    ),
}
"""Configurations to begin with: what each is for, and what of ours it has beside the defaults."""


def render(text: str, others: str) -> str:
    """``package.json``, where it was ``text``; ``others`` is the text of ``OTHERS``."""
    manifest: dict[str, Any] = json.loads(text)
    manifest["version"] = __version__
    (debugger,) = manifest["contributes"]["debuggers"]
    debugger["configurationAttributes"] = _attributes(json.loads(others))
    debugger["configurationSnippets"] = [
        {
            "label": f"graphdebug: {name}",
            "description": description,
            "body": {"name": f"graphdebug: {name}", "type": "graphdebug", **body, **_set(own)},
        }
        for name, (description, body, own) in SNIPPETS.items()
    ]
    return json.dumps(manifest, indent=2, ensure_ascii=False) + "\n"


def _attributes(others: dict[str, Any]) -> dict[str, Any]:
    (declaration,) = (d for d in declarations(dap) if d.name == dap.Configuration.__name__)
    own = {field.wire.key: _attribute(field) for field in declaration.properties}
    return {
        request: {"properties": {**own, **others[request], **others["both"]}}
        for request in ("launch", "attach")
    }


def _attribute(field: Property) -> dict[str, Any]:
    return {
        **schema.of_type(field.wire.hint),
        "default": field.default,
        "markdownDescription": field.description,
    }


def _set(own: dap.Configuration) -> dict[str, Any]:
    """What differs from the defaults, as JSON."""
    usual = to_wire(dap.Configuration())
    return {key: value for key, value in to_wire(own).items() if value != usual[key]}
