"""The runtime's end of the link to its observer."""

from __future__ import annotations

import contextlib
import queue
import socket
import threading
from collections.abc import Callable
from typing import Any

from graphdebug.protocol import runtime as messages
from graphdebug.protocol.wire import WireError, from_wire, to_wire
from graphdebug.runtime.untraced import untraced_thread
from graphdebug.transport.endpoint import connect
from graphdebug.transport.framing import FramingError, Parser, encode

QUEUE_LIMIT = 10_000
"""Messages that may wait to be sent; what comes beyond is counted and dropped."""

BATCH_SECONDS = 0.1
"""How long a message that nobody waits for waits for others."""

CONNECT_SECONDS = 2.0
CONFIGURE_SECONDS = 5.0
READER_SECONDS = 2.0
"""How long the end of the link waits for a request that is being handled."""

_URGENT = (
    dict,
    type(None),
    messages.HelloEvent,
    messages.BackendEvent,
    messages.RankEvent,
    messages.BoundaryEvent,
    messages.NodeStopEvent,
    messages.LogEvent,
    messages.PublishedEvent,
)
"""Messages that somebody waits for; answers to requests are dictionaries."""

_NAMES = {cls: name for name, cls in messages.EVENTS.items()}

Handler = Callable[[Any], None]


class Link:
    """Sends events and answers requests.

    Owns two threads, one that reads and one that encodes and writes; neither is traced nor suspended
    by a debugger. ``send`` may be called from any thread, under any lock, and never blocks.
    ``handlers`` run on the reading thread, as does ``on_close`` when the observer has gone; neither
    runs once ``close`` has returned.
    """

    def __init__(self, invitation: messages.Invitation, handlers: dict[str, Handler]) -> None:
        self._socket = reach(invitation, CONNECT_SECONDS)
        self._writing = threading.Lock()
        self._handlers = handlers
        self._queue: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._dropped = 0
        self._urgent = threading.Event()
        self._configured = threading.Event()
        self.closed = threading.Event()
        self.told = False
        """Whether nothing was sent since the observer last asked for all there is, by ``flush``."""
        self._ends = False
        self._reader = untraced_thread(self._read, "graphdebug reader")
        self.on_close: Callable[[], None] = lambda: None

    def start(self, hello: messages.HelloEvent) -> None:
        """Introduce this process, and wait until the observer has configured it or has gone.

        Waiting here is what makes breakpoints known before the first graph runs.
        """
        self.send(hello)
        self._reader.start()
        untraced_thread(self._write, "graphdebug writer").start()
        self._configured.wait(CONFIGURE_SECONDS)

    def move(self, invitation: messages.Invitation, *introduction: object) -> None:
        """Go over to another observer, who is sent these events first. Raises OSError, EndpointError."""
        there = reach(invitation, CONNECT_SECONDS)
        there.sendall(b"".join(map(_frame, introduction)))
        with self._writing:
            before, self._socket = self._socket, there
        _hang_up(before if not self.closed.is_set() else there)

    @property
    def dropped(self) -> int:
        """Messages dropped so far."""
        return self._dropped

    def send(self, event: object, droppable: bool = False) -> bool:
        """Queue an event; False where there was no room for a droppable one.

        A function is called by the thread that writes, and returns the event as it is by then.
        """
        if self.closed.is_set():
            return False
        if droppable and self._queue.qsize() >= QUEUE_LIMIT:
            self._dropped += 1
            return False
        self._queue.put(event)
        self.told = False  # after that: what comes between counts twice, not never
        if isinstance(event, _URGENT):
            self._urgent.set()
        return True

    def heard(self) -> None:
        """The observer asks for all that was sent; it has that when it has the answer."""
        self.told = True

    def close(self, flush_seconds: float = 0.0) -> None:
        """End the connection, after sending what waits if that takes no longer than this.

        Called when the program ends. A thread that was in a framework's C++ by the time the interpreter
        is gone, and comes back to it, takes the process down (the thread is unwound through a
        destructor): so no request is handled any more once this has returned.
        """
        self._ends = True
        self._queue.put(None)
        self._urgent.set()
        self.closed.wait(flush_seconds)
        self._shut()
        self._reader.join(READER_SECONDS)

    def abandon(self) -> None:
        """Let go of the connection in a fork, where it belongs to the parent."""
        self.closed.set()
        self._socket.close()

    def _shut(self) -> None:
        self.closed.set()
        self._configured.set()
        _hang_up(self._socket)

    def _write(self) -> None:
        dropped, more, flowing = 0, True, False
        try:
            while more:
                batch, more = self._batch(flowing)
                if dropped != self._dropped and self._queue.qsize() < QUEUE_LIMIT // 2:
                    dropped = self._dropped
                    batch.append(messages.DroppedEvent(dropped))
                if flowing := bool(batch):
                    with self._writing:
                        self._socket.sendall(b"".join(map(_frame, batch)))
                del batch  # or it would live until the next message comes
        except OSError:
            pass  # the observer has gone; the program goes on
        finally:
            self._shut()

    def _batch(self, flowing: bool) -> tuple[list[Any], bool]:
        """What waits to be sent, and whether there may be more after it.

        Each time this thread wakes it takes the interpreter from the program's; so it wakes rarely,
        unless somebody waits for what is sent: while messages are ``flowing``, not for each first one.
        """
        batch = [] if flowing else [self._queue.get()]
        if not (batch and isinstance(batch[0], _URGENT)):
            self._urgent.wait(BATCH_SECONDS)
        self._urgent.clear()
        while len(batch) < QUEUE_LIMIT and not self._queue.empty():
            batch.append(self._queue.get())
        more = None not in batch
        events = [event() if callable(event) else event for event in batch if event is not None]
        return events, more

    def _read(self) -> None:
        read = None
        while read is not self._socket:  # else it moved
            read = self._socket
            with contextlib.suppress(OSError, FramingError):  # the observer has gone
                self._read_from(read)
        self.closed.set()
        self._queue.put(None)
        self._urgent.set()
        if not self._ends:
            self.on_close()

    def _read_from(self, observer: socket.socket) -> None:
        parser = Parser()
        while data := observer.recv(65536):
            parser.feed(data)
            while not self._ends and (message := parser.next()) is not None:
                self._answer(message)

    def _answer(self, request: dict[str, Any]) -> None:
        command = str(request.get("command"))
        response = {
            "type": "response",
            "request_seq": request.get("seq", 0),
            "command": command,
            "success": True,
        }
        try:
            arguments: Any = from_wire(messages.REQUESTS[command], request.get("arguments", {}))
            self._handlers[command](arguments)
        except (KeyError, WireError) as error:
            response.update(success=False, message=f"{command}: {error}")
        self._queue.put(response)
        self._urgent.set()
        if command == "configure":
            self._configured.set()


