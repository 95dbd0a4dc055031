"""What a file turns on or off for the whole program: graph mode, eager functions, compilers.

Imported by ``edges``, ``contexts``, ``reasons`` and ``analysis``.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass, field

from graphdebug.analysis.apis import COMPILE, FIT, FUNCTION, canonical
from graphdebug.analysis.facts import Block, Store, Use
from graphdebug.analysis.names import Names
from graphdebug.analysis.scopes import Scope
from graphdebug.analysis.values import Api, Made

_SESSION = "tf.compat.v1.Session"

GRAPH_MODE = "tf.compat.v1"
"""What files in graph mode are said to be under."""

_DISABLING = {"tensorflow.disable_eager_execution", "tensorflow.disable_v2_behavior"}
_GRAPH_ONLY = {
    "tensorflow.Session",
    "tensorflow.InteractiveSession",
    "tensorflow.placeholder",
    "tensorflow.train.MonitoredSession",
    "tensorflow.train.MonitoredTrainingSession",
    "tensorflow.train.SingularMonitoredSession",
}
_EAGER_FUNCTIONS = {
    "tensorflow.config.run_functions_eagerly",
    "tensorflow.config.experimental_run_functions_eagerly",
}
_FITTING = {"fit", "evaluate", "predict", "train_on_batch", "test_on_batch", "predict_on_batch"}
_KERAS_COMPILE = {"loss", "metrics", "optimizer", "run_eagerly"}
_VARIABLES: dict[str, tuple[str, object]] = {
    "environ[TORCHDYNAMO_DISABLE]": (COMPILE, "1"),
    "environ[TORCH_COMPILE_DISABLE]": (COMPILE, "1"),
    "dynamo.config.disable": (COMPILE, True),
    "environ[KERAS_BACKEND]": (FIT, "torch"),
}


@dataclass(frozen=True)
class GraphBlock:
    """Lines that build nodes of a static graph."""

    first: int
    last: int
    construct: str
    line: int


@dataclass
class Off:
    """A construct that a file turns off, so that its functions run as plain Python."""

    line: int
    """Where."""
    certain: bool
    """Whether nothing in this file makes it conditional."""
    how: str
    """The call, as users spell it."""


@dataclass
class Switches:
    """The switches of one file."""

    graph: GraphBlock | None = None
    """What puts the whole file into graph mode."""
    blocks: dict[Scope, list[GraphBlock]] = field(default_factory=dict)
    """By scope: the blocks under a graph."""
    off: dict[str, Off] = field(default_factory=dict)
    """By construct: ``tensorflow.function``, ``torch.compile``, ``keras.Model.fit``."""
    fits: bool = False
    """Whether something is fitted, evaluated or asked to predict."""

    def is_off(self, path: str) -> bool:
        """Whether ``path`` is turned off for certain."""
        return path in self.off and self.off[path].certain

    def unless(self, path: str) -> str:
        """The condition under which ``path`` is turned off, for a reason's end."""
        off = self.off.get(path)
        return f", unless {off.how} (line {off.line}) comes first" if off else ""


def switches_of(names: Names) -> Switches:
    """The switches of the file that ``names`` knows."""
    return _Reader(names).read()


