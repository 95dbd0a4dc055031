"""Process groups: which rank this process is, and how long the others wait for one that is held.

A collective that waits for a rank at a breakpoint would fail after the group's timeout, and a timeout
is set when the wait begins: it is too late to change it when the debugger stops somewhere. So all
groups wait ``LONG`` while a client is there, as ``torch.distributed.breakpoint`` has them do, and as
long as the program said again when it has left.
"""

from __future__ import annotations

import functools
import inspect
import sys
import weakref
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from graphdebug.runtime.backends import HookUnfit
from graphdebug.runtime.backends.torch.observer import TorchBackend
from graphdebug.runtime.backends.torch.patches import Patches, unmark

if TYPE_CHECKING:
    from graphdebug.runtime.runtime import Runtime

LONG = timedelta(days=1)
"""How long collectives wait while a client is there."""

_NEEDED = ("_world", "_get_default_store", "is_initialized", "get_rank", "get_world_size")


class Collectives:
    """The groups that the program has made, and the timeouts that it wants them to have.

    ``configure`` may be called on the link's thread, the hooks run on the program's.
    """

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._patches = Patches()
        self._own: weakref.WeakKeyDictionary[Any, dict[Any, timedelta]] = (
            weakref.WeakKeyDictionary()
        )
        self._store: timedelta | None = None
        self._c10d: Any = None
        self._extended = False

    def install(self) -> None:
        """Hook what makes groups, where torch can make some. Raises HookUnfit."""
        c10d: Any = sys.modules.get("torch.distributed.distributed_c10d")
        if c10d is None:
            return
        for name in _NEEDED:
            if not hasattr(c10d, name):
                raise HookUnfit(f"torch.distributed.distributed_c10d has no {name}")
        for owner in (c10d, sys.modules["torch.distributed"]):
            self._patches.replace(
                owner, "init_process_group", ("backend", "init_method", "timeout"), self._waiting
            )
        self._patches.replace(c10d, "_new_group_with_tag", ("ranks", "timeout"), self._waiting)
        self._c10d = c10d

    def remove(self) -> None:
        """Take the hooks out, and give the groups their own timeouts again."""
        self._patches.restore()
        self._restore()

    def configure(self) -> None:
        """A client came or left."""
        runtime = self._runtime
        wanted = runtime.debugged and runtime.configuration.collective_timeout == "extend"
        if wanted:
            self._extended = True
            self._extend(None)
        elif self._extended:
            self._restore()

    def _waiting(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """A function that makes a group, at which ranks meet, each waiting for the others."""
        signature = inspect.signature(original)

        @functools.wraps(original)
        def make(*args: Any, **kwargs: Any) -> Any:
            own = None
            if self._extended:
                with suppress(TypeError):  # the program's mistake, which torch tells of
                    given = signature.bind(*args, **kwargs)
                    own = given.arguments.get("timeout")
                    if isinstance(own, timedelta) and own < LONG:
                        given.arguments["timeout"] = LONG
                        args, kwargs = given.args, given.kwargs
            try:
                made = original(*args, **kwargs)
            except BaseException as error:
                unmark(error)
                raise
            self._made(own)
            return made

        return make

    def _made(self, own: timedelta | None) -> None:
        try:
            if self._c10d.is_initialized():
                rank, size = self._c10d.get_rank(), self._c10d.get_world_size()
                self._runtime.joined(rank, size)
                self._runtime.meet(rank, size, functools.partial(_another, self._store_of_all()))
                if self._extended:
                    self._extend(own)
        except Exception as error:
            self._fail(error)

    def _extend(self, own: timedelta | None) -> None:
        """Let all groups wait; ``own`` is what the newest has for its own timeout, if that was given."""
        try:
            if self._c10d is None or not self._c10d.is_initialized():
                return
            for group in list(self._c10d._world.pg_map):
                if group in self._own:
                    continue
                backends = list(_backends(group))
                self._own[group] = {
                    device: own or backend.options._timeout for device, backend in backends
                }
                for _, backend in backends:
                    backend._set_default_timeout(LONG)
            if self._store is None:
                store = self._store_of_all()
                self._store = own or store.timeout
                store.set_timeout(LONG)
        except Exception as error:
            self._fail(error)

    def _restore(self) -> None:
        self._extended = False
        try:
            for group, timeouts in list(self._own.items()):
                for device, backend in _backends(group):
                    backend._set_default_timeout(timeouts[device])
            if self._store is not None and self._c10d.is_initialized():
                self._store_of_all().set_timeout(self._store)
        except Exception as error:
            self._fail(error)
        self._own.clear()
        self._store = None

    def _store_of_all(self) -> Any:
        """Where the ranks meet."""
        return self._c10d._get_default_store()

    def _fail(self, error: Exception) -> None:
        self._patches.restore()
        self._c10d = None
        self._runtime.recorder.alert(
            "hook",
            "collectives may time out while the debugger holds a rank, since graphdebug can't set the "
            f"timeouts of process groups here: {type(error).__name__}: {error}",
        )


def _another(store: Any) -> Any:
    """A connection of our own to a store: who waits at the program's keeps others from it."""
    return store.clone() if hasattr(store, "clone") else store


def _backends(group: Any) -> Iterator[tuple[Any, Any]]:
    """The backends of a group whose timeout can be set, by device."""
    for device in group._device_types:
        backend = group._get_backend(device)
        if hasattr(backend, "_set_default_timeout") and hasattr(backend, "options"):
            yield device, backend


class RankedTorchBackend(TorchBackend):
    """The torch backend, in a process that may be a rank."""

    def __init__(self, runtime: Runtime) -> None:
        super().__init__(runtime)
        self._collectives = Collectives(runtime)

    def install(self) -> None:
        """Hook what makes process groups, too."""
        super().install()
        try:
            self._collectives.install()
            self._collectives.configure()
        except HookUnfit as error:
            self._collectives.remove()
            self.unfit("collectives may time out while the debugger holds a rank", error)

    def remove(self) -> None:
        """Take every hook out."""
        self._collectives.remove()
        super().remove()

    def configure(self) -> None:
        """The configuration changed."""
        super().configure()
        self._collectives.configure()
