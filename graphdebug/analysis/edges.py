"""Who runs whose code: the calls, and the functions that are handed to frameworks.

Imported by ``contexts`` alone.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Literal

from graphdebug.analysis.apis import (
    COMPILE,
    COMPILE_METHOD,
    CONSTRUCT_NAMES,
    CONSTRUCTS,
    FIT,
    FITTED,
    UNCOMPILED,
    UNCONVERTED,
    Construct,
    canonical,
    is_disabled,
    is_left_alone,
    is_transparent,
    option,
)
from graphdebug.analysis.facts import Use, dotted, last_part
from graphdebug.analysis.mentions import Mentions
from graphdebug.analysis.names import Names, is_property
from graphdebug.analysis.scopes import Scope
from graphdebug.analysis.switches import Switches
from graphdebug.analysis.values import Api, Instance, Made, Value, Wrapped

_STEPS = {"train_step", "test_step", "predict_step", "compute_loss", "compute_metrics"}
_LAYERS = {"call", "__call__", "update_state", "result", "update_step"}
_PLAIN_KERAS = {"callbacks", "utils"}

Way = Literal["call", "library", "handed"]
"""How code is reached: called by name; called by library code, such as ``sorted`` or an operator;
an object handed to a library, which may call it."""


@dataclass(frozen=True)
class Edge:
    """Code of ``caller`` on ``line`` runs ``target``, or has it run."""

    caller: Scope
    line: int
    target: Scope
    how: Way | Construct


@dataclass
class Edges:
    """The edges of one file."""

    all: list[Edge] = field(default_factory=list)
    sealed: set[Scope] = field(default_factory=set)
    """Functions whose name stands for what a framework made of them: a call of it goes there."""
    plain: set[Scope] = field(default_factory=set)
    """Functions that are kept out of compiled code."""
    open: set[Scope] = field(default_factory=set)
    """Functions that are also called from outside of the file."""
    left_alone: set[Scope] = field(default_factory=set)
    """Functions that AutoGraph does not convert."""


def edges_of(names: Names, switches: Switches) -> Edges:
    """The edges of the file that ``names`` knows, as far as they have to do with graphs."""
    finder = _Finder(names, switches)
    finder.constructs()
    given = [edge.target for edge in finder.found.all if isinstance(edge.how, Construct)]
    if given or switches.blocks:
        finder.calls([*given, *switches.blocks])
    return finder.found


class _Finder:
    def __init__(self, names: Names, switches: Switches) -> None:
        self.names = names
        self.switches = switches
        self.found = Edges()
        self.constructing = names.spelled(CONSTRUCT_NAMES)
        self.decorated: dict[Scope, list[Scope]] = {}
        self.properties = {s.name for s in names.scopes if s.kind == "function" and is_property(s)}

    def constructs(self) -> None:
        """The functions that frameworks are handed."""
        for scope in self.names.scopes:
            if scope.kind == "function":
                self.decorators(scope)
        for scope in self.names.scopes:
            for use in scope.facts.uses:
                if self.may_construct(use):
                    self.use(scope, use)
            if scope.kind == "class":
                self.keras(scope)

    def may_construct(self, use: Use) -> bool:
        """Whether this may call a construct: ``tf.function(f)``, ``tf.function(...)(f)``."""
        if use.last:
            return use.last in self.constructing
        return any(name[:-2] in self.constructing for name in use.given.get(-1, ()))

    def calls(self, pending: list[Scope]) -> None:
        """What the scopes ``pending`` call, and who else calls any of that."""
        mentions = Mentions(self.names.scopes)
        own = mentions.of(self.names.scopes)
        graphs: dict[Scope, None] = {}
        while pending:
            scope = pending.pop()
            if scope not in graphs:
                graphs[scope] = None
                before = len(self.found.all)
                self.scope(scope, own)
                pending += [edge.target for edge in self.found.all[before:]]
                pending += [child for child in scope.children if child.kind != "class"]
        own = mentions.of(graphs)
        for scope in self.names.scopes:
            if scope not in graphs:
                self.scope(scope, own)
        self.nested(graphs)

    def scope(self, scope: Scope, own: set[str]) -> None:
        """The calls in ``scope`` of what may go by one of the identifiers ``own``."""
        for use in scope.facts.uses:
            matters = use.last in own or not own.isdisjoint(use.mentions)
            if matters and not self.may_construct(use):
                self.use(scope, use)
        for read in scope.facts.reads:
            if read.attr in self.properties:
                self.read(scope, read)

    def read(self, scope: Scope, read: ast.Attribute) -> None:
        for base in self.names.values(read.value, scope):
            if isinstance(base, Instance):
                for target in self.names.member(base.scope, read.attr):
                    if isinstance(target, Scope) and is_property(target):
                        self.add(scope, read, target, "library")

    def nested(self, scopes: Iterable[Scope]) -> None:
        """Takes it that a function that nobody seems to call is called where it is made."""
        reached = {edge.target for edge in self.found.all} | self.found.plain
        for scope in scopes:
            maker = scope.parent
            if maker is None or maker.kind == "class" or scope in reached:
                continue
            if scope.kind == "lambda" or maker.parent is not None:
                self.add(maker, scope.facts.node, scope, "call")

    def add(self, caller: Scope, node: ast.AST, target: Scope, how: Way | Construct) -> None:
        self.found.all.append(Edge(caller, caller.line(node), target, how))

    # Calls

    def use(self, scope: Scope, use: Use) -> None:
        callees = self.names.values(use.node.func, scope)
        for callee in callees:
            if isinstance(callee, Api):
                self.api(scope, use.node, callee)
            else:
                self.user(scope, use.node, callee)
        if not callees:
            self.library(scope, use.node, _is_run(use.node))

    def user(self, scope: Scope, node: ast.Call, callee: Value) -> None:
        """A call of this file's own code."""
        way: Way = "call"
        if isinstance(callee, Wrapped):
            if self.opens(callee.path):
                return
            way = "library" if callee.path == UNCONVERTED else "call"
        elif isinstance(callee, Instance):
            keras = any(path.startswith("keras.") for path in self.names.ancestry(callee.scope))
            way = "library" if keras else "call"
        elif isinstance(callee, Scope) and callee.kind == "class":
            way = "library"
        for target in self.names.called(callee):
            self.add(scope, node, target, way)

    def api(self, scope: Scope, node: ast.Call, callee: Api) -> None:
        path = canonical(callee.path)
        construct = CONSTRUCTS.get(path)
        if path.startswith("torch.nn.") and path.endswith(".compile"):
            self.compiled_in_place(scope, node)
        elif path == UNCONVERTED:
            return  # what it gives back says so itself
        elif construct is not None:
            if not self.switches.is_off(path) and not is_disabled(path, node):
                options = node.func if isinstance(node.func, ast.Call) else node
                self.give(scope, node, adjusted(construct, options), construct.given(node))
        elif path.startswith("keras.") and path.endswith(".compile"):
            self.fitted(scope, node)
        elif not is_transparent(path):
            self.library(scope, node, _is_run(node))

    def library(self, scope: Scope, node: ast.Call, converts: bool) -> None:
        """A call of code elsewhere, which may call what it is given."""
        for value in self.names.arguments(node, scope):
            if isinstance(value, Scope) and value.kind != "class":
                # A distribution strategy's run converts what it is given.
                self.add(scope, node, value, "call" if converts else "library")
            elif isinstance(value, Instance):
                for target in self.names.called(value):
                    self.add(scope, node, target, "handed")

    def give(
        self, scope: Scope, node: ast.Call, construct: Construct, given: list[ast.expr]
    ) -> None:
        """A call of ``construct`` with the functions ``given``."""
        for part in given:
            for value in self.names.values(part, scope):
                if self.is_made(value, construct):
                    continue
                bare = isinstance(value, Wrapped) and value.path == UNCONVERTED
                how = replace(construct, code="own") if bare else construct
                for target in self.handed(value, construct):
                    self.add(scope, node, target, how)
            for target in self.parameter(scope, part):
                self.add(scope, node, target, construct)
                self.seal(target, construct)

    def is_made(self, value: Value, construct: Construct) -> bool:
        """Whether ``value`` was made into a graph elsewhere."""
        if not isinstance(value, Wrapped) or not self.opens(value.path):
            return False
        # ``f = tf.function(f)`` gives the function that it then hides.
        return CONSTRUCTS[value.path].name != construct.name

    def handed(self, value: Value, construct: Construct) -> Iterator[Scope]:
        yield from self.names.called(value)
        if construct.name == "torch.jit.script" and isinstance(value, Instance):
            for method in value.scope.children:
                if "torch.jit.export" in map(dotted, method.facts.decorators):
                    yield method

    def parameter(self, scope: Scope, part: ast.expr) -> list[Scope]:
        """The functions that are decorated with ``scope``, where ``part`` is its parameter."""
        is_first = isinstance(part, ast.Name) and [part.id] == scope.facts.parameters[:1]
        return self.decorated.get(scope, []) if is_first else []

    def compiled_in_place(self, scope: Scope, node: ast.Call) -> None:
        """``model.compile()`` of PyTorch."""
        if not isinstance(node.func, ast.Attribute) or self.switches.is_off(COMPILE):
            return
        for value in self.names.values(node.func.value, scope):
            for target in self.names.called(value):
                self.add(scope, node, target, COMPILE_METHOD)
                self.seal(target, COMPILE_METHOD)

    def fitted(self, scope: Scope, node: ast.Call) -> None:
        """``model.compile(loss=..., metrics=...)`` of Keras."""
        if not self.switches.is_off(FIT):
            self.give(scope, node, FITTED, FITTED.given(node))

    def keras(self, owner: Scope) -> None:
        """The methods of a class of Keras that run inside ``fit``."""
        families = {path.split(".")[1] for path in self.names.ancestry(owner) if "." in path}
        imported = any(path.startswith("keras.") for path in self.names.ancestry(owner))
        if not imported or families & _PLAIN_KERAS or self.switches.is_off(FIT):
            return
        for method in owner.children:
            if method.name in _STEPS or (self.switches.fits and method.name in _LAYERS):
                self.add(owner, method.facts.node, method, FITTED)
                if method.name in _LAYERS:
                    self.found.open.add(method)

    # Decorators

    def decorators(self, scope: Scope) -> None:
        if scope.facts.yields:
            self.found.left_alone.add(scope)
        for decorator in scope.facts.decorators:
            for value in self.names.values(decorator, scope.parent or scope):
                if isinstance(value, Api | Made):
                    self.decorator(scope, decorator, canonical(value.path))
                elif isinstance(value, Scope):
                    self.decorated.setdefault(value, []).append(scope)

    def decorator(self, scope: Scope, node: ast.expr, path: str) -> None:
        construct = CONSTRUCTS.get(path)
        if path in UNCOMPILED:
            self.found.plain.add(scope)
        if is_left_alone(path):
            self.found.left_alone.add(scope)
        elif construct is not None and construct.wraps and not self.switches.is_off(path):
            if isinstance(node, ast.Call):
                construct = adjusted(construct, node)
            self.add(scope.parent or scope, node, scope, construct)
            self.seal(scope, construct)

    def seal(self, target: Scope, construct: Construct) -> None:
        if construct.opens:
            self.found.sealed.add(target)

    def opens(self, path: str) -> bool:
        """Whether a call of what ``path`` wrapped leaves this file's own code."""
        return path != UNCONVERTED and not self.switches.is_off(path)


def _is_run(call: ast.Call) -> bool:
    """Whether this may be ``strategy.run(function)``."""
    return last_part(call.func) in ("run", "experimental_run_v2")


def adjusted(construct: Construct, call: ast.Call) -> Construct:
    """``construct`` with the options of ``call``."""
    if construct.name == "tf.function" and option(call, "autograph") is False:
        return replace(construct, code="own")
    if construct.name == "torch.export.export" and option(call, "strict") is True:
        return replace(construct, code="compiled")
    return construct
