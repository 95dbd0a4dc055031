"""What an expression of a file may stand for.

The answer to "what is ``self.step``" is a set of candidates: a container counts as its elements,
several assignments count as all of them, and what can't be told has none. Imported by ``edges`` and
``symbolic``.
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from graphdebug.analysis.apis import CONSTRUCTS, canonical, is_transparent
from graphdebug.analysis.facts import Bound, dotted, parameters
from graphdebug.analysis.scopes import Scope, scopes_of

_DEPTH = 60
_CONSTRUCTORS = ("__init__", "__new__", "__post_init__")
_CALLED = ("__call__", "forward", "call")


@dataclass(frozen=True)
class Api:
    """Something imported, or built in: a module, a class, a function, a method."""

    path: str


@dataclass(frozen=True)
class Made:
    """What calling something imported gives."""

    path: str


@dataclass(frozen=True)
class Instance:
    """An object of a class of this file."""

    scope: Scope


@dataclass(frozen=True)
class Wrapped:
    """A function, or an object, of this file as a framework's wrapper gives it back."""

    scope: Scope
    path: str
    """The wrapper, such as ``tensorflow.function``."""


Value = Api | Made | Instance | Wrapped | Scope
Values = tuple[Value, ...]


class Names:
    """The scopes of one file and what names mean in them."""

    def __init__(self, text: str) -> None:
        self.tops = scopes_of(text)
        self.scopes = [scope for top in self.tops for scope in top.walk()]
        self._stars = [star for scope in self.scopes for star in scope.facts.stars]
        self._known: dict[tuple[Scope | None, str], Values] = {}
        self._depth = 0
        self._module: dict[str, list[tuple[Scope, Bound]]] = {}
        self._subclasses: dict[str, list[Scope]] = {}
        for scope in self.scopes:
            self._enter(scope)

    def _enter(self, scope: Scope) -> None:
        """Notes what ``scope`` gives to the whole file."""
        own = scope.facts.bound if scope.parent is None else {}
        for bound in (own, scope.facts.outer):
            for name, ways in bound.items():
                self._module.setdefault(name, []).extend((scope, way) for way in ways)
        for base in scope.facts.bases:
            self._subclasses.setdefault(dotted(base), []).append(scope)

    # Expressions

    def values(self, node: ast.expr, scope: Scope) -> Values:
        """What ``node``, an expression of ``scope``, may stand for."""
        if self._depth > _DEPTH:
            return ()
        self._depth += 1
        try:
            return self._values(node, scope)
        finally:
            self._depth -= 1

    def _values(self, node: ast.expr, scope: Scope) -> Values:
        match node:
            case ast.Name(id=name):
                return self.name(name, scope)
            case ast.Attribute(value=base, attr=attr):
                return _unique(v for b in self.values(base, scope) for v in self.attribute(b, attr))
            case ast.Call():
                return _unique(
                    value
                    for callee in self.values(node.func, scope)
                    for value in self._result(callee, node, scope)
                )
            case ast.Lambda():
                return (scope.inside[node],) if node in scope.inside else ()
        return _unique(value for part in _parts(node) for value in self.values(part, scope))

    def arguments(self, node: ast.Call, scope: Scope) -> Values:
        """What all arguments of a call may stand for."""
        given = (*node.args, *(keyword.value for keyword in node.keywords))
        return _unique(value for part in given for value in self.values(part, scope))

    def _result(self, callee: Value, node: ast.Call, scope: Scope) -> Values:
        match callee:
            case Api(path="builtins.super"):
                return self._bases(scope)
            case Api(path=path):
                return self._made(canonical(path), node, scope)
            case Scope(kind="class"):
                return (Instance(callee),)
            case Scope():
                return self._returned(callee)
        return ()

    def _made(self, path: str, node: ast.Call, scope: Scope) -> Values:
        made: Values = (Made(path),)
        if is_transparent(path):
            return self.arguments(node, scope) + made
        construct = CONSTRUCTS.get(path)
        if construct is None or not construct.wraps:
            return made
        given = (v for part in construct.given(node) for v in self.values(part, scope))
        wrapped = (Wrapped(v.scope if isinstance(v, Instance) else v, path)
                   for v in given if isinstance(v, Instance | Scope))
        # Without a function it is a decorator yet to be applied.
        return _unique(wrapped) or (Api(path),)

    def _returned(self, function: Scope) -> Values:
        key = (function, "return")
        return self._once(key, lambda: _unique(
            value for part in function.facts.returns for value in self.values(part, function)
        ))

    # Names

    def name(self, name: str, scope: Scope) -> Values:
        """What ``name`` may mean in ``scope``."""
        inner: Scope | None = None
        for place in (scope, *scope.around()):
            if name in place.facts.inner:
                inner = inner or place
            if place.parent is None or (place.kind == "class" and place is not scope):
                continue
            if name in place.facts.bound:
                ways = [(place, way) for way in place.facts.bound[name]]
                return self._once((place, name), lambda: self._meaning(name, ways))
        if name in self._module:
            return self._once((None, name), lambda: self._meaning(name, self._module[name]))
        if inner is not None:
            ways = [(inner, way) for way in inner.facts.inner[name]]
            return self._once((inner, name), lambda: self._meaning(name, ways))
        if hasattr(builtins, name):
            return (Api(f"builtins.{name}"),)
        return _unique(Api(f"{star}.{name}") for star in self._stars)

    def _meaning(self, name: str, ways: list[tuple[Scope, Bound]]) -> Values:
        found: list[Value] = []
        imported = any(way.path for _, way in ways)
        for place, way in ways:
            values = self._way(name, place, way)
            opaque = not values and not _is_none(way.value)
            if imported and (opaque or any(not isinstance(v, Api) for v in values)):
                return ()  # bound anew: what it means depends on when it is asked
            found.extend(values)
        wrapped = {value.scope for value in found if isinstance(value, Wrapped)}
        return _unique(
            value for value in found
            if isinstance(value, Wrapped) or getattr(value, "scope", value) not in wrapped
        )

    def _way(self, name: str, place: Scope, way: Bound) -> Values:
        if way.path:
            return (Api(way.path),)
        if way.scope is not None:
            return (place.inside[way.scope.node],)
        if way.value is not None:
            return self.values(way.value, place)
        if way.annotation is not None:
            return self._annotated(way.annotation, place)
        return self._receiver(name, place)

    def _annotated(self, annotation: ast.expr, place: Scope) -> Values:
        if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
            annotation = ast.Name(annotation.value, ast.Load())
        made: list[Value] = []
        for value in self.values(annotation, place.parent or place):
            if isinstance(value, Api):
                made.append(Made(canonical(value.path)))
            elif isinstance(value, Scope) and value.kind == "class":
                made.append(Instance(value))
        return tuple(made)

    def _receiver(self, name: str, method: Scope) -> Values:
        """The object, for the first parameter of a method."""
        owner = method.parent
        given = parameters(method.facts.node)
        if owner is None or owner.kind != "class" or not given or given[0].arg != name:
            return ()
        decorators = {dotted(decorator) for decorator in method.facts.decorators}
        if "staticmethod" in decorators:
            return ()
        return (owner,) if "classmethod" in decorators else (Instance(owner),)

    # Attributes

    def attribute(self, base: Value, attr: str) -> Values:
        """What attribute ``attr`` of ``base`` may stand for."""
        match base:
            case Api(path=path) | Made(path=path):
                return (Api(f"{path}.{attr}"),)
            case Instance(scope=scope) | Wrapped(scope=scope):
                return self.member(scope, attr)
        return self.member(base, attr)

    def member(self, owner: Scope, attr: str) -> Values:
        """What ``attr`` of a class of this file may stand for."""
        if owner.kind != "class":
            return ()
        found = self._once((owner, f".{attr}"), lambda: self._own(owner, attr))
        if found:
            return found
        bases = self._bases(owner)
        inherited = _unique(v for b in bases if b != Instance(owner) for v in self._once(
            (owner, f"..{attr}"), lambda b=b: self.attribute(b, attr)))  # type: ignore[misc]
        return inherited
