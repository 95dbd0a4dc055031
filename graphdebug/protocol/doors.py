"""How a notebook's kernel that wasn't invited finds a Jupyter server that observes it.

Each such server leaves a file that names its ``Door``, as running sessions leave theirs. Who comes
there says which kernel it is, and gets an ``Invitation`` if the server has that kernel.
"""

from __future__ import annotations

from dataclasses import dataclass

from graphdebug.protocol.runtime import Invitation

JOIN = "graphdebugJoin"
"""The request that it begins, and ends, with."""


@dataclass(frozen=True)
class Door:
    """Where to ask, as the server's file in the registry has it."""

    endpoint: str
    """``unix:PATH`` or ``tcp:HOST:PORT``."""
    token: str
    """What must be sent there."""
    pid: int
    """The server's process."""


@dataclass(frozen=True)
class JoinArguments:
    """``graphdebugJoin``."""

    token: str
    """That of the door."""
    kernel: str
    """Jupyter's id of the kernel."""


@dataclass(frozen=True)
class JoinResponse:
    """Its answer."""

    invitation: Invitation
    """Where the kernel's processes go."""
