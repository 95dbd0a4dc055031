"""graphdebug: the debugger for deep-learning programs."""

__version__ = "0.1.0"
