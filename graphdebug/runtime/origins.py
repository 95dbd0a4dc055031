"""Where an operation's operands come from: their names in the user's words, the lines that made them.

What is read from the source is said only where there is but one way that the program can have taken;
else each of the ways is given as one of several. Values are looked up, never computed, and nothing
here outlives the explanation that it is for. Used by backends to explain errors.
"""

from __future__ import annotations

import ast
import time
from collections.abc import Callable, Iterator, Sequence
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import Any, NamedTuple

from graphdebug.protocol.model import Source
from graphdebug.runtime.bindings import assigned_outside, bound_otherwise
from graphdebug.runtime.expressions import argument, called_name
from graphdebug.runtime.frames import absolute, is_user_file, qualified_name
from graphdebug.runtime.functions import function_of, module_of
from graphdebug.runtime.places import MISSING, Place, attribute, code_of, is_a
from graphdebug.runtime.reading import Definition

LINKS = 10
"""How many lines of a chain are given at most."""

SECONDS = 0.4
"""How long the lines of all operands may be looked for."""

_CALLABLES = (ModuleType, FunctionType, BuiltinFunctionType, type)


class Link(NamedTuple):
    """A line that made a value, or that it went through."""

    source: Source
    text: str
    about: str
    """The value that it made; empty where it isn't known."""
    certain: bool


class Origin(NamedTuple):
    """An operand, in the user's words."""

    at: int
    """The place, by number."""
    node: ast.expr
    name: str
    inside: bool = False
    """Whether it is a value within the call that ``node`` is, to which no expression belongs."""


