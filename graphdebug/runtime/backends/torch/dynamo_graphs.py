"""Sees each graph that dynamo compiles, and each run of it.

Dynamo puts what a backend made of a graph into the globals of the code that it generates. What is put
there in its place notes the run and goes on; dynamo is told to leave that function alone.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from types import CodeType, FrameType, ModuleType
from typing import TYPE_CHECKING, Any

from graphdebug.runtime.backends import HookUnfit
from graphdebug.runtime.backends.torch.graphs import Graph, of_fx
from graphdebug.runtime.backends.torch.patches import Patches, WhenImported, unmark

if TYPE_CHECKING:
    from graphdebug.runtime.backends.torch.observer import TorchBackend

_COMPILED = "__compiled_fn"
"""How dynamo's names for graphs begin."""

_INSTALL = ("install_global_unsafe", "install_global")
"""What puts them there: newer torch has the first."""


class DynamoGraphs:
    """Hooks ``OutputGraph``, on the thread that compiles."""

    def __init__(self, backend: TorchBackend) -> None:
        self._backend = backend
        self._patches = Patches()
        self._local = threading.local()
        self._waiting = WhenImported("torch._dynamo.output_graph", self._hook)

    def remove(self) -> None:
        """Take the hooks out; graphs that are compiled already go on through them."""
        self._waiting.cancel()
        self._patches.restore()

    def follow(self, ran: list[Graph] | None) -> None:
        """From now on the graphs that run in this thread are added to ``ran``."""
        self._local.ran = ran

    def runs(self, frame: FrameType) -> bool:
        """Whether this frame of torch's, which switched dynamo off, is there to run a graph."""
        inner = frame.f_back
        return inner is not None and inner.f_code is _RUNNER

    def _hook(self, module: ModuleType) -> None:
        owner = module.OutputGraph
        install = next((name for name in _INSTALL if name in vars(owner)), _INSTALL[0])
        try:
            self._patches.replace(owner, "call_user_compiler", ("self", "gm"), self._compiling)
            self._patches.replace(owner, install, ("self", "name", "value"), self._installing)
            _leave_alone(_RUNNER)
        except HookUnfit as error:
            self._patches.restore()
            self._backend.unfit("the graphs of compiled functions aren't seen", error)

    def _compiling(self, original: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(original)
        def call_user_compiler(output: Any, gm: Any, *args: Any, **kwargs: Any) -> Any:
            if self._note(output, gm):
                return gm.forward  # it is never run: see eager_functions
            try:
                return original(output, gm, *args, **kwargs)
            except BaseException as error:
                unmark(error)
                raise

        return call_user_compiler

    def _note(self, output: Any, gm: Any) -> bool:
        """Keep the graph for its installation; whether it is not to be compiled at all."""
        self._local.graph = None
        try:
            codes = _codes(output)
            if self._backend.eager_functions.refuses(codes):
                return True
            self._local.graph = graph = of_fx(gm, _maker(output), codes)
            self._backend.boundary.made("torch.compile", graph)
        except Exception as error:
            self._backend.fail("a compiled graph", error)
        return False

    def _installing(self, original: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(original)
        def install(output: Any, name: str, value: Any) -> Any:
            if isinstance(name, str) and name.startswith(_COMPILED):
                graph = getattr(self._local, "graph", None)
                if graph is not None:
                    self._local.graph = None
                    value = _runner(self._local, graph, value)
            return original(output, name, value)

        return install


def _codes(output: Any) -> list[CodeType]:
    """The functions that dynamo looked at for this graph."""
    traced = list(getattr(output.tracing_context, "traced_code", None) or ())
    root = getattr(output.root_tx, "f_code", None)
    return traced if root is None or root in traced else [root, *traced]


def _maker(output: Any) -> str:
    """The name of the backend."""
    compiler = output.compiler_fn
    while (inner := getattr(compiler, "_torchdynamo_orig_backend", None)) is not None:
        compiler = inner
    name = getattr(compiler, "compiler_name", None) or getattr(compiler, "__name__", "")
    return str(name)


def _runner(local: threading.local, graph: Graph, compiled: Callable[..., Any]) -> Any:
    """``compiled``, whose runs are noted. Calls nothing of ours: dynamo would look at that."""

    def run(*args: Any, **kwargs: Any) -> Any:
        ran = getattr(local, "ran", None)
        if ran is not None:
            ran.append(graph)
        return compiled(*args, **kwargs)

    return run


_RUNNER = next(item for item in _runner.__code__.co_consts if isinstance(item, CodeType))


def _leave_alone(code: CodeType) -> None:
    from torch._dynamo import eval_frame

    skip = getattr(eval_frame, "skip_code", None)
    if skip is None:
        raise HookUnfit("torch has no _dynamo.eval_frame.skip_code")
    skip(code)
