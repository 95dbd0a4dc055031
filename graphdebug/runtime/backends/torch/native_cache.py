"""Where the native observer lies once it is built, and how it is built.

It lies in the user's cache directory, which nobody else may write to, named by all that it depends on:
its source, torch, Python and the compiler, and by its own digest, so that a broken file is no library.
"""

from __future__ import annotations

import contextlib
import glob
import hashlib
import os
import platform
import shutil
import stat
import subprocess
import sys
import sysconfig
import time
from collections.abc import Iterator

import torch

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCE = os.path.join(HERE, "native.cpp")
_PARTS = ("numbers", "operations", "passes", "quiet", "updates")
PARTS = (SOURCE, *(os.path.join(HERE, f"native_{part}.h") for part in _PARTS))
"""All that the library is made of."""

PYTHONS = range(0x030A, 0x030E)
"""Versions of Python that the source was written for."""

RETRY_SECONDS = 24 * 3600
"""How long a build that failed isn't tried again."""

_LEFT_OUT = ("GRAPHDEBUG", "PYTHONPATH", "PYTHONHOME", "LD_PRELOAD")
"""Variables that the build doesn't get: they carry debuggers into processes."""


class Unavailable(Exception):
    """There is no native observer here; the message says why."""


class Cache:
    """The place of the library for this torch, this Python and this compiler."""

    def __init__(self) -> None:
        """Raises Unavailable."""
        if sys.platform != "linux" or sys.implementation.name != "cpython":
            raise Unavailable(
                f"it is written for CPython on Linux, not {sys.implementation.name} on {sys.platform}"
            )
        if sys.hexversion >> 16 not in PYTHONS:
            raise Unavailable(f"it is not written for Python {platform.python_version()}")
        self._compiler = _compiler()
        self.directory = _directory()
        self.stem = f"native-{self._key()}"

    def library(self) -> str | None:
        """The library; None where it isn't there. One that is broken is removed."""
        pattern = os.path.join(glob.escape(self.directory), f"{self.stem}-*.so")
        for path in glob.glob(pattern):
            with contextlib.suppress(OSError):
                with open(path, "rb") as file:
                    digest = hashlib.sha256(file.read()).hexdigest()
                if path.endswith(f"-{digest[:32]}.so"):
                    return path
                self.discard(path)
        return None

    def discard(self, path: str) -> None:
        """Remove a library that can't be used."""
        with contextlib.suppress(OSError):
            os.unlink(path)

    def failure(self) -> str | None:
        """Why it couldn't be built, if that was tried a short while ago."""
        path = os.path.join(self.directory, f"{self.stem}.failed")
        try:
            if time.time() - os.stat(path).st_mtime > RETRY_SECONDS:
                return None
            with open(path, encoding="utf-8") as file:
                lines = file.read().splitlines()
        except OSError:
            return None
        told = next((line for line in lines if "error" in line), lines[0] if lines else "")
        return f"the compiler failed: {told[:300]} (all of it: {path})"

    def build(self, quietly: bool = True) -> None:
        """Build it, and wait until that is over; the build goes on where this process ends before.

        ``quietly``: at the lowest priority.

        No Python of ours runs in it, and it is no child of the program's, which may wait for all of
        its children.
        """
        if self._compiler is None:
            raise Unavailable("there is no C++ compiler (c++, g++ or clang++, or what CXX names)")
        if not os.path.exists(os.path.join(_python_headers(), "Python.h")):
            raise Unavailable(f"Python's headers (python3-dev) aren't in {_python_headers()}")
        command = [
            *(["nice", "-n", "19"] if quietly else []),
            sys.executable, "-I", "-S", os.path.join(HERE, "native_build.py"), self.directory,
            self.stem, *self._command(),
        ]  # fmt: skip
        environment = {key: value for key, value in os.environ.items() if key not in _LEFT_OUT}
        reading, writing = os.pipe()
        try:
            with contextlib.closing(os.fdopen(reading, "rb")) as over:
                try:
                    subprocess.run(
                        ["/bin/sh", "-c", '"$@" &', "sh", *command],
                        env=environment, pass_fds=[writing], start_new_session=True, cwd="/",
                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                    )  # fmt: skip
                finally:
                    os.close(writing)
                over.read()  # ends when the last process that could write has ended
        except OSError as error:
            raise Unavailable(f"it can't be built: {error}") from None

    def _command(self) -> Iterator[str]:
        assert self._compiler is not None
        home = os.path.dirname(os.path.abspath(torch.__file__))
        yield from (self._compiler, "-O3", "-DNDEBUG", "-std=c++20", "-shared", "-fPIC")
        yield "-fvisibility=hidden"
        yield f"-D_GLIBCXX_USE_CXX11_ABI={int(torch._C._GLIBCXX_USE_CXX11_ABI)}"
        for path in ("include", "include/torch/csrc/api/include"):
            yield from ("-isystem", os.path.join(home, path))
        yield from ("-isystem", _python_headers(), SOURCE)
        yield from (f"-L{os.path.join(home, 'lib')}", "-ltorch_python", "-ltorch_cpu", "-lc10")

    def _key(self) -> str:
        parts = []
        for path in PARTS:
            with open(path, "rb") as file:
                parts.append(hashlib.sha256(file.read()).hexdigest())
        git = getattr(getattr(torch, "version", None), "git_version", "")
        core = os.stat(torch._C.__file__)
        parts += [str(torch.__version__), str(git), str(core.st_size), str(core.st_mtime_ns)]
        parts += [sys.version, sys.implementation.cache_tag or "", platform.machine()]
        if self._compiler is not None:
            found = os.stat(os.path.realpath(self._compiler))
            parts += [self._compiler, str(found.st_size), str(found.st_mtime_ns)]
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]


def _compiler() -> str | None:
    for name in (os.environ.get("CXX"), "c++", "g++", "clang++"):
        found = shutil.which(name) if name else None
        if found is not None:
            return found
    return None


def _python_headers() -> str:
    return sysconfig.get_paths()["include"]


def _directory() -> str:
    """The user's cache directory, made where it isn't there. Raises Unavailable."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    if not os.path.isabs(base):
        base = os.path.expanduser("~/.cache")
    path = os.path.join(base, "graphdebug")
    try:
        os.makedirs(base, exist_ok=True)
        with contextlib.suppress(FileExistsError):
            os.mkdir(path, 0o700)
        found = os.lstat(path)
    except OSError as error:
        raise Unavailable(f"its cache can't be used: {error}") from None
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        raise Unavailable(f"its cache can't be used: {path} is no directory of this user's")
    if found.st_mode & 0o077:
        raise Unavailable(
            f"its cache can't be used: {path} is open to other users: chmod 700 {path}"
        )
    return path
