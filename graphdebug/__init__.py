"""graphdebug: the debugger for deep-learning programs."""

__version__ = "0.1.0"

libraries: list[str] = []
"""Directories that whoever started this process has put in front of its path, as an editor's extension
does with what it brings along."""
