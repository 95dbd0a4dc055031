"""``--listen`` and what goes with it: a program that clients can attach to."""

from __future__ import annotations

import argparse
import importlib.util
import os
import socket
import ssl
from dataclasses import dataclass, replace

from graphdebug.adapter.hub import Hub
from graphdebug.commands.errors import CommandError
from graphdebug.commands.finding import TOKEN_VARIABLE
from graphdebug.observation.job import Job
from graphdebug.protocol.observers import RunningSession
from graphdebug.protocol.runtime import Invitation
from graphdebug.transport import tls
from graphdebug.transport.connections import complain
from graphdebug.transport.endpoint import Address, EndpointError, new_token

HERE = ""
"""``--listen`` without an address: the socket of this user's own is enough."""

EVERYWHERE = ("0.0.0.0", "[::]")
"""Addresses that stand for all that a machine has: others come by its name."""

TOKEN_LENGTH = 32
"""Characters that an agreed token has at least: what is signed with it can be read by others."""


@dataclass(frozen=True)
class Listening:
    """Where a job's hub listens."""

    address: Address | None
    """Besides the socket of this user's own."""
    certificate: str | None = None
    """PEM file, for an address that other machines can reach; one is made without it."""
    key: str | None = None
    """PEM file of its key, where it isn't in the same file."""
    wait: bool = False
    """Whether the program waits for a client before its first line."""

    @staticmethod
    def add(parser: argparse.ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument(
            "--listen",
            metavar="[HOST:]PORT|unix:PATH",
            nargs="?",
            const=HERE,
            help="let clients attach (graphdebug attach, or an editor); without an address, those of "
            "this user on this machine",
        )
        parser.add_argument(
            "--wait-for-client", action="store_true", help="run nothing until one has attached"
        )
        parser.add_argument(
            "--tls-cert", metavar="FILE", help="certificate (PEM); else one is made"
        )
        parser.add_argument(
            "--tls-key", metavar="FILE", help="its key, where it isn't in that file"
        )

    @classmethod
    def asked(cls, arguments: argparse.Namespace) -> Listening | None:
        """What the options ask for; None where the program isn't to be attachable."""
        text = arguments.listen
        if text is not None and text != HERE and not _looks_like_an_address(text):
            arguments.words.insert(0, text)  # it was the program: --listen stood without an address
            text = HERE
        if text is None and arguments.wait_for_client:
            text = HERE
        if text is None:
            if arguments.tls_cert or arguments.tls_key:
                arguments.parser.error("--tls-cert and --tls-key go with --listen")
            return None
        try:
            address = Address.parse(text) if text else None
        except EndpointError as error:
            arguments.parser.error(f"--listen: {error}")
        return cls(address, arguments.tls_cert, arguments.tls_key, arguments.wait_for_client)

    async def open(
        self, job: Job, session: RunningSession, pid: int | None = None
    ) -> RunningSession:
        """Let clients come and say how, unless it is for a process that made itself attachable.

        Raises OSError.
        """
        addresses = [self.address] if self.address is not None else []
        opened = await Hub(job, complain).open(session, addresses, self._tls(), pid, agreed_token())
        if pid is None:
            ways = " · ".join([f"graphdebug attach {opened.pid}", *opened.addresses])
            complain(f"attachable: {ways}")
        return opened

    def _tls(self) -> tuple[ssl.SSLContext, str] | None:
        if self.address is None or not self.address.exposed:
            return None
        return tls.server(self.certificate, self.key) if self.certificate else tls.made()

    def explained(self, error: OSError) -> tuple[str, str]:
        """Cause and remedy of an error that ``open`` raised."""
        where = "the runtime directory" if self.address is None else f"{self.address}"
        if isinstance(error, tls.TlsError):
            return str(error), "give one with --tls-cert and --tls-key, or listen on 127.0.0.1"
        return f"can't listen at {where}: {error.strerror or error}", "choose another --listen"


def agreed_token() -> str:
    """The one that hubs on several machines have from the environment, or none. Raises CommandError."""
    token = os.environ.get(TOKEN_VARIABLE, "")
    if token and len(token) < TOKEN_LENGTH:
        raise CommandError(
            f"the token in {TOKEN_VARIABLE} is too short",
            f"make one: export {TOKEN_VARIABLE}=$(openssl rand -hex 32)",
        )
    return token


def attachable(invitation: Invitation, session: RunningSession, wait: bool = False) -> Invitation:
    """What the processes of a job that clients come to are given; ``session``: how they find it."""
    spec = importlib.util.find_spec("debugpy")
    directory = os.path.dirname(os.path.dirname(spec.origin)) if spec and spec.origin else ""
    return replace(
        invitation,
        attachable=True,
        wait=wait,
        debugpy=directory,
        elsewhere=next(filter(None, map(_from_elsewhere, session.addresses)), ""),
        fingerprint=session.fingerprint,
        hub=new_token(),
    )


def _from_elsewhere(endpoint: str) -> str:
    """The address for other machines; empty for one that they can't reach."""
    kind, _, address = endpoint.partition(":")
    host, _, port = address.rpartition(":")
    if kind != "tls":
        return ""
    return f"tls:{socket.getfqdn() if host in EVERYWHERE else host}:{port}"


def _looks_like_an_address(text: str) -> bool:
    kind, colon, rest = text.rpartition(":")
    return text.startswith("unix:") or (rest.isdigit() and (bool(kind) or not colon))
