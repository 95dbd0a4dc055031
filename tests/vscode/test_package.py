"""The extension's sources, typed and linted, and the Python packages that it brings along."""

from __future__ import annotations

import re
from importlib.metadata import requires, version

import pytest
from support import npm
from support.npm import ROOT, SHARED

pytestmark = pytest.mark.one_python


def pins(text: str) -> dict[str, str]:
    """Versions by name, as Python's packages are named."""
    found = re.findall(r"^\s*\"?([\w-]+)==([^\s\";]+)", text, re.MULTILINE)
    return {name.lower().replace("_", "-"): pinned for name, pinned in found}


def needed(name: str) -> set[str]:
    """What a package needs beside itself, on any Python from 3.10 on, without extras."""
    found: set[str] = set()
    for requirement in requires(name) or ():
        word = re.match(r"[\w-]+", requirement)
        if word is not None and "extra ==" not in requirement:
            other = word[0].lower().replace("_", "-")
            found |= {other} if other == "exceptiongroup" else {other} | needed(other)
    return found


def test_all_that_graphdebug_needs_is_brought_along() -> None:
    brought = pins((ROOT / "extension" / "vscode" / "requirements.txt").read_text())
    tested = pins((ROOT / "pyproject.toml").read_text())
    wanted = {"pygls", "rich"} | needed("pygls") | needed("rich")
    assert brought.keys() == wanted
    for name in brought.keys() - {"exceptiongroup"}:
        assert brought[name] == tested.get(name, version(name)), name


def test_sources_are_typed_and_linted() -> None:
    npm.install(SHARED, ROOT)
    for script in ("check", "lint"):
        npm.script(ROOT, script)
