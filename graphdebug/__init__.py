"""graphdebug: the debugger for deep-learning programs."""

from importlib import import_module

__version__ = "0.1.0"

libraries: list[str] = []
"""Directories that whoever started this process has put in front of its path, as an editor's extension
does with what it brings along."""


def load_ipython_extension(ipython: object) -> None:
    """``%load_ext graphdebug``: observe this notebook's kernel."""
    import_module("graphdebug.runtime.notebook.joining").load(ipython)
