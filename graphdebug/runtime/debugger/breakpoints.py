"""The breakpoints that pydevd has, where no adapter of ours sits between it and its client: in Jupyter."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from typing import Any

from graphdebug.protocol.runtime import Breakpoint
from graphdebug.runtime import debugger
from graphdebug.runtime.debugger import unfit

Files = dict[str, tuple[Breakpoint, ...]]

_PACKAGE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

_listeners: list[Callable[[Files], None]] = []


def follow(changed: Callable[[Files], None]) -> None:
    """Call ``changed`` with all of them, now and on the debugger's thread whenever one changes."""
    _listeners.append(changed)
    _pass_over_ours()
    _tell()


def watch() -> None:
    """Hear of changes, and let steps pass over our files; called once pydevd has been imported.

    Whoever starts the debugger there gives it rules for his own files only.
    """
    import pydevd

    try:
        changed, excluded = pydevd.PyDB.on_breakpoints_changed, pydevd.PyDB.set_exclude_filters
        for function, name in ((changed, "removed"), (excluded, "exclude_filters")):
            if function.__code__.co_varnames[1:2] != (name,):
                raise TypeError(f"{function.__qualname__} takes other arguments")
    except Exception as error:
        unfit("breakpoints in notebooks stop in graphs no more than without us", error)
        return

    @functools.wraps(changed)
    def on_breakpoints_changed(self: Any, removed: bool = False) -> None:
        changed(self, removed)
        _tell()

    @functools.wraps(excluded)
    def set_exclude_filters(self: Any, exclude_filters: list[Any]) -> None:
        excluded(self, [*_ours(), *exclude_filters] if debugger.in_notebook else exclude_filters)

    pydevd.PyDB.on_breakpoints_changed = on_breakpoints_changed
    pydevd.PyDB.set_exclude_filters = set_exclude_filters


def _ours() -> list[Any]:
    from _pydevd_bundle.pydevd_filtering import ExcludeFilter

    return [ExcludeFilter(os.path.join(_PACKAGE, "**"), True, True)]


def _pass_over_ours() -> None:
    """The debugger may have had its rules before we came."""
    try:
        from pydevd import get_global_debugger

        found = get_global_debugger()
        rules = [] if found is None else found._files_filtering._exclude_filters
        if found is not None and not any(rule.name.startswith(_PACKAGE) for rule in rules):
            debugger.in_notebook = True
            found.set_exclude_filters(rules)
    except Exception as error:
        unfit("steps stop in files of graphdebug's own", error)


def _tell() -> None:
    if _listeners:
        files = _files()
        for listener in _listeners:
            listener(files)


def _files() -> Files:
    try:
        from pydevd import get_global_debugger

        known = getattr(get_global_debugger(), "breakpoints", None) or {}
        return {
            path: tuple(
                Breakpoint(line, item.condition or None, _hit_condition(item.hit_condition))
                for line, item in lines.items()
                if not item.is_logpoint
            )
            for path, lines in list(known.items())
        }
    except Exception:
        return {}  # nobody debugs


def _hit_condition(expression: str | None) -> str | None:
    """DAP's hitCondition of what pydevd made of it: ``@HIT@ == 5``, ``@HIT@ % 5 == 0``."""
    if not expression:
        return None
    text = expression.replace("@HIT@", "").strip()
    return text.removesuffix("== 0").strip() if text.startswith("%") else text
