"""The frames on the way to an error, and the values and expressions in them.

Values are looked up, never computed. Used by ``origins`` and by the backends' ``errors``.
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import (
    CodeType,
    FrameType,
    FunctionType,
    GetSetDescriptorType,
    MemberDescriptorType,
    TracebackType,
)
from typing import Any, Literal

from graphdebug.protocol.model import Source
from graphdebug.runtime.frames import absolute, is_user_file, line_at, qualified_name
from graphdebug.runtime.functions import function_around, function_of
from graphdebug.runtime.reading import Function, Reaching

MISSING = object()
"""There is no such value, or to know it something would have to be run."""

FrameKind = Literal["shown", "passes", "sequence", "hidden", "opaque"]
"""What a frame is to the user: a step of the way that is read; one that passes its arguments on to a
method of its ``self``, or to one part of it after the other; one of ours or the framework's that
isn't there without us; anything else."""

_PLAIN = (GetSetDescriptorType, MemberDescriptorType)
"""Of what an interpreter's ``__dict__`` is."""

_TABLES = ("_parameters", "_buffers", "_modules")


@dataclass(eq=False)
class Place:
    """A frame on the way to the error."""

    code: CodeType
    lasti: int
    scope: dict[str, Any]
    """Its globals."""
    shown: dict[str, Any] | None
    """Its locals; None for one that runs on, whose locals Python would keep if it were asked."""
    way: FrameKind = "shown"
    """How the place before it called it."""
    owner: Any = None
    """Whose method was called, where the call went through it."""
    index: int = 0
    """Which of its caller's parts it is, in a sequence."""
    function: Function | None = field(init=False)
    node: ast.AST | None = field(init=False)
    """The operation that it stands at."""
    path: str = field(init=False)
    line: int = field(init=False)
    name: str = field(init=False)
    """The function's."""

    def __post_init__(self) -> None:
        self.path, self.line = self.code.co_filename, line_at(self.code, self.lasti)
        self.name = qualified_name(self.code)
        self.function = function_of(self.code)
        self.node = None if self.function is None else self.function.at(self.code, self.lasti)

    @property
    def takes_self(self) -> bool:
        """Whether its function looks like a method."""
        return self.parameters[:1] in (("self",), ("cls",))

    @property
    def parameters(self) -> tuple[str, ...]:
        """Its function's."""
        return () if self.function is None else self.function.parameters

    def stand_for(self, path: str, line: int, name: str, operation: str) -> None:
        """Be the place of the user's that this one's code was generated from."""
        self.path, self.line, self.name = path, line, name
        self.function = function_around(path, line)
        self.node = None if self.function is None else self.function.on_line(line, operation)

    @property
    def users(self) -> bool:
        """Whether it is the user's."""
        return is_user_file(self.path)

    @property
    def source(self) -> Source:
        """Where it stands."""
        return self.source_at(self.line)

    def source_at(self, line: int) -> Source:
        """A line of its file."""
        return Source(absolute(self.path), line, self.name)

    def text(self, node: ast.AST) -> str:
        """A part of its source."""
        return "" if self.function is None else self.function.text(node)

    def reaching(self, node: ast.Name) -> Reaching:
        """What gave a variable its value, where it is read; where the place stands, if not in it."""
        assert self.function is not None
        at = node if self.function.holds(node) else self.node
        return self.function.reaching(node.id, node if at is None else at)

    def resolve(self, node: ast.AST | None) -> Any:
        """The value of an expression as it is now, without running anything; or ``MISSING``."""
        if isinstance(node, ast.Constant):
            return node.value
        if isinstance(node, ast.Name):
            if self.shown is not None and node.id in self.shown:
                return self.shown[node.id]
            if self.is_local(node.id):
                return MISSING
            return self.scope.get(node.id, vars(builtins).get(node.id, MISSING))
        if isinstance(node, ast.Attribute):
            return attribute(self.resolve(node.value), node.attr)
        if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
            return _item(self.resolve(node.value), node.slice.value)
        return MISSING

    def is_local(self, name: str) -> bool:
        """Whether a name is of the function itself, or of one around it."""
        code = self.code
        return code.co_name != "<module>" and name in (
            *code.co_varnames,
            *code.co_cellvars,
            *code.co_freevars,
        )


