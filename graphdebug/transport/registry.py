"""The sessions of this user that run on this machine, each a file in a private directory.

The directory is ``$XDG_RUNTIME_DIR/graphdebug`` or, without one, a directory of the user's own among
the temporary files. It is used only where it belongs to this user and nobody else may enter it.
What a process that was killed left there is removed by whoever looks next.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import re
import stat
import tempfile
from collections.abc import Iterator
from typing import TypeVar

from graphdebug.protocol.doors import Door
from graphdebug.protocol.observers import RunningSession
from graphdebug.protocol.wire import WireError, from_wire, to_wire
from graphdebug.transport.processes import lives

_NAME = re.compile(r"(\d+)-\d+\.\w+")
_ENDINGS: dict[type, str] = {RunningSession: ".json", Door: ".door"}
_numbers = itertools.count()

T = TypeVar("T", RunningSession, Door)


class RegistryError(OSError):
    """There is no directory that this user alone may enter; says which was tried and why not."""


class Place:
    """Names for one session's file and socket, in the registry's directory."""

    def __init__(self) -> None:
        """Raises RegistryError."""
        directory = private_directory()
        with contextlib.suppress(OSError):
            _living(directory, "")
        stem = os.path.join(directory, f"{os.getpid()}-{next(_numbers)}")
        self.socket = f"{stem}.socket"
        self._stem = stem

    def publish(self, found: RunningSession | Door) -> None:
        """Let the session, or the door, be found. Raises OSError."""
        draft = f"{self._stem}.draft"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(draft)  # of a process of the same number that was killed
        with open(os.open(draft, flags, 0o600), "w", encoding="utf-8") as file:
            json.dump(to_wire(found), file)
        os.replace(draft, self._stem + _ENDINGS[type(found)])

    def remove(self) -> None:
        """Let it be found no more, and remove its socket."""
        for path in (self.socket, *(self._stem + ending for ending in _ENDINGS.values())):
            with contextlib.suppress(OSError):
                os.unlink(path)


def running() -> list[RunningSession]:
    """The sessions that run, the newest last; never raises."""
    return sorted(_all(RunningSession), key=lambda session: session.started)


def doors() -> list[Door]:
    """The Jupyter servers that kernels can join; never raises."""
    return _all(Door)


def _all(kind: type[T]) -> list[T]:
    found: list[T] = []
    for directory in _candidates():
        with contextlib.suppress(OSError):
            _check(directory)
            found += [item for name in _living(directory, _ENDINGS[kind])
                      if (item := _read(os.path.join(directory, name), kind))]  # fmt: skip
    return found


def _candidates() -> Iterator[str]:
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    if os.path.isabs(runtime):
        yield os.path.join(runtime, "graphdebug")
    if os.name == "posix":
        yield os.path.join(tempfile.gettempdir(), f"graphdebug-{os.geteuid()}")
    else:
        yield os.path.join(os.environ.get("LOCALAPPDATA") or tempfile.gettempdir(), "graphdebug")


def private_directory() -> str:
    """The first of the directories that can be used; it is made where it isn't there."""
    problems = []
    for path in _candidates():
        try:
            with contextlib.suppress(FileExistsError):
                os.mkdir(path, 0o700)
            _check(path)
        except OSError as error:
            problems.append(str(error))
        else:
            return path
    raise RegistryError("; ".join(problems))


def _check(path: str) -> None:
    """Raises OSError unless ``path`` is a directory that this user alone may enter."""
    found = os.lstat(path)
    if not stat.S_ISDIR(found.st_mode):
        raise RegistryError(f"{path} is not a directory")
    if os.name != "posix":
        return
    if found.st_uid != os.geteuid():
        raise RegistryError(f"{path} belongs to another user")
    if found.st_mode & 0o077:
        raise RegistryError(f"{path} is open to other users: chmod 700 {path}")


def _living(directory: str, ending: str) -> list[str]:
    """The files of living processes with that ending; what dead ones left is removed."""
    names = []
    for name in os.listdir(directory):
        match = _NAME.fullmatch(name)
        if match is None:
            continue
        if not lives(int(match[1])):
            with contextlib.suppress(OSError):
                os.unlink(os.path.join(directory, name))
        elif name.endswith(ending):
            names.append(name)
    return names


def _read(path: str, kind: type[T]) -> T | None:
    """None for a file that is gone, isn't such a one, or that another user could have written."""
    try:
        return from_wire(kind, json.loads(private_file(path)))
    except (OSError, ValueError, WireError):
        return None


def private_file(path: str) -> bytes:
    """What a file of this user's alone holds. Raises RegistryError for another's, and OSError."""
    with open(os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0)), "rb") as file:
        found = os.fstat(file.fileno())
        if os.name == "posix" and (found.st_uid != os.geteuid() or found.st_mode & 0o077):
            raise RegistryError(f"{path} is open to other users: chmod 600 {path}")
        return file.read()