class NoLink(Link):
    """Where nobody observes: nothing is sent, and who would wait for an answer gets it at once."""

    def __init__(self, invitation: messages.Invitation, handlers: dict[str, Handler]) -> None:
        self._handlers = handlers
        self._dropped = 0
        self.told = False
        self.closed = threading.Event()
        self.on_close = lambda: None

    def start(self, hello: messages.HelloEvent) -> None:
        """There is nobody to say it to."""

    def send(self, event: object, droppable: bool = False) -> bool:
        """A thread that asks whether it may stop may."""
        if isinstance(event, messages.BoundaryEvent):
            self._handlers["resume"](messages.ResumeArguments(event.boundary, True))
        elif isinstance(event, messages.NodeStopEvent):
            self._handlers["nodeStop"](messages.NodeStopArguments(event.stop, "stop"))
        return True

    def close(self, flush_seconds: float = 0.0) -> None:
        """Nothing waits."""
        self.closed.set()

    def abandon(self) -> None:
        """Nobody has it."""
        self.closed.set()


def reach(invitation: messages.Invitation, seconds: float) -> socket.socket:
    """A connection to the observer, from its own machine or another. Raises OSError, EndpointError."""
    try:
        return connect(invitation.endpoint, seconds, invitation.fingerprint)
    except OSError:
        if not invitation.elsewhere:
            raise
        return connect(invitation.elsewhere, seconds, invitation.fingerprint)


def _hang_up(sock: socket.socket) -> None:
    with contextlib.suppress(OSError):  # the other side was first
        sock.shutdown(socket.SHUT_RDWR)
    sock.close()


def _frame(event: Any) -> bytes:
    if isinstance(event, dict):
        return encode(event)
    return encode({"type": "event", "event": _NAMES[type(event)], "body": to_wire(event)})
