"""What an expression of a file may stand for.

The answer to "what is ``self.step``" is a set of candidates: a container counts as its elements,
several assignments count as all of them, and what can't be told has none. Imported by ``switches``,
``edges``, ``contexts``, ``symbolic`` and ``analysis``.
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterable, Iterator

from graphdebug.analysis.apis import (
    CONSTRUCTS,
    DATASET,
    canonical,
    is_disabled,
    is_transparent,
    makes_dataset,
)
from graphdebug.analysis.facts import Bound, Store, dotted, sources
from graphdebug.analysis.scopes import Scope, scopes_of
from graphdebug.analysis.values import (
    Api,
    Instance,
    Made,
    Value,
    Values,
    Wrapped,
    code_of,
    outermost,
    unique,
    wrapped,
)

_DEPTH = 60
_CALLERS = 50
"""With more candidates than this, what a function is passed counts as unknown."""
_CONSTRUCTORS = ("__init__", "__new__", "__post_init__")
_CALLED = ("__call__", "forward", "call")


class Names:
    """The scopes of one file and what names mean in them."""

    def __init__(self, text: str) -> None:
        self.tops = scopes_of(text)
        self.scopes = [scope for top in self.tops for scope in top.walk()]
        self._stars = [star for scope in self.scopes for star in scope.facts.stars]
        self._known: dict[tuple[Scope | None, str], Values] = {}
        self._looked_up: dict[tuple[Scope, str], Values] = {}
        self._depth = 0
        self._open = 0
        self._module: dict[str, list[tuple[Scope, Bound]]] = {}
        self._ancestries: dict[Scope, set[str]] = {}
        self._derived: dict[str, list[Scope]] = {}
        # By the class whose object is the receiver, where that shows, and by name.
        self._stores: dict[tuple[Scope | None, str], list[tuple[Scope, Store]]] = {}
        self._calls: dict[tuple[Scope | None, str], list[tuple[Scope, ast.Call]]] = {}
        self._defined = {scope.name for scope in self.scopes}
        for scope in self.scopes:
            self._enter(scope)

    def _enter(self, scope: Scope) -> None:
        """Notes what ``scope`` gives to the whole file."""
        own = scope.facts.bound if scope.parent is None else {}
        for bound in (own, scope.facts.outer):
            for name, ways in bound.items():
                self._module.setdefault(name, []).extend((scope, way) for way in ways)
        for base in scope.facts.bases:
            self._derived.setdefault(dotted(base), []).append(scope)
        owner, receiver = _method(scope)
        for store in scope.facts.stores:
            head, _, last = store.target.rpartition(".")
            key = (owner if head == receiver else None, last)
            self._stores.setdefault(key, []).append((scope, store))
        for use in scope.facts.uses:
            if use.last in self._defined:
                key = (owner if use.head == receiver else None, use.last)
                self._calls.setdefault(key, []).append((scope, use.node))

    def spelled(self, names: set[str]) -> set[str]:
        """``names`` and what this file renames them to: ``loop = tf.while_loop``."""
        flows = (flow for scope in self.scopes for flow in scope.facts.flows)
        return names | {name for name, mentions in flows if not names.isdisjoint(mentions)}

    # Expressions

    def values(self, node: ast.expr, scope: Scope) -> Values:
        """What ``node``, an expression of ``scope``, may stand for."""
        if isinstance(node, ast.Name):
            return self.name(node.id, scope)
        if self._depth > _DEPTH:
            return ()
        self._depth += 1
        found = self._values(node, scope)
        self._depth -= 1
        return found

    def _values(self, node: ast.expr, scope: Scope) -> Values:
        if isinstance(node, ast.Attribute):
            bases = self.values(node.value, scope)
            return unique(v for base in bases for v in self.attribute(base, node.attr))
        if isinstance(node, ast.Call):
            callees = self.values(node.func, scope)
            return unique(v for callee in callees for v in self._result(callee, node, scope))
        if isinstance(node, ast.Lambda):
            return (scope.inside[node],)
        return unique(value for part in sources(node) for value in self.values(part, scope))

    def arguments(self, node: ast.Call, scope: Scope) -> Values:
        """What all arguments of a call may stand for."""
        given = (*node.args, *(keyword.value for keyword in node.keywords))
        return unique(value for part in given for value in self.values(part, scope))

    def _result(self, callee: Value, node: ast.Call, scope: Scope) -> Values:
        match callee:
            case Api(path="builtins.super"):
                owner = next((s for s in scope.around() if s.kind == "class"), None)
                return self.bases(owner) if owner else ()
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
        if is_disabled(path, node):
            return self.arguments(node, scope) or (Api("builtins.callable"),)
        if construct is None or not construct.wraps:
            return (Made(DATASET),) if makes_dataset(path) else made
        given = [v for part in construct.given(node) for v in self.values(part, scope)]
        # Without a function it is a decorator that is yet to be applied.
        return unique(wrapped(given, path)) if construct.given(node) else (Api(path),)

    def _returned(self, function: Scope) -> Values:
        parts = function.facts.returns
        values = (value for part in parts for value in self.values(part, function))
        return self._once((function, "()"), values)

    def _once(self, key: tuple[Scope | None, str], found: Iterator[Value]) -> Values:
        """All of ``found``, remembered; what is found so far to itself: ``f = tf.function(f)``."""
        if self._open > _DEPTH:
            return ()
        if key not in self._known:
            self._known[key] = ()
            self._open += 1
            for value in found:
                self._known[key] = unique((*self._known[key], value))
            self._known[key] = outermost(self._known[key])
            self._open -= 1
        return self._known[key]

    # Names

    def name(self, name: str, scope: Scope) -> Values:
        """What ``name`` may mean in ``scope``."""
        key = (scope, name)
        if key in self._looked_up:
            return self._looked_up[key]
        found = self._look_up(name, scope)
        if not self._open:
            # While something is being found, what depends on it isn't told whole.
            self._looked_up[key] = found
        return found

    def _look_up(self, name: str, scope: Scope) -> Values:
        place: Scope = scope
        while place.parent is not None:
            if name in place.facts.bound and (place.kind != "class" or place is scope):
                return self._once((place, name), self._meaning(name, self._ways(name, place)))
            place = place.parent
        if name in self._module:
            return self._once((None, name), self._meaning(name, self._module[name]))
        for place in (scope, *scope.around()):
            if name in place.facts.inner:
                ways = [(place, way) for way in place.facts.inner[name]]
                return self._once((place, name), self._meaning(name, ways))
        if hasattr(builtins, name):
            return (Api(f"builtins.{name}"),)
        return unique(Api(f"{star}.{name}") for star in self._stars)

    def _ways(self, name: str, place: Scope) -> list[tuple[Scope, Bound]]:
        return [(place, way) for way in place.facts.bound.get(name, ())]

    def _meaning(self, name: str, ways: list[tuple[Scope, Bound]]) -> Iterator[Value]:
        if any(way.path for _, way in ways):
            yield from self._imported(name, ways)
        else:
            for place, way in ways:
                yield from self._way(name, place, way)

    def _imported(self, name: str, ways: list[tuple[Scope, Bound]]) -> Values:
        """What an imported name means; nothing where it is bound anew to something else."""
        found: list[Value] = []
        for place, way in ways:
            values = self._way(name, place, way)
            if not values and not _is_none(way.value):
                return ()
            found.extend(values)
        return tuple(found) if all(isinstance(value, Api) for value in found) else ()

    def _way(self, name: str, place: Scope, way: Bound) -> Values:
        if way.path:
            return (Api(way.path),)
        if way.scope is not None:
            return (place.inside[way.scope.node],)
        if way.value is not None:
            return self.values(way.value, place)
        if way.annotation is not None:
            return self._annotated(way.annotation, place)
        return self._receiver(name, place) or self._passed(name, place)

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
        """The object, or the class, where ``name`` is the first parameter of a method."""
        owner, receiver = _method(method)
        if owner is None or name != receiver:
            return ()
        decorators = {dotted(decorator) for decorator in method.facts.decorators}
        return (owner,) if "classmethod" in decorators else (Instance(owner),)

    def _passed(self, name: str, function: Scope) -> Values:
        parts = self.passed(name, function)
        return unique(value for scope, part in parts for value in self.values(part, scope))

    def passed(self, name: str, function: Scope) -> list[tuple[Scope, ast.expr]]:
        """What the calls of ``function`` in this file pass as parameter ``name``, and where."""
        given = function.facts.parameters
        if name not in given:
            return []
        method = function.parent is not None and function.parent.kind == "class"
        index = given.index(name) - method
        found: list[tuple[Scope, ast.expr]] = []
        for scope, node in self._called(function):
            parts = [k.value for k in node.keywords if k.arg == name]
            if 0 <= index < len(node.args):
                parts.append(node.args[index])
            if parts and function in map(code_of, self.values(node.func, scope)):
                found.extend((scope, part) for part in parts)
        return found

    def _called(self, function: Scope) -> list[tuple[Scope, ast.Call]]:
        """The calls that may be of ``function``, by its name."""
        found = list(self._calls.get((None, function.name), ()))
        owner = function.parent
        if owner is not None and owner.kind == "class":
            for related in (owner, *self._derived.get(owner.name, ())):
                found += self._calls.get((related, function.name), ())
        return found if len(found) <= _CALLERS else []

    # Attributes

    def attribute(self, base: Value, attr: str) -> Values:
        """What attribute ``attr`` of ``base`` may stand for."""
        match base:
            case Api(path=path) | Made(path=path):
                return (Api(f"{path}.{attr}"),)
            case Instance(scope=scope) | Wrapped(scope=scope):
                found = self.member(scope, attr)
                return unique(r for v in found for r in (self._read(v) or (v,)))
        return self.member(base, attr)

    def _read(self, value: Value) -> Values:
        """What reading a property gives; nothing where ``value`` is none."""
        return self._returned(value) if isinstance(value, Scope) and is_property(value) else ()

    def member(self, owner: Scope, attr: str) -> Values:
        """What ``attr`` of a class of this file may stand for."""
        if owner.kind != "class":
            return ()
        return self._once((owner, f".{attr}"), self._own(owner, attr)) or self._once(
            (owner, f"..{attr}"), self._inherited(owner, attr)
        )

    def _own(self, owner: Scope, attr: str) -> Iterator[Value]:
        yield from self._meaning(attr, self._ways(attr, owner))
        for scope, store in self._stores.get((owner, attr), ()):
            yield from self.values(store.value, scope)
        for scope, store in self._stores.get((None, attr), ()):
            if Instance(owner) in self.values(store.base, scope):
                yield from self.values(store.value, scope)

    def _inherited(self, owner: Scope, attr: str) -> Iterator[Value]:
        bases = [base for base in self.bases(owner) if base != Instance(owner)]
        above = unique(v for base in bases for v in self.attribute(base, attr))
        if not any(isinstance(value, Scope) for value in above):
            # An abstract method: what the classes of this file make of it.
            for derived in self._derived.get(owner.name, ()):
                yield from self._meaning(attr, self._ways(attr, derived))
        yield from above

    def bases(self, owner: Scope) -> Values:
        """The bases of a class: ``Instance`` of this file's, ``Api`` of others."""
        place = owner.parent or owner
        found = (v for base in owner.facts.bases for v in self.values(base, place))
        return unique(
            Instance(v) if isinstance(v, Scope) else v for v in found if isinstance(v, Scope | Api)
        )

    def ancestry(self, owner: Scope) -> set[str]:
        """The imported classes that a class of this file comes from."""
        if owner not in self._ancestries:
            self._ancestries[owner] = self._ancestry(owner)
        return self._ancestries[owner]

    def _ancestry(self, owner: Scope) -> set[str]:
        paths: set[str] = set()
        seen = {owner}
        pending = [owner]
        while pending:
            for base in self.bases(pending.pop()):
                if isinstance(base, Api):
                    paths.add(canonical(base.path))
                elif isinstance(base, Instance) and base.scope not in seen:
                    seen.add(base.scope)
                    pending.append(base.scope)
        return paths

    # Calls

    def called(self, value: Value) -> Iterator[Scope]:
        """The functions of this file whose code runs when ``value`` is called."""
        if isinstance(value, Scope) and value.kind == "class":
            yield from self._methods(value, _CONSTRUCTORS)
        elif isinstance(value, Scope):
            yield value
        elif isinstance(value, Instance | Wrapped):
            methods = list(self._methods(value.scope, _CALLED))
            yield from methods if value.scope.kind == "class" else [value.scope]

    def _methods(self, owner: Scope, names: Iterable[str]) -> Iterator[Scope]:
        for name in names:
            for value in self.member(owner, name):
                if isinstance(value, Scope) and value.kind == "function":
                    yield value


def is_property(scope: Scope) -> bool:
    """Whether ``scope`` is a method that is read like an attribute."""
    return any(dotted(d).endswith("property") for d in scope.facts.decorators)


def _method(scope: Scope) -> tuple[Scope | None, str]:
    """Of a method its class and the name that it has for the object; else None."""
    owner = scope.parent
    given = scope.facts.parameters
    if owner is None or owner.kind != "class" or not given:
        return None, ""
    if any(dotted(decorator) == "staticmethod" for decorator in scope.facts.decorators):
        return None, ""
    return owner, given[0]


def _is_none(node: ast.expr | None) -> bool:
    return isinstance(node, ast.Constant) and node.value is None
