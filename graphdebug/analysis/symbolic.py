"""Which lines of graph-building code are likely to build nodes.

A simple flow in source order: what TensorFlow's functions give is symbolic, and so is what is
computed with it; a statement that computes with it builds nodes. Imported by ``analysis`` alone.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field

from graphdebug.analysis.apis import canonical
from graphdebug.analysis.facts import dotted
from graphdebug.analysis.names import Names
from graphdebug.analysis.scopes import Scope
from graphdebug.analysis.values import Api, Made, Value, Wrapped

NOTHING, TENSORS, TENSOR = 0, 1, 2
"""What is known of a value: nothing, a container of tensors, a tensor."""

_DEPTH = 40
_BUILDERS = {"Assert", "Print", "Saver", "Variable"}
"""Spelled like classes, but they build nodes; other classes of TensorFlow don't."""
_CONTAINERS = {
    "get_collection",
    "global_variables",
    "gradients",
    "meshgrid",
    "split",
    "trainable_variables",
    "unstack",
    "while_loop",
}
_PLAIN = {
    "control_dependencies",
    "device",
    "executing_eagerly",
    "get_default_graph",
    "get_default_session",
    "import_graph_def",
    "is_tensor",
    "latest_checkpoint",
    "name_scope",
    "reset_default_graph",
    "set_random_seed",
    "start_queue_runners",
    "variable_scope",
    *_CONTAINERS - {"gradients", "meshgrid", "split", "unstack", "while_loop"},
}
_PLAIN_PREFIXES = ("disable_", "enable_")
_PLAIN_MODULES = {"app", "config", "errors", "estimator", "flags", "gfile", "logging", "nest"}
_PLAIN_OBJECTS = {
    "Coordinator",
    "FileWriter",
    "Graph",
    "InteractiveSession",
    "MonitoredSession",
    "MonitoredTrainingSession",
    "Saver",
    "Session",
}
_PLAIN_METHODS = {
    *("append", "copy", "count", "eval", "extend", "get", "get_shape", "index", "insert"),
    *("items", "keys", "pop", "run", "set_shape", "update", "values"),
}
_MINIMIZING = {"apply_gradients", "compute_gradients", "minimize"}
_COMPUTING = {"abs", "divmod", "pow", "sum"}
_GATHERING = {"dict", "enumerate", "list", "map", "reversed", "set", "sorted", "tuple", "zip"}


@dataclass
class Environment:
    """What a scope knows at its end."""

    states: dict[str, int] = field(default_factory=dict)
    """By name, such as ``x`` or ``self.x``."""
    building: set[ast.AST] = field(default_factory=set)
    """The statements that build nodes; of a lambda its body."""
    returned: int = NOTHING


class Flow:
    """The environments of one file's scopes, made when asked for."""

    def __init__(self, names: Names, compiled: set[Scope]) -> None:
        self.names = names
        self.compiled = compiled
        self._known: dict[Scope | None, Environment] = {}
        self._depth = 0

    def builds(self, scope: Scope, node: ast.AST) -> bool:
        """Whether ``node``, a statement of ``scope`` or its body, builds nodes in graph mode."""
        self.environment(self.names.tops[0])
        return node in self.environment(scope).building

    def environment(self, scope: Scope) -> Environment:
        """That of ``scope``; of all chunks together for a top level."""
        key = None if scope.parent is None else scope
        if key not in self._known:
            self._known[key] = Environment()
            if self._depth < _DEPTH:
                self._depth += 1
                for place in self.names.tops if key is None else [scope]:
                    _Walk(self, place, self._known[key]).block()
                self._depth -= 1
        return self._known[key]

    def state(self, name: str, scope: Scope) -> int:
        """What is known of ``name`` in ``scope``."""
        for place in (scope, *scope.around()):
            environment = self.environment(place)
            if name in environment.states:
                return environment.states[name]
            if place.kind == "class" and name.startswith("self."):
                return max(
                    (self.environment(m).states.get(name, NOTHING) for m in place.children),
                    default=NOTHING,
                )
            if name in place.facts.bound and place.parent is not None:
                return self._parameter(name, place)
        return NOTHING

    def _parameter(self, name: str, function: Scope) -> int:
        states = self._known[function].states
        states[name] = NOTHING  # what a recursive call passes
        for scope, part in self.names.passed(name, function):
            if not isinstance(part, ast.Lambda):
                walk = _Walk(self, scope, Environment())
                states[name] = max(states[name], walk.state(part))
        return states[name]


