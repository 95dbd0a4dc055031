"""Attributes of torch that are replaced, and put back as they were."""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import importlib.util
import inspect
import sys
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

from graphdebug.runtime.backends import HookUnfit


class Patches:
    """The attributes replaced so far."""

    def __init__(self) -> None:
        self._done: list[tuple[Any, str, Any, Any]] = []

    def replace(
        self, owner: Any, name: str, parameters: Sequence[str], wrap: Callable[[Any], Any]
    ) -> None:
        """Put ``wrap(original)`` in the place of a function whose first parameters are these.

        Without parameters it may be one of C's, which don't tell.

        Raises HookUnfit where it isn't there or takes others.
        """
        where = f"{owner.__name__}.{name}"
        original = vars(owner).get(name)
        if original is None:
            raise HookUnfit(f"torch has no {where}")
        found = list(inspect.signature(original).parameters) if parameters else []
        if found[: len(parameters)] != list(parameters):
            raise HookUnfit(f"{where} takes ({', '.join(found)}), not ({', '.join(parameters)})")
        replacement = wrap(original)
        setattr(owner, name, replacement)
        self._done.append((owner, name, original, replacement))

    def suspend(self) -> None:
        """Put the originals back for a while."""
        for owner, name, original, replacement in self._done:
            if vars(owner).get(name) is replacement:
                setattr(owner, name, original)

    def resume(self) -> bool:
        """Put the replacements in again; whether there are any."""
        for owner, name, original, replacement in self._done:
            if vars(owner).get(name) is original:
                setattr(owner, name, replacement)
        return bool(self._done)

    def restore(self) -> None:
        """Put the originals back, except where somebody else has replaced ours since."""
        while self._done:
            owner, name, original, replacement = self._done.pop()
            if vars(owner).get(name) is replacement:
                setattr(owner, name, original)


def unmark(error: BaseException) -> None:
    """Take the calling frame out of the traceback of an error that it is about to let through.

    A bare ``raise`` then adds none (in Python 3.10 it does).
    """
    if error.__traceback__ is not None:
        error.__traceback__ = error.__traceback__.tb_next


class WhenImported(importlib.abc.MetaPathFinder):
    """Calls a function once a module has been imported; now, if it has been."""

    def __init__(self, name: str, call: Callable[[ModuleType], None]) -> None:
        self._name, self._call = name, call
        self._busy = False
        if name in sys.modules:
            call(sys.modules[name])
        else:
            sys.meta_path.insert(0, self)

    def find_spec(
        self, fullname: str, path: Any, target: Any = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Leave it to the others, and add the call to what they find."""
        if fullname != self._name or self._busy:
            return None
        self._busy = True
        try:
            spec = importlib.util.find_spec(fullname)
        finally:
            self._busy = False
        if spec is not None and spec.loader is not None:
            spec.loader = _Loader(spec.loader, self)  # type: ignore[assignment]
        return spec

    def done(self, module: ModuleType) -> None:
        """The module is there."""
        self.cancel()
        self._call(module)

    def cancel(self) -> None:
        """Wait no longer."""
        if self in sys.meta_path:
            sys.meta_path.remove(self)


class _Loader:
    def __init__(self, loader: Any, waiting: WhenImported) -> None:
        self._loader, self._waiting = loader, waiting

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)

    def create_module(self, spec: Any) -> Any:
        return self._loader.create_module(spec)

    def exec_module(self, module: Any) -> None:
        module.__spec__.loader = module.__loader__ = self._loader
        self._loader.exec_module(module)
        self._waiting.done(module)
