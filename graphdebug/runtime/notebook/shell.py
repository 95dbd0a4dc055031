"""The shell that runs a notebook's cells, as the runtime needs it."""

from __future__ import annotations

import functools
from typing import Any

from graphdebug.runtime import boot, debugger, presentation
from graphdebug.runtime.notebook import cells, magic

_MARK = "graphdebug_equipped"


def prepare(shell_class: Any) -> None:
    """Equip each shell of this class as it is made; ``bootstrap`` calls this in a kernel."""
    debugger.in_notebook = True
    original = shell_class.init_magics

    @functools.wraps(original)
    def init_magics(self: Any) -> None:
        original(self)
        equip(self)

    shell_class.init_magics = init_magics


def equip(shell: Any) -> None:
    """Let it have our magic, tell when cells begin and end, and print no tensor at a stop."""
    if getattr(shell, _MARK, False):
        return
    setattr(shell, _MARK, True)
    shell.register_magic_function(functools.partial(magic.run, shell), "cell", magic.NAME)
    shell.events.register("pre_run_cell", _begin)
    shell.events.register("post_run_cell", _end)
    formatter = shell.display_formatter
    if formatter is not None:
        formatter.format = _shape_first(formatter.format)


def _begin(info: Any = None) -> None:
    if boot.runtime is not None:
        cells.begin(boot.runtime)


def _end(result: Any = None) -> None:
    if boot.runtime is not None:
        cells.end(boot.runtime)


def _shape_first(original: Any) -> Any:
    """A display formatter's ``format`` that reads no tensor while the calling thread is stopped.

    Jupyter's debugger asks it at stops, where what is shown must not wait for a device.
    """

    @functools.wraps(original)
    def format(obj: Any, *args: Any, **kwargs: Any) -> Any:
        if not debugger.suspended():
            return original(obj, *args, **kwargs)
        header = presentation.header(obj)
        if header is not None:
            return {"text/plain": header}, {}
        with presentation.Strings().headers():
            return original(obj, *args, **kwargs)

    return format
