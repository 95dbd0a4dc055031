"""Errors that end a command with one line and a remedy."""

from __future__ import annotations


class CommandError(Exception):
    """A failure of ours, or of what we were given; ends with exit code 1."""

    def __init__(self, cause: str, remedy: str) -> None:
        super().__init__(f"{cause}\n  {remedy}")
