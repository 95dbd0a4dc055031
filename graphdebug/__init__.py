"""graphdebug: the debugger for deep-learning programs.

``listen`` and ``wait_for_client`` are for programs; everything else is started by ``graphdebug``'s
commands, or by editors.
"""

from __future__ import annotations

from importlib import import_module

__version__ = "0.1.0"

__all__ = ["listen", "load_ipython_extension", "wait_for_client"]

libraries: list[str] = []
"""Directories that whoever started this process has put in front of its path, as an editor's extension
does with what it brings along."""


def load_ipython_extension(ipython: object) -> None:
    """``%load_ext graphdebug``: observe this notebook's kernel."""
    import_module("graphdebug.runtime.notebook.joining").load(ipython)


def listen(address: str | int | None = None) -> str:
    """Make this program attachable, as ``graphdebug run --listen`` does; returns where.

    ``address`` is ``"PORT"`` or ``"HOST:PORT"`` (on loopback, or encrypted) or ``"unix:PATH"``, besides
    the socket of this user's own, which there always is. Python processes that this one starts from now
    on can be attached to with it. Nothing is recorded or slowed down until somebody attaches. Does
    nothing where the program is attachable already. Raises ListenError.
    """
    listening = import_module("graphdebug.runtime.listening")
    endpoint: str = listening.listen(None if address is None else str(address))
    return endpoint


def wait_for_client() -> None:
    """Wait until a client has attached and set its breakpoints. Raises ListenError without ``listen``."""
    import_module("graphdebug.runtime.listening").wait_for_client()