class _Reader:
    def __init__(self, names: Names) -> None:
        self.names = names
        self.found = Switches()
        self.switching = names.spelled(_CALLS)
        self.explicit = False
        self.on: set[str] = set()
        self.session: GraphBlock | None = None

    def read(self) -> Switches:
        for scope in self.names.scopes:
            for block in scope.facts.blocks:
                self.block(scope, block)
            for use in scope.facts.uses:
                self.use(scope, use)
            for store in scope.facts.stores:
                self.store(scope, store)
        for path in self.on & self.found.off.keys():
            self.found.off[path].certain = False
        if not self.found.graph and not self.explicit:
            self.found.graph = self.session
        if self.found.graph:
            self.found.blocks.clear()  # all of the file is under one
        return self.found

    def block(self, scope: Scope, block: Block) -> None:
        construct = self.graph_context(scope, block.context)
        if construct:
            first, last = scope.offset + block.first, scope.offset + block.last
            found = GraphBlock(first, last, construct, scope.line(block.context))
            self.found.blocks.setdefault(scope, []).append(found)
            self.explicit |= construct != _SESSION

    def graph_context(self, scope: Scope, context: ast.expr) -> str:
        """What ``with context`` makes the default graph with; empty where nothing."""
        if isinstance(context, ast.Call) and isinstance(context.func, ast.Attribute):
            owner = context.func.value
            if context.func.attr == "as_default" and self.is_graph(scope, owner):
                return "graph.as_default()"
        made = (v for v in self.names.values(context, scope) if isinstance(v, Made))
        # A session makes its graph the default one, which its as_default() does not.
        return _SESSION if any(canonical(v.path) == "tensorflow.Session" for v in made) else ""

    def is_graph(self, scope: Scope, node: ast.expr) -> bool:
        values = self.names.values(node, scope)
        paths = {canonical(v.path) for v in values if isinstance(v, Made | Api)}
        if paths & {"tensorflow.Graph", "tensorflow.get_default_graph"}:
            return True
        # Sessions and summary writers have an as_default too: it changes no graph.
        known = {path.rpartition(".")[2] for path in paths}
        return "graph" in known or (not paths and _named_graph(node))

    def use(self, scope: Scope, use: Use) -> None:
        if use.last in _FITTING and use.head:
            self.found.fits = True
        elif use.last == "compile":
            self.compile(scope, use)
        elif use.last in self.switching:
            for value in self.names.values(use.node.func, scope):
                if isinstance(value, Api):
                    self.call(scope, use, canonical(value.path))

    def call(self, scope: Scope, use: Use, path: str) -> None:
        line = scope.line(use.node)
        if path in _DISABLING:
            self.found.graph = GraphBlock(line, line, GRAPH_MODE, line)
        elif path in _GRAPH_ONLY and not self.session and not _names_graph(use.node):
            self.session = GraphBlock(line, line, GRAPH_MODE, line)
        elif path in _EAGER_FUNCTIONS:
            self.turn_off(scope, use, FUNCTION, "tf.config.run_functions_eagerly(True)", True)
        elif path == "torch.compiler.set_stance":
            self.turn_off(scope, use, COMPILE, 'set_stance("force_eager")', "force_eager")

    def compile(self, scope: Scope, use: Use) -> None:
        """``compile`` of a Keras model, which one of its usual keywords gives away."""
        given = {keyword.arg: keyword.value for keyword in use.node.keywords}
        if not _KERAS_COMPILE.isdisjoint(given):
            value = given.get("run_eagerly", ast.Constant(False))
            self.turn(
                FIT, "compile(run_eagerly=True)", value, True, scope.line(use.node), use.guarded
            )

    def turn_off(self, scope: Scope, use: Use, path: str, how: str, wanted: object) -> None:
        given = [*use.node.args, *(keyword.value for keyword in use.node.keywords)]
        local = any(block.context is use.node for block in scope.facts.blocks)
        value = given[0] if given else use.node
        self.turn(path, how, value, wanted, scope.line(use.node), use.guarded or local)

    def store(self, scope: Scope, store: Store) -> None:
        for variable, (path, wanted) in _VARIABLES.items():
            if store.target.endswith(variable):
                how = f"{store.target} = {wanted!r}"
                line = scope.line(store.value)
                self.turn(path, how, store.value, wanted, line, store.guarded)

    def turn(
        self, path: str, how: str, value: ast.expr, wanted: object, line: int, guarded: bool
    ) -> None:
        """Notes whether ``path`` is turned off, which it is where ``value`` is ``wanted``."""
        constant = isinstance(value, ast.Constant)
        if isinstance(value, ast.Constant) and value.value != wanted:
            self.on.add(path)
            return
        before = self.found.off.get(path)
        certain = constant and not guarded and (before is None or before.certain)
        self.found.off[path] = Off(line, certain, how)


_CALLS = {
    path.rpartition(".")[2]
    for path in (*_DISABLING, *_GRAPH_ONLY, *_EAGER_FUNCTIONS, "torch.compiler.set_stance")
}


def _names_graph(session: ast.Call) -> bool:
    return any(keyword.arg == "graph" for keyword in session.keywords)


def _named_graph(node: ast.expr) -> bool:
    name = getattr(node, "attr", getattr(node, "id", "")).lower()
    return name == "g" or name.endswith("graph")
