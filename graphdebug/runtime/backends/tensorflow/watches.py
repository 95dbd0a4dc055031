"""Values of chosen nodes, in every execution, written by TensorFlow's own debugger.

The debugger copies a node's output on its way to its consumers and writes each copy to a file.
Nothing else about the run changes: the graph is optimised before, and kernels with a state are
shared with runs without watches.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import threading
import time
from collections.abc import Collection, Iterable, Iterator
from typing import Any

VALUES = "DebugIdentity"
"""The operation that writes an output as it is."""

NUMBERS = "DebugNumericSummary"
"""The one that writes how many NaN and Inf an output holds, where it holds any."""

_DUMP = re.compile(rf"(.+)_(\d+)_(?:{VALUES}|{NUMBERS})_(\d+)(-\d+)?")
"""What a value's file is called: its node without the scope, the output, and when."""

_MEMORY = "/dev/shm"
_ROOM = 4 << 30

RUNS_LIMIT = 8
"""Runs whose small files may lie there: to remove those of many at once takes less for each."""

Slot = tuple[str, int]
"""A node's name and the position of one of its outputs."""


class Dumps:
    """Temporary directories of this process, which are removed with it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._root: str | None = None
        self._process = 0
        self._count = 0

    def directory(self) -> str:
        """A new one."""
        with self._lock:
            if self._root is None or self._process != os.getpid():
                prefix = (
                    f"graphdebug-{os.getpid()}-"  # by which the adapter finds what is left of it
                )
                self._root = tempfile.mkdtemp(prefix=prefix, dir=_in_memory())
                self._process = os.getpid()
            self._count += 1
            return os.path.join(self._root, str(self._count))

    def remove(self) -> None:
        """Remove all of them, except where they belong to the parent of this process."""
        with self._lock:
            if self._root is not None and self._process == os.getpid():
                shutil.rmtree(self._root, ignore_errors=True)
            self._root = None


def _in_memory() -> str | None:
    """A file system in memory with room to spare; None where there is none.

    There values are written in two thirds of the time. (A write that fails would fail the run.)
    """
    try:
        enough = shutil.disk_usage(_MEMORY).free >= _ROOM
    except OSError:
        return None
    return _MEMORY if enough and os.access(_MEMORY, os.W_OK) else None


class Watch:
    """A set of outputs to watch in one run at a time.

    The executor that TensorFlow makes for it is used again as long as the directory stays the same.
    """

    def __init__(self, slots: Iterable[Slot], directory: str, operation: str = VALUES) -> None:
        """``operation``: what is written of each."""
        self._operation = operation if operation == VALUES else f"{NUMBERS}(mute_if_healthy=true)"
        self._directory = directory
        self._slots = sorted(slots)
        self._scopes = {"", *(name.rpartition("/")[0] for name, _ in self._slots)}
        self._asked: Any = None
        self._left: dict[Slot, list[tuple[int, str]]] | None = None
        self._thinned: dict[Slot, int] = {}
        self._began = 0
        self._waiting = 0
        """Runs before this one whose files are still there."""

    def begin(self) -> None:
        """A run is about to begin: what is there is of those before, by TensorFlow's own clock."""
        self._began = time.time_ns() // 1000

    def add_to(self, options: Any) -> None:
        """Ask for the values in a run with these RunOptions, which is about to begin."""
        self.begin()
        if self._asked is None:
            self._asked = type(options)()
            debug = self._asked.debug_options
            debug.reset_disk_byte_usage = True
            for name, slot in self._slots:
                debug.debug_tensor_watch_opts.add(
                    node_name=name,
                    output_slot=slot,
                    debug_ops=[self._operation],
                    debug_urls=[f"file://{self._directory}"],
                    tolerate_debug_op_creation_failures=True,
                )
        options.MergeFrom(self._asked)

    def values(self) -> dict[Slot, list[Value]]:
        """What a run left, in order of execution; asked when it is over."""
        found: dict[Slot, list[Value]] = {}
        self._left = self._files()
        for slot, files in self._left.items():
            first = self._thinned.get(slot)
            values = (Value(path, when) for when, path in files[:first])
            found[slot] = list(values) if first is None else First(values)
        return found

    def thin(self, spared: Collection[Slot], limit: int) -> None:
        """Where there are more values than ``limit``, keep but the first of each output.

        All of those of ``spared`` outputs stay.
        """
        found = self._files()
        if sum(map(len, found.values())) <= limit:
            return
        others = [slot for slot in found if slot not in spared]
        for slot in others:
            first = self._thinned.setdefault(slot, max(1, limit // len(others)))
            _remove(path for _, path in found[slot][first:])

    def _files(self) -> dict[Slot, list[tuple[int, str]]]:
        found: dict[Slot, list[tuple[int, str]]] = {}
        for scope, path in self._written():
            match = _DUMP.fullmatch(os.path.basename(path))
            if match and int(match[3]) >= self._began:
                node = f"{scope}/{match[1]}" if scope else match[1]
                found.setdefault((node, int(match[2])), []).append((int(match[3]), path))
        for files in found.values():
            files.sort()
        return found

    def clear(self, small: bool = False) -> None:
        """Remove the files of a run; their directories stay for the next one.

        ``small``: those that nobody asked for may wait for the ones of further runs.
        """
        self._thinned.clear()
        left, self._left = self._left, None
        if left is None and small and self._waiting + 1 < RUNS_LIMIT:
            self._waiting += 1
            return
        if self._waiting:
            left, self._waiting = None, 0
        # TensorFlow notes each run beside the devices' directories.
        _remove(
            f"{self._directory}/{name}" for name in _names(self._directory) if not _device(name)
        )
        if left is None:
            _remove(path for _, path in self._written())
            return
        for files in left.values():
            _remove(path for _, path in files)

    def _written(self) -> Iterator[tuple[str, str]]:
        """The files that a run left, each with the scope of its node.

        TensorFlow makes a directory for each device, and in it one for each scope.
        """
        for device in filter(_device, _names(self._directory)):
            for scope in self._scopes:
                directory = f"{self._directory}/{device}/{scope}".rstrip("/")
                for name in _names(directory):
                    if VALUES in name or NUMBERS in name:
                        yield scope, f"{directory}/{name}"


def _device(name: str) -> bool:
    """Whether it is what TensorFlow calls the directory of a device."""
    return name.startswith("_tfdbg_device_")


def _names(directory: str) -> list[str]:
    try:
        return os.listdir(directory)
    except OSError:
        return []  # nothing ran there


def _remove(paths: Iterable[str]) -> None:
    for path in paths:
        try:
            os.unlink(path)
        except OSError:  # a directory, of a scope that is called so, or somebody was faster
            pass


class First(list["Value"]):
    """The first values of an output that had more."""


class Value:
    """An output as a file; read when asked for."""

    def __init__(self, path: str, time: int) -> None:
        self.time = time
        """When it was there, in microseconds."""
        self._path = path
        self._data: bytes | None = None
        self._read = False
        self._array: Any = None

    @property
    def held(self) -> bool:
        """Whether it is there without its file."""
        return self._data is not None

    def hold(self) -> None:
        """Have it also when its file is gone."""
        if self._data is None:
            with open(self._path, "rb", 0) as file:
                self._data = file.read()

    def read(self) -> Any:
        """The NumPy array; None where it can't be read."""
        from tensorflow.core.util import event_pb2
        from tensorflow.python.framework import tensor_util

        if not self._read:
            held = self._data
            if held is None:
                with open(self._path, "rb") as file:
                    held = file.read()
            tensor = event_pb2.Event.FromString(held).summary.value[0].tensor
            if tensor.dtype:
                self._array = tensor_util.MakeNdarray(tensor)
            self._read = True
        return self._array


class Given(Value):
    """What was fed, or what was fetched: nobody has to write it."""

    def __init__(self, array: Any, time: int) -> None:
        super().__init__("", time)
        self._data, self._read, self._array = b"", True, array
