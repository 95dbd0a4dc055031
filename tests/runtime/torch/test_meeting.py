"""Ranks of other machines believe what stands in the job's store only where their hubs share a token."""

from __future__ import annotations

from typing import Any

import pytest

from graphdebug.protocol.runtime import Invitation
from graphdebug.runtime.meeting import KEY, Apart, meet

pytestmark = pytest.mark.frameworks

FIRST = Invitation(
    "unix:/a", "secret", fingerprint="ab", elsewhere="tls:10.0.0.1:5678", hub="first"
)
SECOND = Invitation("unix:/b", "secret", hub="second")


def empty() -> Any:
    """A store that is in this process alone."""
    from torch.distributed import HashStore

    return HashStore()


def told(invitation: Invitation) -> Any:
    store = empty()
    assert meet(store, 0, invitation) is None
    return store


def test_a_rank_goes_where_rank_0_is() -> None:
    store = told(FIRST)
    found = meet(store, 1, SECOND)
    assert found is not None
    assert (found.endpoint, found.fingerprint, found.token) == ("tls:10.0.0.1:5678", "ab", "secret")
    assert b"secret" not in store.get(KEY)
    assert meet(store, 1, FIRST) is None, "it is there"


@pytest.mark.parametrize("text", [b"", b"{}", b"[1]", b'["first", "tls:evil:1", "ab", "00"]'])
def test_what_anybody_could_have_written_is_not_believed(text: bytes) -> None:
    store = empty()
    store.set(KEY, text.decode())
    with pytest.raises(Apart):
        meet(store, 1, SECOND)


def test_why_a_rank_stays_apart_is_said_with_what_helps() -> None:
    with pytest.raises(Apart, match="GRAPHDEBUG_TOKEN"):
        meet(told(FIRST), 1, Invitation("unix:/b", "another", hub="second"))
    with pytest.raises(Apart, match="--listen"):
        meet(told(Invitation("unix:/a", "secret", hub="first")), 1, SECOND)
