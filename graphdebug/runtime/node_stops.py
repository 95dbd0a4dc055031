"""Stops at nodes, while the graph or the pass that they are part of runs."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from graphdebug.protocol.model import Source
from graphdebug.protocol.runtime import NodeStopArguments, NodeStopEvent, NodeStopReason
from graphdebug.runtime import debugger

Move = Literal["", "step", "out"]
"""What the user does at a stop: goes on, steps to the next node, or steps out to the caller."""


@dataclass
class _Stop:
    known: threading.Event = field(default_factory=threading.Event)
    stops: bool = False
    move: Move = ""


class NodeStops:
    """Announces a stop to the observer, waits until it knows, and stops.

    One thread stops at a time, since a debugger tells its client of one only; the others wait for
    ``_turn``. ``answer`` and ``release`` are called on the link's thread.
    """

    def __init__(self, send: Callable[[NodeStopEvent], bool]) -> None:
        self._send = send
        self._numbers = itertools.count()
        self._turn = threading.RLock()
        self._stops: dict[int, _Stop] = {}
        self._standing: dict[int, int] = {}
        self._closed = False

    def stop(
        self,
        reason: NodeStopReason,
        frame: Source,
        step: int,
        text: str,
        show: Callable[[], None],
        *,
        inside: bool = True,
        title: str = "Graph node",
        hit: tuple[int, ...] = (),
        filter: str | None = None,
    ) -> Move:
        """Stop at ``frame``, which ``show`` shows until the user goes on; what the user did then.

        ``inside``: there are nodes to step to. Where there are none, ``show`` may return before.
        ``title``, ``hit`` and ``filter`` are those of ``NodeStopEvent``.
        """
        with self._turn:
            if self._closed or not debugger.attached():
                return ""
            number, stop, thread = next(self._numbers), _Stop(), threading.get_ident()
            event = NodeStopEvent(number, reason, frame, step, text, inside, title, hit, filter)
            self._stops[number] = stop
            try:
                if self._send(event):
                    stop.known.wait()
                self._standing[thread] = number
                if stop.stops and not self._closed:
                    show()
            finally:
                if inside:  # else the thread stops when it is back in its own frame
                    self._standing.pop(thread, None)
                self._stops.pop(number, None)
            if inside and stop.stops and not stop.move:  # no adapter said it: Jupyter's has none
                stop.move = debugger.step()
            return stop.move

    def here(self) -> int | None:
        """The stop that the calling thread stands at; the adapter evaluates this."""
        return self._standing.get(threading.get_ident())

    def answer(self, arguments: NodeStopArguments) -> None:
        """The observer knows of a stop, or the user moves on from there."""
        stop = self._stops.get(arguments.stop)
        if stop is None:
            return
        if arguments.action == "stop":
            stop.stops = True
            stop.known.set()
        else:
            stop.move = arguments.action

    def open(self) -> None:
        """Somebody observes: threads may stop."""
        self._closed = False

    def release(self) -> None:
        """The observer has gone: nobody stops."""
        self._closed = True
        for stop in list(self._stops.values()):
            stop.move = ""
            stop.known.set()

    def settle(self, seconds: float) -> None:
        """Wait until no thread is between being told to stop and standing there."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            coming = [thread for thread in list(self._standing) if not debugger.suspended(thread)]
            if not coming or not self._stops:
                return
            time.sleep(0.002)
