"""Which module's names a condition on a graph's line sees."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

import pytest

from graphdebug.runtime.frames import absolute

pytestmark = pytest.mark.frameworks
pytest.importorskip("numpy")

from graphdebug.runtime.backends.tensorflow.boundary import Home, globals_of  # noqa: E402


class Lazy(ModuleType):
    """A module that imports something as soon as anybody asks for what it doesn't have."""

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"it was asked for {name}")


def module(name: str, path: str) -> ModuleType:
    made = ModuleType(name)
    made.__file__ = path
    return made


def test_the_module_of_a_file_is_found_without_touching_the_others(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    path = str(tmp_path / "model.py")
    monkeypatch.setitem(sys.modules, "a_lazy_one", Lazy("a_lazy_one"))
    monkeypatch.setitem(sys.modules, "a_failed_one", None)
    monkeypatch.setitem(sys.modules, "another_thing", object())
    first = module("the_model", path)
    monkeypatch.setitem(sys.modules, "the_model", first)
    assert globals_of(absolute(path), None) is vars(first)

    # Imported anew, under its name or another; the program's own frame is asked first.
    again = module("the_model", path)
    monkeypatch.setitem(sys.modules, "the_model", again)
    assert globals_of(absolute(path), None) is vars(again)
    monkeypatch.delitem(sys.modules, "the_model")
    other = module("renamed", path)
    monkeypatch.setitem(sys.modules, "renamed", other)
    assert globals_of(absolute(path), None) is vars(other)
    home: dict[str, Any] = {}
    assert globals_of(absolute(path), Home(absolute(path), home)) is home
    assert globals_of(absolute(str(tmp_path / "nowhere.py")), None) == {}