class Origins:
    """Where values come from, on the way to one error."""

    def __init__(
        self,
        places: Sequence[Place],
        describe: Callable[[Any], str],
        recorded: Callable[[Place, Definition], str] = lambda place, definition: "",
    ) -> None:
        """``describe`` a value, empty for what is no tensor; ``recorded`` is what a definition in a
        place made the last time it ran, empty where nobody saw it."""
        self.places = places
        self._describe = describe
        self._recorded = recorded
        self._end = time.monotonic() + SECONDS

    def origin(self, at: int, node: ast.expr) -> Origin:
        """The expression of the user's that a library's is the value of, as far out as there is one."""
        while not self.places[at].users:
            outward = self._outward(at, node)
            if outward is None:
                break
            at, node, note = outward
            if note:
                return Origin(at, node, note, True)
        place = self.places[at]
        name = place.text(node)
        return Origin(at, node, name if place.users else f"{name} in {place.name}")

    def _outward(
        self, at: int, node: ast.expr, derived: bool = False
    ) -> tuple[int, ast.expr, str] | None:
        """The same value in the caller, with a name if that has no expression for it.

        ``derived``: or the value that it was made from.
        """
        place = self.places[at]
        if isinstance(node, ast.Attribute):
            base = self._outward(at, node.value)
            if base is None or base[2]:
                return None
            return base[0], ast.Attribute(base[1], node.attr, ast.Load()), ""
        function = place.function
        if not isinstance(node, ast.Name) or function is None or at == 0 or place.node is None:
            return None
        reaching = place.reaching(node)
        call = self.places[at - 1].node
        if not isinstance(call, ast.Call) or place.way == "opaque":
            return None
        parameters = function.parameters
        bound = self._bound(at, place, call)
        if bound is None or node.id not in parameters:
            return None
        if bound and node.id == parameters[0] and reaching.unchanged:
            return self._owner(at, place, call)
        if place.way == "sequence" and place.index:
            if not reaching.unchanged or node.id != (*parameters, "")[1]:
                return None
            part = place.index - 1
            return at - 1, call, f"the output of {self.places[at - 1].text(call.func)}[{part}]"
        given = argument(call, parameters, node.id, bound)
        if given is None:
            return None
        if not reaching.unchanged and not derived:  # it may be another value by now
            value = self.places[at - 1].resolve(given)
            if value is MISSING or value is not place.resolve(node):
                return None
        return at - 1, given, ""

    def _bound(self, at: int, place: Place, call: ast.Call) -> bool | None:
        """Whether its first parameter isn't an argument of a call; None where the call may not be its."""
        if place.way in ("passes", "sequence"):
            first = ast.Name((*place.parameters, "")[0], ast.Load())
            return place.takes_self or place.resolve(first) is place.owner
        outer, code = self.places[at - 1], place.code
        called = outer.resolve(call.func)
        if called is MISSING and isinstance(call.func, ast.Attribute):
            receiver = outer.resolve(call.func.value)
            if receiver is MISSING:
                named = called_name(call) == code.co_name
                return True if named and place.takes_self else None
            found = attribute(type(receiver), call.func.attr)
            return type(found) is not staticmethod if code_of(found) is code else None
        if called is MISSING:
            named = called_name(call) == code.co_name
            return False if named and not place.takes_self else None
        if code_of(called) is code:
            return type(called) is classmethod
        kind = called if is_a(called, type) else type(called)
        made = "__init__" if kind is called else "__call__"
        return True if code_of(attribute(kind, made)) is code else None

    def _owner(self, at: int, place: Place, call: ast.Call) -> tuple[int, ast.expr, str] | None:
        if place.way == "sequence":
            part = ast.Constant(place.index)
            return at - 1, ast.Subscript(call.func, part, ast.Load()), ""
        if place.way == "passes":
            return at - 1, call.func, ""
        if isinstance(call.func, ast.Attribute):
            return at - 1, call.func.value, ""
        return None

    def chain(self, origin: Origin) -> list[Link]:
        """The lines that made an operand, nearest first."""
        found: list[Link] = []
        waiting: list[tuple[int, ast.AST]] = [(origin.at, origin.node)]
        if origin.inside:
            place = self.places[origin.at]
            found.append(Link(place.source, place.text(origin.node), "", True))
        seen: set[tuple[int, int]] = set()
        told: set[tuple[Source, str]] = set()
        while waiting and len(found) < LINKS and time.monotonic() < self._end:
            at, node = waiting.pop(0)
            for source in self._sources(at, node):
                for link, further in self._made(at, source, origin):
                    key = (at, link.source.line)
                    if key not in seen and link.source.line:
                        seen.add(key)
                        if (link.source, link.text) not in told:  # once of a recursion
                            told.add((link.source, link.text))
                            found.append(link)
                        if further is not None:
                            waiting.append(further)
        return found[:LINKS]

    def _made(
        self, at: int, node: ast.expr, origin: Origin
    ) -> Iterator[tuple[Link, tuple[int, ast.AST] | None]]:
        place = self.places[at]
        function = place.function
        if isinstance(node, ast.Attribute):
            yield from self._assigned(at, node)
        if not isinstance(node, ast.Name) or function is None:
            return
        reaching = place.reaching(node)
        if not place.users:
            yield from self._given(at, node)
            return
        for definition in reaching.definitions:
            about = self._about(place, definition, node, reaching.certain)
            link = Link(place.source_at(definition.line), definition.text, about, reaching.certain)
            yield link, (None if definition.value is None else (at, definition.value))
        if reaching.before and node.id in function.parameters and at and place.way != "opaque":
            yield from self._given(at, node)
        elif not reaching.definitions and not place.is_local(node.id):
            yield from self._global(place, node.id)

    def _given(self, at: int, node: ast.Name) -> Iterator[tuple[Link, tuple[int, ast.AST] | None]]:
        """The call that gave a parameter its value."""
        outer, outward = self.places[at - 1], self._outward(at, node, derived=True)
        if outward is None or outer.node is None:
            return
        about = "" if outward[2] else self._describe(self.places[at - 1].resolve(outward[1]))
        link = Link(outer.source, outer.text(outer.node), about, True)
        if outer.users:
            yield link, (outward[0], outward[1])

    def _global(self, place: Place, name: str) -> Iterator[tuple[Link, None]]:
        module = module_of(place.path) if place.users else None
        if module is None or not isinstance(module.node, ast.Module):
            return
        if bound_otherwise(module.node, name) or assigned_outside(module.node, name):
            return
        found, _ = module._in_block(module.node.body, name)
        only = sum(is_bound(node, name) for node in ast.walk(module.node)) == 1
        for definition in found:
            about = self._describe(place.scope.get(name)) if only else ""
            source = Source(absolute(place.path), definition.line, "<module>")
            yield Link(source, definition.text, about, only), None

    def _assigned(self, at: int, node: ast.Attribute) -> Iterator[tuple[Link, None]]:
        """Where an attribute of ``self`` was assigned, or the part of it that this belongs to."""
        place = self.places[at]
        base: ast.expr = node
        while isinstance(base, (ast.Attribute, ast.Subscript)) and not isinstance(
            base.value, ast.Name
        ):
            base = base.value
        if not isinstance(base, ast.Attribute):
            return
        found = list(_stored(place.resolve(base.value), base.attr))
        for source, definition in found:
            yield Link(source, definition.text, "", len(found) == 1), None

    def _about(self, place: Place, definition: Definition, node: ast.Name, certain: bool) -> str:
        if not certain:
            return ""
        function, at = place.function, place.node
        if place.shown is not None and function is not None and at is not None:
            now = function.reaching(node.id, at)
            if now.certain and now.definitions == (definition,):  # it still has that value
                return self._describe(place.shown.get(node.id))
        return self._recorded(place, definition)

    def _sources(self, at: int, node: ast.AST) -> Iterator[ast.expr]:
        """The variables and attributes that the value of an expression is made of."""
        if isinstance(node, ast.Name):
            if not self._is_none(at, node):
                yield node
        elif isinstance(node, ast.Attribute):
            if _rooted_in_self(node):
                if not self._is_none(at, node):
                    yield node
            else:
                yield from self._sources(at, node.value)
        elif isinstance(node, ast.Call):
            function = node.func
            if isinstance(function, ast.Attribute) and not _rooted_in_self(function):
                yield from self._sources(at, function.value)
            for given in (*node.args, *(item.value for item in node.keywords)):
                yield from self._sources(at, given)
        elif not isinstance(node, ast.Lambda):
            for child in ast.iter_child_nodes(node):
                if isinstance(child, ast.expr):
                    yield from self._sources(at, child)
                elif isinstance(child, ast.comprehension):
                    yield from self._sources(at, child.iter)

    def _is_none(self, at: int, node: ast.expr) -> bool:
        """Whether an expression is known to be something that holds no values."""
        value = self.places[at].resolve(node)
        if value is MISSING:
            return False
        return value is None or is_a(value, (*_CALLABLES, bool, int, float, str))


def is_bound(node: ast.AST, name: str) -> bool:
    """Whether a node gives a variable of that name a value."""
    return isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Store)


def _rooted_in_self(node: ast.expr) -> bool:
    while isinstance(node, (ast.Attribute, ast.Subscript)):
        node = node.value
    return isinstance(node, ast.Name) and node.id == "self"


def _stored(owner: Any, name: str) -> Iterator[tuple[Source, Definition]]:
    """The assignments to an attribute in the methods of an object's class."""
    if owner is MISSING or owner is None:
        return
    for kind in type(owner).__mro__:
        for method in vars(kind).values():
            code = code_of(method)
            if (
                code is not None
                and name in code.co_names
                and is_user_file(code.co_filename)
                and (function := function_of(code)) is not None
            ):
                for definition in function.assignments(name):
                    path = absolute(code.co_filename)
                    yield Source(path, definition.line, qualified_name(code)), definition
