"""Says of a warning raised within an operation where the program called it, as without us.

Python takes the innermost frame, ours or that of torch which called us, for the place. So the place is put
right when the warning is about to be shown, and the filters are asked once more about the right one.
"""

from __future__ import annotations

import functools
import sys
import warnings
from collections.abc import Callable
from types import CodeType, FrameType
from typing import Any

import torch.overrides


class WarningPlaces:
    """Wraps the function that shows warnings, for those that seem to come from ``code``.

    The native tier has no frame; then they seem to come from torch's that calls it.
    """

    def __init__(self, code: CodeType, fail: Callable[[str, Exception], None]) -> None:
        self._codes = code, torch.overrides.handle_torch_function.__code__
        self._files = frozenset(item.co_filename for item in self._codes)
        self._fail = fail
        self._original = vars(warnings).get("_showwarnmsg")
        self._ours: Any = None

    def install(self) -> None:
        """Put the wrapper in; without the private function that it wraps, do nothing."""
        if self._original is not None and self._ours is None:
            self._ours = self._wrapped(self._original)
            warnings._showwarnmsg = self._ours  # type: ignore[attr-defined]

    def remove(self) -> None:
        """Take the wrapper out."""
        if self._ours is not None and vars(warnings)["_showwarnmsg"] is self._ours:
            warnings._showwarnmsg = self._original  # type: ignore[attr-defined]
        self._ours = None

    def _wrapped(self, original: Callable[[Any], None]) -> Callable[[Any], None]:
        @functools.wraps(original)
        def _showwarnmsg(message: Any) -> None:
            try:
                wanted = message.filename not in self._files or self._put_right(message)
            except Exception as error:
                self._fail("a warning", error)
                wanted = True
            if wanted:
                original(message)

        return _showwarnmsg

    def _put_right(self, message: Any) -> bool:
        """Whether the warning is to be shown, after its place has been put right."""
        frame: FrameType | None = sys._getframe(2)
        while frame is not None and frame.f_code not in self._codes:
            frame = frame.f_back
        if frame is None:
            return True
        frame.f_globals.pop("__warningregistry__", None)
        caller: FrameType | None = frame
        if frame.f_code is self._codes[0]:
            caller = frame.f_back
        if caller is not None and caller.f_code is self._codes[1]:
            caller = caller.f_back and caller.f_back.f_back
        if caller is None:
            return True
        message.filename, message.lineno = caller.f_code.co_filename, caller.f_lineno
        return _passes(message, caller.f_globals)


def _passes(message: Any, names: dict[str, Any]) -> bool:
    """What Python decides about a warning, decided for its right place."""
    text, category, line = str(message.message), message.category, message.lineno
    module = names.get("__name__") or "<unknown>"
    action = warnings.defaultaction  # type: ignore[attr-defined]
    for wanted, pattern, kind, where, at in warnings.filters:
        if (
            (pattern is None or pattern.match(text))
            and issubclass(category, kind)
            and (where is None or where.match(module))
            and at in (0, line)
        ):
            action = wanted
            break
    if action in ("default", "module"):
        shown = names.setdefault("__warningregistry__", {})
        key = (text, category, line if action == "default" else 0)
        if shown.get(key):
            return False
        shown[key] = True
    return bool(action != "ignore")
