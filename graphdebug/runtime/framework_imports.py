"""Imports of frameworks, at which pydevd doesn't look.

With ``sys.settrace`` it looks at each of the million calls that such an import makes, all in library
code, where nothing stops under justMyCode: importing TensorFlow took twice as long. Imported by
``bootstrap``, once the program is debugged.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from importlib.machinery import ModuleSpec
from os.path import abspath
from types import ModuleType
from typing import Any

from graphdebug.runtime import debugger
from graphdebug.runtime.debugger import tracing


def begin(path: str) -> Callable[[], None]:
    """Pause the tracing of this thread, if nothing can stop in libraries; what is returned ends it.

    ``path`` is the framework's file, which may be the user's own. As soon as the framework imports a
    module of the user's, a plugin perhaps, tracing goes on.
    """
    users = debugger.users_files()
    if users is None or users(path) or not tracing.pause():
        return _nothing
    pause = _Pause(users)
    sys.meta_path.insert(0, pause)
    return pause.end


def _nothing() -> None:
    pass


class _Pause:
    """Sees the imports of the one thread, as the first of the finders."""

    def __init__(self, users: Callable[[str], bool]) -> None:
        self._users = users
        self._thread = threading.get_ident()

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        """What the other finders find."""
        if threading.get_ident() != self._thread or self not in sys.meta_path:
            return None
        spec = _found(sys.meta_path[sys.meta_path.index(self) + 1 :], name, path, target)
        if spec is not None and spec.has_location and self._users(abspath(str(spec.origin))):
            self.end()
        return spec

    def end(self) -> None:
        """Let pydevd see again; may be called again."""
        if self in sys.meta_path:
            sys.meta_path.remove(self)
            tracing.resume()


def _found(
    finders: list[Any], name: str, path: Any, target: ModuleType | None
) -> ModuleSpec | None:
    for finder in finders:
        find = getattr(finder, "find_spec", None)
        spec: ModuleSpec | None = find and find(name, path, target)
        if spec is not None:
            return spec
    return None
