"""A client of the Debug Adapter Protocol, for ``graphdebug demo`` and for the tests.

It blocks where an editor would call back: a request returns its answer, an event is waited for.
Standard library only.
"""

from __future__ import annotations

import contextlib
import socket
import subprocess
import threading
from collections.abc import Callable
from typing import IO, Any, Literal

from graphdebug.transport.framing import FramingError, Message, Parser, encode

Direction = Literal["sent", "received"]
Observer = Callable[[Direction, Message], None]
"""Sees every message as it passes, on the thread that carries it; must neither block nor raise."""
RequestHandler = Callable[[str, Message], "Message | None"]
"""Answers a request of the adapter, such as ``runInTerminal``: command and arguments to a body.

It is called on the reader thread, so it must not wait for the adapter. An exception that it raises
becomes the error that the adapter is sent.
"""

DEFAULT_TIMEOUT = 30.0
"""Seconds that an answer or an event is waited for where the caller names no other limit."""


class RequestFailed(Exception):
    """The adapter answered a request with ``success: false``; ``str()`` is its message."""

    def __init__(self, command: str, message: str, response: Message) -> None:
        super().__init__(message)
        self.command = command
        self.response = response


class Disconnected(ConnectionError):
    """The adapter is gone, so what was waited for can't come any more."""


class Pending:
    """The answer to a request that was sent, now or later."""

    def __init__(self, client: Client, seq: int, command: str) -> None:
        self._client = client
        self.seq = seq
        self.command = command
        self.response: Message | None = None
        """The whole response message, once it is there."""

    def wait(self, timeout: float | None = None) -> Message:
        """The answer's body. Raises RequestFailed, TimeoutError or Disconnected."""
        self._client.wait_until(
            lambda: self.response is not None, f"an answer to {self.command!r}", timeout
        )
        assert self.response is not None
        if not self.response.get("success"):
            raise RequestFailed(self.command, _error_text(self.response), self.response)
        body = self.response.get("body")
        return body if isinstance(body, dict) else {}


