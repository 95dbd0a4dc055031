"""Values of ours in Variables: what pydevd shows of them, at any depth.

Imported by ``presentation``.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

from graphdebug.runtime import debugger
from graphdebug.runtime.debugger import unfit


def present(string_provider: type, resolver: type) -> None:
    """Show values in Variables through these, now or as soon as pydevd is there.

    See ``presentation`` for what they have. May be called again.
    """
    if _FRAMES in sys.modules:
        _present(string_provider, resolver)
    else:
        _when_imported(_FRAMES, lambda: _present(string_provider, resolver))


_FRAMES = "_pydevd_bundle.pydevd_suspended_frames"
"""The part of pydevd that answers ``variables``; all that ``present`` needs is there before it."""


def _present(string_provider: type, resolver: type) -> None:
    try:
        from _pydevd_bundle.pydevd_extension_api import StrPresentationProvider, TypeResolveProvider
        from _pydevd_bundle.pydevd_extension_utils import extensions_of_type
        from _pydevd_bundle.pydevd_xml import _TYPE_RESOLVE_HANDLER

        strings = _registered(extensions_of_type(StrPresentationProvider), string_provider)
        _registered(extensions_of_type(TypeResolveProvider), resolver)
        _TYPE_RESOLVE_HANDLER._type_to_resolver_cache.clear()
        _TYPE_RESOLVE_HANDLER._type_to_str_provider_cache.clear()
    except Exception as error:
        unfit("tensors are shown as debugpy shows them", error)
        return
    try:
        _present_inside(strings)
    except Exception as error:
        unfit("tensors inside lists, dicts and objects are shown as debugpy shows them", error)
    if debugger.in_notebook:
        try:
            _say_as_type(strings)
        except Exception as error:
            unfit("JupyterLab's tree of variables shows the classes of tensors alone", error)


def _say_as_type(strings: Any) -> None:
    """JupyterLab's tree of variables shows the type of what is no number or text, and no value."""
    from _pydevd_bundle.pydevd_suspended_frames import _AbstractVariable

    original = _AbstractVariable.get_var_data
    if hasattr(original, "__wrapped__"):
        return
    if original.__code__.co_varnames[:3] != ("self", "fmt", "context"):
        raise TypeError("_AbstractVariable.get_var_data takes other arguments")

    @functools.wraps(original)
    def get_var_data(self: Any, *args: Any, **kwargs: Any) -> Any:
        data = original(self, *args, **kwargs)
        kind = type(self.value)
        if strings.can_provide(kind, kind.__name__):
            data["type"] = data["value"]
        return data

    _AbstractVariable.get_var_data = get_var_data


def _registered(providers: list[Any], provider: type) -> Any:
    """The one instance of ours among pydevd's providers, asked before the others."""
    for known in providers:
        if isinstance(known, provider):
            return known
    providers.insert(0, provider())
    return providers[0]


def _present_inside(strings: Any) -> None:
    """Where pydevd prints a container, print what is ours in it by its line."""
    from _pydevd_bundle.pydevd_resolver import DictResolver
    from _pydevd_bundle.pydevd_safe_repr import SafeRepr

    if hasattr(SafeRepr, "graphdebug"):
        return
    whole, other, key_to_str = SafeRepr.__call__, SafeRepr._repr_other, DictResolver.key_to_str
    for function, expected in (
        (whole, ["self", "obj"]),
        (other, ["self", "obj", "level"]),
        (key_to_str, ["self", "key", "fmt"]),
    ):
        code = function.__code__
        if list(code.co_varnames[: code.co_argcount]) != expected:
            raise TypeError(f"{function.__qualname__} takes other arguments")

    def ours(value: Any) -> bool:
        return bool(strings.can_provide(type(value), type(value).__name__))

    def repr_whole(self: Any, obj: Any) -> Any:
        if obj is None or type(obj) in (bool, int, float, str, bytes):
            return whole(self, obj)
        with strings.headers():
            return whole(self, obj)

    def repr_other(self: Any, obj: Any, level: int) -> Any:
        return [strings.get_str(obj)] if ours(obj) else other(self, obj, level)

    def repr_key(self: Any, key: Any, fmt: Any = None) -> Any:
        if ours(key):
            return strings.get_str(key)
        with strings.headers():
            return key_to_str(self, key, fmt)

    SafeRepr.__call__, SafeRepr._repr_other = repr_whole, repr_other
    DictResolver.key_to_str = repr_key
    SafeRepr.graphdebug = True


def _when_imported(name: str, action: Callable[[], None]) -> None:
    """Call ``action`` once the program has imported ``name``."""
    import importlib.util

    class Finder:
        """Finds what the other finders find, for that one module, and is gone then."""

        @staticmethod
        def find_spec(wanted: str, path: Any = None, target: Any = None) -> Any:
            """The module's own spec, whose loader calls ``action`` at its end."""
            if wanted != name:
                return None
            sys.meta_path.remove(Finder)
            spec = importlib.util.find_spec(name)
            if spec is not None and spec.loader is not None:
                execute = spec.loader.exec_module

                def exec_module(module: ModuleType) -> None:
                    execute(module)
                    action()

                spec.loader.exec_module = exec_module  # type: ignore[method-assign]
            return spec

    sys.meta_path.insert(0, Finder)
