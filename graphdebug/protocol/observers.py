"""What a running session says to other programs of the same user: language servers, terminals.

Each session leaves a file that names it (``RunningSession``). Who connects to its endpoint sends
``graphdebugObserve`` first; from then on the session sends the events of the Contract and answers
its requests about steps (``protocol/dap.py``), with the very bodies that an editor gets.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from graphdebug.protocol.model import Capture

OBSERVE = "graphdebugObserve"
"""The request that an observer begins with."""

END = "graphdebugEnd"
"""The event, without a body, that no step comes after: who hears it asks what it still wants to know
and hangs up. The session waits for that a moment."""

SessionKind = Literal["debug", "run"]


@dataclass(frozen=True)
class RunningSession:
    """A session that can be looked at, as its file in the registry has it."""

    endpoint: str
    """Where it listens: ``unix:PATH`` or ``tcp:HOST:PORT``."""
    token: str
    """What an observer must send."""
    pid: int
    """The process that listens and that owns the file; the session is over when it has ended."""
    kind: SessionKind
    """Whether an editor debugs the program, or ``graphdebug run`` runs it."""
    program: str
    """What is run, for a person to read."""
    cwd: str
    """The directory it was started in."""
    started: float
    """When, before the program read any of its files; seconds since the epoch."""
    attachable: bool = False
    """Whether editors can come, too."""
    addresses: tuple[str, ...] = ()
    """Where else it listens: ``tcp:HOST:PORT`` or ``tls:HOST:PORT``."""
    fingerprint: str = ""
    """SHA-256 of the certificate at ``tls:`` addresses, in hexadecimal."""


@dataclass(frozen=True)
class ObserveArguments:
    """``graphdebugObserve``: the answer has no body."""

    token: str
    """That of the session's file."""
    capture: Capture | None = None
    """How much is to be recorded while this one looks, of a program that nobody debugs; None where
    what is recorded anyway will do."""
    client: str = ""
    """Who comes, for others to read."""
