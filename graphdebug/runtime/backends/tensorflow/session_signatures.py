"""The signatures that each session was asked for so far, and what the parts of its partial runs did.

Used by ``session``.
"""

from __future__ import annotations

import threading
import weakref
from collections import OrderedDict
from collections.abc import Callable, Collection, Sequence
from typing import Any, NamedTuple

from graphdebug.runtime.backends.tensorflow.reachable import Wanted, reachable
from graphdebug.runtime.backends.tensorflow.signatures import SIGNATURES_LIMIT, Signature


class Parts:
    """What the parts of one partial run did so far."""

    def __init__(self) -> None:
        self._fed: set[str] = set()
        self.ran: set[str] = set()

    def take(self, graph: Any, wanted: Wanted) -> list[Any]:
        """The operations that this part runs: those that it needs and none did before."""
        self._fed |= set(wanted.feeds)
        new = reachable(graph, wanted._replace(feeds=tuple(self._fed))).operations - self.ran
        self.ran |= new
        return [operation for operation in graph.get_operations() if operation.name in new]


class Called(NamedTuple):
    """One as a session is asked for it."""

    signature: Signature
    feeds: tuple[Any, ...]
    """What is fed, in the order of the names."""


class SessionSignatures:
    """Those of one session."""

    def __init__(self) -> None:
        self._parts: OrderedDict[Any, Parts] = OrderedDict()
        self._lock = threading.Lock()
        self._known: OrderedDict[Wanted, Signature] = OrderedDict()
        self._called: dict[tuple[Any, ...], Called] = {}

    def of(self, wanted: Wanted) -> Signature:
        """The one that was asked for so."""
        with self._lock:
            signature = self._known.get(wanted)
            if signature is None:
                signature = self._known[wanted] = Signature(wanted)
                if len(self._known) > SIGNATURES_LIMIT:
                    self._known.popitem(last=False)
            self._known.move_to_end(wanted)
            return signature

    def called(
        self,
        version: int,
        feeds: Collection[Any],
        fetches: Sequence[Any],
        targets: Sequence[Any],
        name: Callable[[Any], str],
    ) -> Called:
        """The one that was asked for by TensorFlow's own objects, which a tensor has but one of each."""
        # Each run pays for this, and a debugger for each call in it: hence no generators.
        key = (version, *fetches, None, *targets, None, *feeds)
        called = self._called.get(key)
        if called is None:
            fed = sorted((f"{name(item.oper)}:{item.index}", at) for at, item in enumerate(feeds))
            fetched = tuple(f"{name(item.oper)}:{item.index}" for item in fetches)
            names = tuple(text for text, _ in fed)
            wanted = Wanted(version, fetched, tuple(map(name, targets)), names)
            there = list(feeds)
            called = Called(self.of(wanted), tuple(there[at] for _, at in fed))
            if len(self._called) >= SIGNATURES_LIMIT:
                self._called.clear()
            self._called[key] = called
        return called

    def parts(self, handle: Any) -> Parts:
        """Of the partial run that a handle names."""
        with self._lock:
            parts = self._parts.setdefault(handle, Parts())
            if len(self._parts) > SIGNATURES_LIMIT:
                self._parts.popitem(last=False)
            return parts


class Signatures:
    """Those of every session that is alive."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sessions: weakref.WeakKeyDictionary[Any, SessionSignatures] = (
            weakref.WeakKeyDictionary()
        )

    def of(self, session: Any) -> SessionSignatures:
        """Those of one."""
        with self._lock:
            known = self._sessions.get(session)
            if known is None:
                known = self._sessions[session] = SessionSignatures()
            return known