def is_a(value: Any, kinds: type | tuple[type, ...]) -> bool:
    """``isinstance`` for objects that may have code of their own for ``__class__``."""
    return issubclass(type(value), kinds)


def attribute(value: Any, name: str) -> Any:
    """An attribute that is stored, not one that a method would make."""
    if value is MISSING:
        return MISSING
    if is_a(value, type):
        return next((vars(kind)[name] for kind in value.__mro__ if name in vars(kind)), MISSING)
    held = held_by(value)
    if name in held:
        return held[name]
    for table in _TABLES:
        if isinstance(held.get(table), dict) and name in held[table]:
            return held[table][name]
    return MISSING


def held_by(value: Any) -> dict[str, Any]:
    """What an object's ``__dict__`` has, without running code of its class's; empty where it has none."""
    for kind in type(value).__mro__:
        found = vars(kind).get("__dict__")
        if found is not None:
            held = found.__get__(value) if type(found) in _PLAIN else None
            return held if type(held) is dict else {}
    return {}


def code_of(value: Any) -> CodeType | None:
    """The code of a function, or of a method as its class has it."""
    if type(value) in (staticmethod, classmethod):
        value = value.__func__
    return value.__code__ if type(value) is FunctionType else None


def _item(value: Any, key: Any) -> Any:
    try:
        if type(value) in (list, tuple) and type(key) is int:
            return value[key]
        if type(value) is dict:
            return value.get(key, MISSING)
        held = held_by(value).get("_modules")
        if isinstance(held, dict) and type(key) is int:
            return list(held.values())[key]
    except (IndexError, TypeError):
        pass
    return MISSING


def places_of(
    traceback: TracebackType | None, kind: Callable[[CodeType], FrameKind]
) -> list[Place]:
    """The frames on the way to an error, outermost first; those alone that are to be read."""
    found: list[Place] = []
    way: FrameKind = "shown"
    owner, index, sequence = None, 0, None
    for frame, lasti, runs_on in _frames(traceback):
        code = frame.f_code
        what = kind(code)
        if what == "hidden":
            continue
        if what == "shown":
            shown = frame.f_globals if code.co_name == "<module>" else None
            shown = frame.f_locals if shown is None and not runs_on else shown
            if found and found[-1].code is code and way == "opaque" and not found[-1].users:
                again = found.pop()  # a mode had this function called once more
                way, owner, index = again.way, again.owner, again.index
            found.append(Place(code, lasti, frame.f_globals, shown, way, owner, index))
            way, owner, index = "shown", None, 0
        elif what == "passes" and way != "opaque":
            owner = frame.f_locals.get("self")
            if way == "sequence":
                index = _part(sequence, owner)
            else:
                way = "passes"
        elif what == "sequence" and way == "passes" and not runs_on:
            way, sequence = "sequence", owner
        else:
            way = "opaque"
    return found


def _part(sequence: Any, part: Any) -> int:
    modules = list(attribute(sequence, "_modules").values())
    return next((at for at, item in enumerate(modules) if item is part), -1)


def _frames(traceback: TracebackType | None) -> Iterator[tuple[FrameType, int, bool]]:
    """Each frame, outermost first, its instruction, and whether the program goes on in it."""
    around = []
    frame = None if traceback is None else traceback.tb_frame.f_back
    while frame is not None:
        around.append((frame, frame.f_lasti, True))
        frame = frame.f_back
    yield from reversed(around)
    while traceback is not None:
        yield traceback.tb_frame, traceback.tb_lasti, False
        traceback = traceback.tb_next
