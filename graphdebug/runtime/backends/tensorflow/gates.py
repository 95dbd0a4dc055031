"""Where a running graph asks, at each execution of a watched node, whether it may go on.

TensorFlow's own debugger does the asking: a watch with ``gated_grpc`` sends the node's output over
gRPC and holds the node's consumers until an answer comes. A gate is the server at the other end. It
is a unix socket in a directory that only this user can enter, and both are gone as soon as TensorFlow
has come in: neither another user nor another machine reaches it, and a process that is killed leaves
nothing behind. Where the system has no such sockets there are no gates.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import tempfile
import threading
from collections.abc import Callable, Collection, Iterable, Iterator
from concurrent.futures import Future
from typing import Any, NamedTuple, Protocol

from graphdebug.runtime.backends.tensorflow.watches import Slot
from graphdebug.runtime.untraced import untraced_thread

_OPERATION = "DebugIdentity"
_WATCH = f"{_OPERATION}(gated_grpc=True)"
_ADDRESS_LIMIT = 100
"""Bytes that a unix socket's path may have, with some to spare."""


class NoGate(Exception):
    """Graphs can't be held here; the message says why."""


class Answer(NamedTuple):
    """What a node that asked is told; it goes on with it."""

    opened: Collection[Slot] = ()
    """Outputs that ask from now on."""
    shut: bool = False
    """Whether this output asks no more."""


class Keeper(Protocol):
    """Who decides at a gate. Neither method may raise; both are called on the gate's thread."""

    def begin(self) -> Collection[Slot]:
        """A run begins: the outputs that ask at first."""

    def ask(self, slot: Slot, tensor: Any) -> Answer:
        """An output, as a TensorProto, of a node that waits until this returns."""


class Gate:
    """One address, for one run at a time, since TensorFlow keeps one stream for each address.

    TensorFlow also keeps, for each address and output, whether it asks, and changes that only as it
    reads an answer. It looks at that once before it sends and once more after, without a lock between,
    so an output may be told to ask at any time, but to ask no more only in the answer to itself: else
    it might wait for an answer that nobody owes it. For the same reason each question gets exactly one.
    """

    def __init__(self, directory: str) -> None:
        """``directory`` is made for each run, and must not be there."""
        self._directory = directory
        self._path = os.path.join(directory, "gate")
        self._server: Any = None
        self._asking: set[Slot] = set()
        self.url = "grpc://unix:" + self._path.replace("/", "%2F")
        """For ``debug_urls``. (TensorFlow takes what follows a slash for something else.)"""

    def add_to(self, options: Any, slots: Iterable[Slot]) -> None:
        """Watch outputs in a run with these RunOptions, beside what is watched there already."""
        watches = options.debug_options.debug_tensor_watch_opts
        known = {(watch.node_name, watch.output_slot): watch for watch in watches}
        for name, slot in sorted(slots):
            watch = known.get((name, slot))
            if watch is None:
                watch = watches.add(node_name=name, output_slot=slot)
                watch.tolerate_debug_op_creation_failures = True
            watch.debug_ops[:] = [_WATCH]
            watch.debug_urls.append(self.url)

    def open(self, keeper: Keeper, slots: Collection[Slot]) -> None:
        """Answer what a run with these watches asks. Raises NoGate where that can't be done."""

        def answers(requests: Iterable[Any], context: Any) -> Iterator[Any]:
            return _Stream(keeper, slots, self._asking, self._vanish).answers(requests)

        server = _server(answers)
        try:
            os.mkdir(self._directory, 0o700)
            server.add_insecure_port(f"unix:{self._path}")
            _start(server)
            _reach(self._path)
        except (OSError, RuntimeError) as error:
            server.stop(0).wait()
            self._vanish()
            raise NoGate(f"gRPC can't serve at {self._path} ({error})") from error
        self._server = server

    def close(self) -> None:
        """The run is over."""
        server, self._server = self._server, None
        if server is not None:
            server.stop(0).wait()
            self._vanish()

    def _vanish(self) -> None:
        """Who is in is in, and nobody else comes."""
        with contextlib.suppress(OSError):
            os.unlink(self._path)
        with contextlib.suppress(OSError):
            os.rmdir(self._directory)


class Gates:
    """The gates of this process, each used by one run at a time; any thread may borrow."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._free: list[Gate] = []
        self._process = os.getpid()

    def borrow(self) -> Gate:
        """A free gate, the one given back last first: TensorFlow makes an executor for each.

        Raises NoGate where there can be none.
        """
        with self._lock:
            if self._process != os.getpid():  # a fork: TensorFlow's streams belong to its parent
                self._process = os.getpid()
                self._free.clear()
            return self._free.pop() if self._free else Gate(_directory())

    def give_back(self, gate: Gate) -> None:
        """Its run is over."""
        with self._lock:
            self._free.append(gate)


def _directory() -> str:
    """A name for a directory that isn't there."""
    if not hasattr(socket, "AF_UNIX") or os.name != "posix":
        raise NoGate("this system has no unix sockets, and others would reach a port")
    try:
        import grpc  # noqa: F401

        name = tempfile.mkdtemp(prefix="graphdebug-")
        os.rmdir(name)
        if len(os.fsencode(name)) > _ADDRESS_LIMIT:
            name = tempfile.mkdtemp(prefix="graphdebug-", dir="/tmp")
            os.rmdir(name)
    except ImportError as error:
        raise NoGate(f"gRPC for Python is not installed ({error})") from error
    except OSError as error:
        raise NoGate(f"there is no place for a socket ({error})") from error
    return name