class _Walk:
    """One pass over a scope's statements, which fills an environment."""

    def __init__(self, flow: Flow, scope: Scope, environment: Environment) -> None:
        self.flow = flow
        self.scope = scope
        self.environment = environment
        self.built = False
        self.depth = 0

    def block(self) -> None:
        for statement in self.scope.facts.statements:
            self.built = False
            self.statement(statement)
            if self.built:
                self.environment.building.add(statement)
        if self.scope.kind == "lambda":
            self.body(self.scope.facts.returns[0])

    def body(self, node: ast.expr) -> None:
        """A lambda's only expression."""
        self.environment.returned = self.state(node)
        if self.built:
            self.environment.building.add(node)

    def statement(self, node: ast.stmt) -> None:
        match node:
            case ast.Assign(targets=targets, value=value):
                for target in targets:
                    self.assign(target, value, self.state(value))
            case ast.AnnAssign(target=target, value=ast.expr() as value):
                self.assign(target, value, self.state(value))
            case ast.AugAssign(target=target, value=value):
                state = self.combined([target, value])
                self.assign(target, value, state)
            case ast.Return(value=ast.expr() as value):
                self.environment.returned = max(self.environment.returned, self.state(value))
            case ast.For(target=target, iter=value) | ast.AsyncFor(target=target, iter=value):
                self.assign(target, value, _element(self.state(value)))
            case ast.With(items=items) | ast.AsyncWith(items=items):
                for item in items:
                    self.state(item.context_expr)
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                pass
            case _:
                for child in ast.iter_child_nodes(node):
                    if isinstance(child, ast.expr):
                        self.state(child)

    def assign(self, target: ast.expr, value: ast.expr, state: int) -> None:
        if isinstance(target, ast.Tuple | ast.List):
            for element in target.elts:
                self.assign(element, value, _element(state))
        elif isinstance(target, ast.Starred):
            self.assign(target.value, value, state)
        elif isinstance(target, ast.Subscript):
            if state:
                self.environment.states[dotted(target.value)] = TENSORS
        elif dotted(target):
            self.environment.states[dotted(target)] = state

    # Expressions

    def state(self, node: ast.expr) -> int:
        """What is known of ``node``; notes whether computing it builds nodes."""
        if self.depth > _DEPTH:
            return NOTHING
        self.depth += 1
        try:
            return self._state(node)
        finally:
            self.depth -= 1

    def _state(self, node: ast.expr) -> int:
        match node:
            case ast.Name() | ast.Attribute() if dotted(node):
                return self.known(dotted(node))
            case ast.Call():
                return self.call(node)
            case ast.BinOp(left=left, right=right):
                return self.combined([left, right])
            case ast.Compare(left=left, ops=[ast.Is() | ast.IsNot() | ast.In() | ast.NotIn()]):
                self.states([left, *node.comparators])
                return NOTHING
            case ast.Compare(left=left, comparators=others):
                return self.combined([left, *others])
            case ast.UnaryOp(op=ast.USub() | ast.Invert(), operand=operand):
                return self.combined([operand])
            case ast.Subscript(value=value, slice=index):
                self.state(index)
                return _element(self.combined([value]))
            case ast.IfExp(body=body, orelse=other):
                return max(self.states([body, other]))
            case ast.List(elts=parts) | ast.Tuple(elts=parts) | ast.Set(elts=parts):
                return TENSORS if any(self.states(parts)) else NOTHING
            case ast.Lambda():
                return NOTHING
        return self.rest(node)

    def rest(self, node: ast.expr) -> int:
        """Any other expression: a container where a part of it is symbolic."""
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.comprehension):
                self.assign(child.target, child.iter, _element(self.state(child.iter)))
        parts = [child for child in ast.iter_child_nodes(node) if isinstance(child, ast.expr)]
        found = any(self.states(parts))
        return TENSORS if found and not isinstance(node, ast.Attribute | ast.JoinedStr) else NOTHING

    def known(self, name: str) -> int:
        if name in self.environment.states:
            return self.environment.states[name]
        return self.flow.state(name, self.scope)

    def states(self, nodes: Iterable[ast.expr]) -> list[int]:
        return [self.state(node) for node in nodes]

    def combined(self, nodes: list[ast.expr]) -> int:
        """The outcome of an operator: an operation, where one side is a tensor."""
        state = max(self.states(nodes))
        self.built |= state == TENSOR
        return state

    # Calls

    def call(self, node: ast.Call) -> int:
        symbolic = any(self.states([*node.args, *(k.value for k in node.keywords)]))
        callees = self.flow.names.values(node.func, self.scope)
        if callees:
            return max(self.callee(value, symbolic) for value in callees)
        if not isinstance(node.func, ast.Attribute):
            return self.built_if(symbolic)
        return self.method(node.func, symbolic)

    def method(self, node: ast.Attribute, symbolic: bool) -> int:
        receiver = self.state(node.value)
        if node.attr in _PLAIN_METHODS:
            if symbolic and dotted(node.value):
                self.environment.states[dotted(node.value)] = TENSORS
            return receiver if receiver == TENSORS else NOTHING
        return self.built_if(symbolic or receiver == TENSOR)

    def callee(self, value: Value, symbolic: bool) -> int:
        match value:
            case Api(path=path):
                return self.api(canonical(path), symbolic)
            case Made(path=path):
                return self.built_if(symbolic)
            case Wrapped():
                return self.built_if(True)
            case Scope() if value in self.flow.compiled:
                return self.built_if(True)
            case Scope():
                # Its nodes are built by its own lines.
                return self.flow.environment(value).returned or (TENSOR if symbolic else NOTHING)
        return TENSOR if symbolic else NOTHING

    def api(self, path: str, symbolic: bool) -> int:
        root, *owners, last = path.split(".")
        if root == "builtins":
            if last in _GATHERING:
                return TENSORS if symbolic else NOTHING
            return self.built_if(symbolic and last in _COMPUTING)
        if root not in ("tensorflow", "keras"):
            return NOTHING if root in sys.stdlib_module_names else self.built_if(symbolic)
        if _is_plain(owners, last):
            return TENSORS if last in _CONTAINERS else NOTHING
        made = next((owner for owner in owners if owner[:1].isupper()), "")
        self.built_if(symbolic or not made or made in _BUILDERS or last in _MINIMIZING)
        return TENSORS if last in _CONTAINERS else TENSOR

    def built_if(self, builds: bool) -> int:
        self.built |= builds
        return TENSOR if builds else NOTHING


def _is_plain(owners: list[str], last: str) -> bool:
    """Whether what TensorFlow calls this builds no nodes by itself."""
    return (
        last in _PLAIN
        or last in _PLAIN_METHODS
        or last.startswith(_PLAIN_PREFIXES)
        or (last[:1].isupper() and last not in _BUILDERS and "raw_ops" not in owners)
        or not _PLAIN_MODULES.isdisjoint(owners)
        or not _PLAIN_OBJECTS.isdisjoint(owners)
    )


def _element(state: int) -> int:
    """What is known of the elements of a container, or of the parts of a tensor."""
    return TENSOR if state else NOTHING
