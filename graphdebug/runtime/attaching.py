"""A process that clients come to and leave: debugpy is brought in and taken out as its hub asks."""

from __future__ import annotations

import socket
import sys
import threading
from collections.abc import Callable
from types import FrameType

from graphdebug.protocol import runtime as messages
from graphdebug.protocol.hub import DEBUGGEE, DebuggeeEvent
from graphdebug.protocol.wire import to_wire
from graphdebug.runtime.link import reach
from graphdebug.runtime.untraced import untraced_thread
from graphdebug.transport.framing import FramingError, Parser, encode

CONNECT_SECONDS = 10.0


class Attaching:
    """Brings debugpy in and takes it out, and holds a program that waits for its first client.

    ``debug``, ``undebug`` and ``go`` are called on the link's thread.
    """

    def __init__(self, invitation: messages.Invitation, send: Callable[[object], bool]) -> None:
        self.invitation = invitation
        """Where the hub is."""
        self._send = send
        self._one_at_a_time = threading.Lock()
        self._wanted: messages.DebugArguments | None = None
        self._came = threading.Event()

    def wait_for_client(self, seconds: float | None = None) -> None:
        """Until a client has come, or nobody can come any more."""
        self._came.wait(seconds)

    def expect(self) -> None:
        """``wait_for_client`` is to wait for the next ``go``, whatever came before."""
        self._came.clear()

    def wait_if_asked(self) -> None:
        """The same where the invitation asks for it, just before the program's first line.

        Not now: this thread is importing ``site``, and to bring debugpy in another one would, too.
        """
        if self.invitation.wait:
            sys.setprofile(self._wait_at_main)

    def _wait_at_main(self, frame: FrameType, event: str, argument: object) -> None:
        begins = event == "call" and frame.f_code.co_name == "<module>"
        if begins and frame.f_globals.get("__name__") == "__main__":
            sys.setprofile(None)
            self.wait_for_client()

    def go(self) -> None:
        """A client has come; answered once debugpy sees all threads."""
        with self._one_at_a_time:
            self._came.set()

    def debug(self, arguments: messages.DebugArguments) -> None:
        """Bring debugpy in, on a thread of its own: it takes a while."""
        self._wanted = arguments
        untraced_thread(lambda: self._bring_in(arguments), "graphdebug attach").start()

    def undebug(self) -> None:
        """Take it out; where it is still on its way in, it is taken out once it is there."""
        self._wanted = None
        if self._one_at_a_time.acquire(blocking=False):
            try:
                self._take_out()
            finally:
                self._one_at_a_time.release()

    def _bring_in(self, arguments: messages.DebugArguments) -> None:
        from graphdebug.runtime import attachment

        with self._one_at_a_time:
            try:
                link = self._connect(arguments.key)
                attachment.bring_in(link, arguments.ours, arguments.theirs, self.invitation.debugpy)
            except Exception as error:
                text = f"debugpy can't be brought in: {type(error).__name__}: {error}"
                self._send(messages.UndebuggedEvent(arguments.key, text))
            if self._wanted is not arguments:
                self._take_out()

    def _take_out(self) -> None:
        from graphdebug.runtime import attachment

        attachment.take_out()

    def _connect(self, key: str) -> socket.socket:
        """A connection to the hub that is debugpy's from now on. Raises OSError."""
        link = reach(self.invitation, CONNECT_SECONDS)
        try:
            event = DebuggeeEvent(self.invitation.token, key)
            link.sendall(encode({"type": "event", "event": DEBUGGEE, "body": to_wire(event)}))
            _read_answer(link)
        except BaseException:
            link.close()
            raise
        return link


def _read_answer(link: socket.socket) -> None:
    """Read one message and no byte more: debugpy's adapter speaks next, to debugpy."""
    parser = Parser()
    try:
        while parser.next() is None:
            data = link.recv(1)
            if not data:
                raise ConnectionError("the observer closed the connection")
            parser.feed(data)
    except FramingError as error:
        raise ConnectionError(str(error)) from None
