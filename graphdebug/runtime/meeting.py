"""Ranks on several machines, each with a hub of its own: all report to rank 0's.

They find it in the store at which torch's ranks meet. Whoever reaches the store can read and write
there: no secret lies in it, and what isn't signed with the token that the hubs share is not believed.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

from graphdebug.protocol import launchers
from graphdebug.protocol.runtime import Invitation
from graphdebug.runtime.untraced import untraced_thread
from graphdebug.transport.endpoint import EndpointError, same_token

KEY = "graphdebug/hub"

LOOK_SECONDS = 0.1
"""How often the store is looked into until rank 0 has written there."""

GIVE_UP_SECONDS = 60.0


class Store(Protocol):
    """What is used of torch's."""

    def set(self, key: str, value: str) -> None:
        """Write."""

    def get(self, key: str) -> bytes:
        """Read what is there."""

    def check(self, keys: list[str]) -> bool:
        """Whether all are there."""


class Apart(Exception):
    """This rank stays with the hub of its own machine; says why, and what helps."""


_EXPECTED = (Apart, OSError, EndpointError)
"""Errors that say enough by themselves."""


def several_machines(size: int) -> bool:
    """Whether not all ranks may be on this machine."""
    return launchers.number(os.environ, launchers.LOCAL_SIZE) != size


def begin(
    connect: Callable[[], Store],
    rank: int,
    invitation: Invitation,
    move: Callable[[Invitation], None],
    failed: Callable[[str], None],
) -> None:
    """Meet on a thread of its own, for which the program doesn't wait.

    ``connect`` gives the store, ``move`` goes over to another hub (it raises OSError or EndpointError),
    and ``failed`` is told why this rank stays where it is.
    """

    def run() -> None:
        try:
            found = meet(connect(), rank, invitation)
            if found is not None:
                move(found)
        except RuntimeError:
            pass  # torch's: the store has gone, with the program or its other ranks
        except Exception as error:
            if launchers.number(os.environ, launchers.LOCAL_RANK) in (0, None):
                said = error if isinstance(error, _EXPECTED) else repr(error)
                failed(f"this machine's ranks aren't in the session of rank 0's: {said}")

    untraced_thread(run, "graphdebug meeting").start()


def meet(store: Store, rank: int, invitation: Invitation) -> Invitation | None:
    """The invitation to rank 0's hub; None for one that is there, and where rank 0 has none.

    Raises Apart, and what the store raises.
    """
    if rank == 0:
        store.set(KEY, _written(invitation))
        return None
    end = time.monotonic() + GIVE_UP_SECONDS
    while not store.check([KEY]):
        if time.monotonic() > end:
            return None
        time.sleep(LOOK_SECONDS)
    return _read(store.get(KEY), invitation)


def _written(invitation: Invitation) -> str:
    told = [invitation.hub, invitation.elsewhere, invitation.fingerprint]
    return json.dumps([*told, _signature(told, invitation.token)])


def _read(text: bytes, invitation: Invitation) -> Invitation | None:
    try:
        *told, signature = map(str, json.loads(text))
        hub, endpoint, fingerprint = told
    except (ValueError, TypeError):
        raise Apart("what stands in the store isn't graphdebug's") from None
    if hub == invitation.hub:
        return None
    if not same_token(signature, _signature(told, invitation.token)):
        raise Apart("their hubs have different tokens; set the same GRAPHDEBUG_TOKEN on all")
    if not endpoint:
        raise Apart("its hub is for its own machine alone; start that with --listen HOST:PORT")
    return replace(invitation, hub=hub, endpoint=endpoint, elsewhere="", fingerprint=fingerprint)


def _signature(told: list[str], token: str) -> str:
    return hmac.new(token.encode(), json.dumps(told).encode(), hashlib.sha256).hexdigest()
