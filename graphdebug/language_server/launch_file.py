"""``.vscode/launch.json``, which editors beside VS Code read too: adds our configuration to its text.

The file may hold comments and trailing commas, so it is edited as text, never parsed and rewritten.
"""

from __future__ import annotations

import json
import re
import textwrap
from dataclasses import dataclass

NAME = "graphdebug: stop inside graphs"
"""The configuration's name, as the editor lists it."""

CONFIGURATION = {
    "name": NAME,
    "type": "graphdebug",
    "request": "launch",
    "program": "${file}",
    "console": "integratedTerminal",
    "staticGraphs": "node",
}

_TOKEN = re.compile(
    r"""(?P<string>"(?:\\.|[^"\\])*")|(?P<space>//[^\n]*|/\*.*?\*/|\s+)|(?P<other>[^\s"/]|/)""",
    re.DOTALL,
)


@dataclass(frozen=True)
class Insertion:
    """Text to put in at an offset of the file."""

    offset: int
    text: str


def has_configuration(text: str) -> bool:
    """Whether a configuration already stops inside graphs."""
    words = [match[0] for match in _tokens(text)]
    return any(words[at : at + 3] == ['"staticGraphs"', ":", '"node"'] for at in range(len(words)))


def insertion(text: str) -> Insertion | None:
    """What adds our configuration to the file; None where it isn't what a launch file looks like."""
    tokens = _tokens(text)
    if not tokens:
        whole = {"version": "0.2.0", "configurations": [CONFIGURATION]}
        return Insertion(len(text), json.dumps(whole, indent=4) + "\n")
    if tokens[0][0] != "{":
        return None
    words = [match[0] for match in tokens]
    for at in range(len(words) - 3):
        if words[at : at + 3] == ['"configurations"', ":", "["]:
            return _first_in(tokens[at + 2].end(), _own(8), words[at + 3] != "]")
    member = f'"configurations": [\n{_own(8)}\n    ]'
    return _first_in(tokens[0].end(), f"    {member}", words[1:2] != ["}"])


def _own(indent: int) -> str:
    return textwrap.indent(json.dumps(CONFIGURATION, indent=4), " " * indent)


def _first_in(offset: int, text: str, more: bool) -> Insertion:
    return Insertion(offset, f"\n{text}{',' if more else chr(10) + '    '}")


def _tokens(text: str) -> list[re.Match[str]]:
    """All but space and comments."""
    return [match for match in _TOKEN.finditer(text) if match["space"] is None]