class Client:
    """One connection to an adapter.

    Threads: one reader thread, started here, reads messages, hands them to ``observe``, answers the
    adapter's own requests and wakes whoever waits. All other methods may be called from any other
    thread. ``_changed`` guards the events, the pending answers and the end of the stream;
    ``_writing`` keeps frames whole and ``seq`` in order.
    """

    def __init__(
        self,
        reader: IO[bytes],
        writer: IO[bytes],
        *,
        on_request: RequestHandler | None = None,
        observe: Observer | None = None,
        timeout: float = DEFAULT_TIMEOUT,
        hang_up: Callable[[], None] | None = None,
    ) -> None:
        """``hang_up`` ends the connection where closing ``writer`` doesn't, as with a socket."""
        self.timeout = timeout
        self._reader = reader
        self._writer = writer
        self._on_request = on_request
        self._observe = observe or (lambda direction, message: None)
        self._hang_up = hang_up
        self._changed = threading.Condition()
        self._writing = threading.Lock()
        self._seq = 0
        self._pending: dict[int, Pending] = {}
        self._events: list[Message] = []
        self._end: str | None = None
        self._thread = threading.Thread(target=self._read, name="graphdebug-dap", daemon=True)
        self._thread.start()

    @classmethod
    def of_process(cls, process: subprocess.Popen[bytes], **options: Any) -> Client:
        """A client on the standard input and output of an adapter process."""
        assert process.stdin is not None and process.stdout is not None
        return cls(process.stdout, process.stdin, **options)

    @classmethod
    def connect(cls, host: str, port: int, **options: Any) -> Client:
        """A client of an adapter that listens. Raises OSError where none does."""
        link = socket.create_connection((host, port))
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

        def hang_up() -> None:
            with contextlib.suppress(OSError):
                link.shutdown(socket.SHUT_RDWR)
            link.close()

        return cls(link.makefile("rb"), link.makefile("wb"), hang_up=hang_up, **options)

    def send(self, command: str, /, **arguments: Any) -> Pending:
        """Send a request and don't wait. Raises Disconnected if the adapter is gone."""
        message: Message = {"type": "request", "command": command}
        if arguments:
            message["arguments"] = arguments
        return self.send_message(message)

    def send_message(self, message: Message) -> Pending:
        """Send a request as it is; only ``seq`` is put in."""
        with self._writing:
            self._seq += 1
            pending = Pending(self, self._seq, str(message.get("command")))
            with self._changed:
                self._pending[pending.seq] = pending
            self._write({"seq": self._seq, **message})
        return pending

    def request(self, command: str, /, **arguments: Any) -> Message:
        """Send a request and return the body of its answer; see ``Pending.wait``."""
        return self.send(command, **arguments).wait()

    def wait_for_event(
        self,
        name: str,
        predicate: Callable[[Message], bool] | None = None,
        timeout: float | None = None,
    ) -> Message:
        """Take the oldest event ``name`` whose body passes ``predicate``, and return its body.

        An event is handed out once; those passed over stay for later calls.
        """
        found: list[Message] = []

        def take() -> bool:
            for at, event in enumerate(self._events):
                if event.get("event") == name:
                    body: Message = event.get("body") or {}
                    if predicate is None or predicate(body):
                        del self._events[at]
                        found.append(body)
                        return True
            return False

        self.wait_until(take, f"the event {name!r}", timeout)
        return found[0]

    def pending_events(self, name: str) -> list[Message]:
        """The bodies of the events ``name`` that nobody has taken yet."""
        with self._changed:
            return [event.get("body") or {} for event in self._events if event.get("event") == name]

    def take_events(self) -> list[Message]:
        """Take all events that nobody has taken yet, in order."""
        with self._changed:
            taken, self._events = self._events, []
            return taken

    def wait_until(
        self, condition: Callable[[], bool], what: str, timeout: float | None = None
    ) -> None:
        """Wait until ``condition()`` is true; it is asked again after each message.

        Raises TimeoutError, or Disconnected once the stream has ended without it.
        """
        limit = self.timeout if timeout is None else timeout
        met = False

        def over() -> bool:
            nonlocal met
            met = condition()  # asked once a turn: it may take an event out
            return met or self._end is not None

        with self._changed:
            self._changed.wait_for(over, limit)
            if met:
                return
            if self._end is not None:
                raise Disconnected(f"waited for {what}, but {self._end}")
            waiting = ", ".join(str(event.get("event")) for event in self._events) or "none"
            raise TimeoutError(f"waited {limit:g} s for {what}; events not taken: {waiting}")

    @property
    def ended(self) -> bool:
        """Whether the adapter has closed its end."""
        with self._changed:
            return self._end is not None

    def wait_for_end(self, timeout: float | None = None) -> bool:
        """Wait for the adapter to close its end; False if it didn't in time."""
        self._thread.join(self.timeout if timeout is None else timeout)
        return not self._thread.is_alive()

    def close_input(self) -> None:
        """Tell the adapter that no more requests come, and go on reading."""
        with self._writing, contextlib.suppress(OSError, ValueError):
            self._writer.close()

    def close(self, timeout: float = 5.0) -> bool:
        """End the connection; False if the adapter holds its end for longer than ``timeout`` s."""
        self.close_input()
        if self._hang_up is not None:
            self._hang_up()
        ended = self.wait_for_end(timeout)
        if ended:  # else the reader thread is inside a read, where a close would wait for it
            self._reader.close()
        return ended

    def _write(self, message: Message) -> None:
        self._observe("sent", message)
        try:
            self._writer.write(encode(message))
            self._writer.flush()
        except (OSError, ValueError) as error:
            if isinstance(error, ValueError) and not self._writer.closed:
                raise
            raise Disconnected(f"the adapter no longer reads: {error}") from None

    def _read(self) -> None:
        end = "the adapter closed the connection"
        parser = Parser()
        read: Callable[[int], bytes] = getattr(self._reader, "read1", self._reader.read)
        try:
            while data := read(65536):
                parser.feed(data)
                while (message := parser.next()) is not None:
                    self._take(message)
            if parser.partial:
                end += " in the middle of a message"
        except FramingError as error:
            end = f"the adapter sent something else than DAP: {error}"
        except (OSError, ValueError) as error:
            end = f"the connection to the adapter broke: {error}"
        finally:
            with self._changed:
                self._end = end
                self._changed.notify_all()

    def _take(self, message: Message) -> None:
        self._observe("received", message)
        kind = message.get("type")
        if kind == "request":
            self._answer(message)
        with self._changed:
            if kind == "event":
                self._events.append(message)
            elif kind == "response":
                pending = self._pending.pop(message.get("request_seq", 0), None)
                if pending is not None:
                    pending.response = message
            self._changed.notify_all()

    def _answer(self, request: Message) -> None:
        command = str(request.get("command"))
        answer = {"type": "response", "request_seq": request.get("seq"), "command": command}
        try:
            if self._on_request is None:
                raise NotImplementedError(f"{command!r} is not supported by this client")
            body = self._on_request(command, request.get("arguments") or {})
            answer |= {"success": True, "body": body or {}}
        except Exception as error:
            answer |= {"success": False, "message": str(error)}
        with self._writing, contextlib.suppress(Disconnected):
            self._seq += 1
            self._write({"seq": self._seq, **answer})


def _error_text(response: Message) -> str:
    """``message``, or the longer text of the error body where there is one."""
    body = response.get("body")
    error = body.get("error") if isinstance(body, dict) else None
    if isinstance(error, dict) and error.get("format"):
        text = str(error["format"])
        for name, value in (error.get("variables") or {}).items():
            text = text.replace("{" + name + "}", str(value))
        return text
    return str(response.get("message") or "the adapter gave no reason")
