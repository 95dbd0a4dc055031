"""What a job's hub is asked by those who connect to it.

A *job* is a program and its ranks; its *hub* is the process that they report to and that clients come
to. It is ``graphdebug run`` itself, or a process of its own that ``graphdebug.listen()`` starts and that
ends with the job. The program listens on nothing.

All come to the same sockets, in the framing of ``transport.framing``. The first message says who comes
and holds a token, without which the connection is closed; nothing else is read before it:

``graphdebugObserve`` (request; ``protocol.observers``)
    A terminal or a language server. It hears the events of the Contract and asks about the job.
``graphdebugDebug`` (request)
    An editor's side. Once that was answered, the connection speaks DAP: ``initialize``, ``attach`` (with
    graphdebug's attributes; no address, no process id), ``setBreakpoints`` ... ``disconnect``. One at a
    time: others are refused with a sentence that says who is there and since when.
``hello`` (event; ``protocol.runtime``)
    A process of the job, with the token of its invitation.
``debuggee`` (event)
    debugpy in a process of the job, which the hub asked for (``debug``). Once that was answered, the
    connection is pydevd's own, and the hub passes its bytes on to ``python -m debugpy.adapter``.
"""

from __future__ import annotations

from dataclasses import dataclass

from graphdebug.protocol.model import Rank
from graphdebug.protocol.runtime import Invitation, Memory

DEBUG = "graphdebugDebug"
"""The request that an editor's side begins with."""

JOB = "graphdebugJob"
"""The request for ``JobResponse``, of one that observes."""

DEBUGGEE = "debuggee"
"""The event that debugpy's connection begins with."""


@dataclass(frozen=True)
class DebugArguments:
    """``graphdebugDebug``: the answer has no body; from then on the connection speaks DAP."""

    token: str
    """That of the session's file."""
    client: str = ""
    """Who comes, for others to read: host and process."""


@dataclass(frozen=True)
class DebuggeeEvent:
    """``debuggee``: answered, with an empty body; from then on the connection is pydevd's."""

    token: str
    """The invitation's token."""
    key: str
    """What ``debug`` named it."""


@dataclass(frozen=True)
class JobArguments:
    """``graphdebugJob`` takes nothing."""


@dataclass(frozen=True)
class JobRank:
    """One process of the job, as ``ps`` and ``attach`` show it."""

    process: Rank
    """Rank, process id and the frameworks that it imported."""
    steps: int
    """Steps made since the program began, whether or not they were recorded."""
    memory: tuple[Memory, ...] = ()
    """By device."""
    devices: tuple[str, ...] = ()
    """Devices that it computes on."""
    host: str = ""
    """Where it runs."""
    ranked: bool = False
    """Whether it is one of a launcher's ranks."""
    ended: bool = False
    """Whether it has gone."""


@dataclass(frozen=True)
class JobClient:
    """One who looks at the job or debugs it."""

    kind: str
    """``editor`` or ``observer``."""
    name: str
    """Who it said it is."""
    since: float
    """Seconds since the epoch; 0 where that isn't kept."""


@dataclass(frozen=True)
class JobResponse:
    """Answer to ``graphdebugJob``."""

    program: str
    """What is run."""
    pid: int
    """The program's process."""
    started: float
    """Seconds since the epoch."""
    ranks: tuple[JobRank, ...]
    """In order of rank."""
    clients: tuple[JobClient, ...]
    """Those who are here."""


@dataclass(frozen=True)
class HubArguments:
    """What ``graphdebug hub`` is told on its stdin."""

    address: str
    """Where to listen besides the socket of the user's own; empty for nowhere."""
    pid: int
    """The process that it is for."""
    program: str
    """What that runs, for a person to read."""
    cwd: str
    """Where it was started."""
    started: float
    """When; seconds since the epoch."""


@dataclass(frozen=True)
class HubResponse:
    """What it answers on its stdout."""

    invitation: Invitation
    """How the process, and those that it starts, come to it."""
    endpoint: str
    """Where clients come: the address that was asked for, else the socket."""
    pid: int
    """Its process."""