class _Stream:
    """One run's questions, in the order in which they come.

    ``asking`` are the outputs that ask, as TensorFlow has them for this address.
    """

    def __init__(
        self,
        keeper: Keeper,
        slots: Collection[Slot],
        asking: set[Slot],
        entered: Callable[[], None],
    ) -> None:
        self._keeper = keeper
        self._entered = entered
        self._slots = frozenset(slots)
        self._asking = asking
        self._parts: dict[Any, list[Any]] = {}

    def answers(self, requests: Iterable[Any]) -> Iterator[Any]:
        """An answer to each; what a run begins with waits for one, too."""
        for position, event in enumerate(requests):
            if position == 0:
                self._entered()
            kind = event.WhichOneof("what")
            if kind == "summary":
                tensor = self._whole(event)
                if tensor is not None:
                    yield self._answer(_slot(event), tensor)
            elif kind == "graph_def":
                _, number, count, _ = event.graph_def.split(b"|", 3)
                if int(number) + 1 == int(count):
                    yield self._reply((), ())
            else:
                wanted = self._keeper.begin()
                yield self._reply(wanted, self._slots.difference(wanted))

    def _answer(self, slot: Slot, tensor: Any) -> Any:
        answer = self._keeper.ask(slot, tensor)
        return self._reply(answer.opened, [slot] if answer.shut else [])

    def _reply(self, opened: Iterable[Slot], shut: Iterable[Slot]) -> Any:
        """An answer, with changes only of what is otherwise now: TensorFlow logs others as errors."""
        opened = set(opened) - self._asking
        shut = self._asking.intersection(shut)
        self._asking |= opened
        self._asking -= shut
        return _reply({**dict.fromkeys(opened, True), **dict.fromkeys(shut, False)})

    def _whole(self, event: Any) -> Any | None:
        """The TensorProto, once all of its parts have come; they may come between those of others."""
        value = event.summary.value[0]
        about = json.loads(value.metadata.plugin_data.content or b"{}")
        count, number = about.get("numChunks", 1), about.get("chunkIndex", 0)
        if count <= 1:
            return value.tensor
        key = about.get("device"), value.node_name, event.wall_time
        parts = self._parts.setdefault(key, [None] * count)
        parts[number] = value.tensor
        if None in parts:
            return None
        del self._parts[key]
        whole = parts[0]
        whole.tensor_content = b"".join(part.tensor_content for part in parts)
        for part in parts[1:]:
            whole.string_val.extend(part.string_val)
        return whole


class _Threads:
    """What gRPC takes for its pool: a thread for each stream, which no debugger stops."""

    def submit(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Future[Any]:
        """Call it in a thread of its own."""
        future: Future[Any] = Future()

        def run() -> None:
            try:
                future.set_result(function(*args, **kwargs))
            except BaseException as error:
                future.set_exception(error)

        untraced_thread(run, "graphdebug gate").start()
        return future


def _server(answers: Callable[[Iterable[Any], Any], Iterator[Any]]) -> Any:
    import grpc
    from tensorflow.core.debug import debug_service_pb2
    from tensorflow.core.util import event_pb2

    server = grpc.server(_Threads(), options=[("grpc.max_receive_message_length", -1)])
    handler = grpc.stream_stream_rpc_method_handler(
        answers, event_pb2.Event.FromString, debug_service_pb2.EventReply.SerializeToString
    )
    service = grpc.method_handlers_generic_handler(
        "tensorflow.EventListener", {"SendEvents": handler}
    )
    server.add_generic_rpc_handlers([service])
    return server


def _start(server: Any) -> None:
    """Start a server; the one thread that gRPC makes for itself is no business of the debugger's."""
    before = set(threading.enumerate())
    server.start()
    for thread in set(threading.enumerate()) - before:
        if "_serve" in thread.name or "_serve" in repr(getattr(thread, "_target", "")):
            thread.pydev_do_not_trace = True  # type: ignore[attr-defined]
            thread.is_pydev_daemon_thread = True  # type: ignore[attr-defined]


def _reach(path: str) -> None:
    """Raises OSError where nobody serves: TensorFlow would wait for it for good."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.connect(path)


def _slot(event: Any) -> Slot:
    name, slot, _ = event.summary.value[0].node_name.rsplit(":", 2)
    return name, int(slot)


def _reply(states: dict[Slot, bool]) -> Any:
    from tensorflow.core.debug import debug_service_pb2

    reply = debug_service_pb2.EventReply()
    change = reply.DebugOpStateChange
    for (name, slot), asks in states.items():
        reply.debug_op_state_changes.add(
            state=change.READ_WRITE if asks else change.DISABLED,
            node_name=name,
            output_slot=slot,
            debug_op=_OPERATION,
        )
    return reply
