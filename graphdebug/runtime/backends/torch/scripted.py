"""Calls of TorchScript's functions and modules, and of exported programs: graphs without dynamo."""

from __future__ import annotations

import functools
import sys
import threading
import weakref
from collections.abc import Callable
from types import FrameType
from typing import TYPE_CHECKING, Any, NamedTuple

import torch

from graphdebug.runtime.backends import HookUnfit
from graphdebug.runtime.backends.torch import graphs, modes
from graphdebug.runtime.backends.torch.compiled import add_call
from graphdebug.runtime.backends.torch.graphs import EXPORT, SCRIPT, Graph
from graphdebug.runtime.backends.torch.patches import Patches, unmark
from graphdebug.runtime.backends.torch.trail import clock, sequence
from graphdebug.runtime.frames import user_frame

if TYPE_CHECKING:
    from graphdebug.runtime.backends.torch.observer import TorchBackend


class ScriptCalls:
    """Observes the outermost call of a graph in each thread.

    ``put_in`` and ``take_out`` are called by ``Visible``: what is put in stands in dynamo's way.
    """

    def __init__(self, backend: TorchBackend) -> None:
        self._backend = backend
        self._patches = Patches()
        self._local = threading.local()
        self._graphs: weakref.WeakKeyDictionary[Any, Graph] = weakref.WeakKeyDictionary()

    def put_in(self) -> None:
        """Hook the calls."""
        if self._patches.resume():
            return
        for kind in (torch._C.ScriptFunction, torch._C.ScriptMethod):
            self._patches.replace(kind, "__call__", (), self._script)
        wrapped = getattr(torch.fx.graph_module, "_WrappedCall", None)
        if wrapped is None:
            raise HookUnfit("torch has no fx.graph_module._WrappedCall")
        self._patches.replace(wrapped, "__call__", ("self", "obj"), self._module)

    def take_out(self) -> None:
        """Take the hooks out for a while."""
        self._patches.suspend()

    def remove(self) -> None:
        """Take the hooks out for good."""
        self._patches.restore()

    def _script(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def call(self_: Any, *args: Any, **kwargs: Any) -> Any:
            begun = self._begin(SCRIPT, self_, sys._getframe(1))
            try:
                result = original(self_, *args, **kwargs)
            except BaseException as error:
                self._end(begun, failed=True)
                unmark(error)
                raise
            self._end(begun)
            return result

        return call

    def _module(self, original: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(original)
        def call(self_: Any, obj: Any, *args: Any, **kwargs: Any) -> Any:
            begun = self._begin(EXPORT, obj, sys._getframe(2))
            try:
                result = original(self_, obj, *args, **kwargs)
            except BaseException as error:
                self._end(begun, failed=True)
                unmark(error)
                raise
            self._end(begun)
            return result

        return call

    def _begin(self, construct: str, called: Any, caller: FrameType) -> _Call | None:
        try:
            trail = self._backend.trail()
            if (
                trail is None
                or trail.aside is not None
                or getattr(self._local, "within", False)
                or torch._C._get_tracing_state() is not None
                or torch._C._len_torch_dispatch_stack()
            ):
                return None
            graph = self._graph(construct, called)
            if not graph.lines:
                return None
            self._backend.runtime.stops.went_on()
            self._local.within = True
            return _Call(
                construct,
                graph,
                caller,
                _name(called),
                sequence(),
                clock(),
                modes.take_out(trail.mode),
            )
        except BaseException as error:
            self._backend.fail("the call of a graph", error)
            return None

    def _end(self, call: _Call | None, failed: bool = False) -> None:
        if call is None:
            return
        try:
            self._local.within = False
            here = self._backend.here()
            if call.taken_out and here is not None and here.on and not modes.is_on(here.mode):
                modes.put_on(here.mode)
            trail = self._backend.trail()
            if trail is None or failed:
                return
            add_call(trail, call.name, call.seq, call.start, call.caller)
            duration = clock() - call.start
            frame = user_frame(call.caller)
            self._backend.boundary.over(call.construct, call.name, frame, [call.graph], duration)
        except BaseException as error:
            self._backend.fail("the call of a graph", error)

    def _graph(self, construct: str, called: Any) -> Graph:
        graph = self._graphs.get(called)
        if graph is None:
            if construct == SCRIPT:
                graph = graphs.of_script(called.graph, SCRIPT)
            else:
                graph = graphs.of_fx(called, EXPORT)
            graph = graphs.with_codes(graph)
            self._graphs[called] = graph
            self._backend.boundary.made(construct, graph)
        return graph


class _Call(NamedTuple):
    """A call under way."""

    construct: str
    graph: Graph
    caller: FrameType
    name: str
    seq: int
    start: int
    taken_out: bool


def _name(called: Any) -> str:
    """What the user called."""
    if isinstance(called, torch._C.ScriptMethod):
        return str(called.owner._type().name()) if hasattr(called.owner, "_type") else called.name
    name = getattr(called, "name", None)
    return name if isinstance(name, str) else type(called).__name__.removesuffix("Impl")
