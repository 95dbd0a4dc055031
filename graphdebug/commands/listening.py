"""``--listen`` and what goes with it: a program that clients can attach to."""

from __future__ import annotations

import argparse
import importlib.util
import os
import ssl
from dataclasses import dataclass, replace

from graphdebug.adapter.hub import Hub
from graphdebug.observation.job import Job
from graphdebug.protocol.observers import RunningSession
from graphdebug.protocol.runtime import Invitation
from graphdebug.transport import tls
from graphdebug.transport.connections import complain
from graphdebug.transport.endpoint import Address, EndpointError

HERE = ""
"""``--listen`` without an address: the socket of this user's own is enough."""


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
        opened = await Hub(job, complain).open(session, addresses, self._tls(), pid)
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


def attachable(invitation: Invitation, wait: bool = False) -> Invitation:
    """What the processes of a job that clients come to are given."""
    spec = importlib.util.find_spec("debugpy")
    directory = os.path.dirname(os.path.dirname(spec.origin)) if spec and spec.origin else ""
    return replace(invitation, attachable=True, wait=wait, debugpy=directory)


def _looks_like_an_address(text: str) -> bool:
    kind, colon, rest = text.rpartition(":")
    return text.startswith("unix:") or (rest.isdigit() and (bool(kind) or not colon))
