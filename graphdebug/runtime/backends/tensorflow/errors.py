"""Errors that an operation on tensors raised, explained: the operands, their names, what made them.

An error may come from an operation that ran at once, from one that a graph would not take, or out of
a graph that ran: then the place is the line that built the node, which the error names. What doesn't
fit, and the remedy, are said by ``error_words``.
"""

from __future__ import annotations

import ast
import dis
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import CodeType, TracebackType
from typing import Any

import tensorflow as tf
from tensorflow.python.framework.func_graph import FuncGraph

from graphdebug.runtime.backends.tensorflow import error_words, tensors
from graphdebug.runtime.backends.tensorflow.sources import source_of
from graphdebug.runtime.explanations import Explanation, Operand
from graphdebug.runtime.expressions import is_operation, operands
from graphdebug.runtime.frames import is_user_file
from graphdebug.runtime.functions import function_around
from graphdebug.runtime.origins import LINKS, Link, Origin, Origins
from graphdebug.runtime.places import MISSING, FrameKind, Place, attribute, places_of

_KINDS = (ValueError, TypeError, tf.errors.OpError)

_GENERATED = "__autograph_generated_file"

_LIBRARIES = ("tensorflow", "keras", "numpy")

_LAMBDA = {"None": "<lambda>"}
"""What autograph calls it."""

_COLOURS = re.compile(r"\x1b\[[\d;]*m")

_LAYERS_LIMIT = 10_000
"""How many layers are searched for one's path."""


@dataclass
class Given:
    """One operand of the operation that failed."""

    name: str
    """In the user's words."""
    about: str
    value: Any
    """``MISSING`` where it is gone."""
    made: list[Link]

    @property
    def shape(self) -> tuple[int | None, ...] | None:
        """Its sizes; None where they aren't known."""
        if self.value is MISSING or getattr(self.value, "shape", None) is None:
            return None
        try:
            return tuple(self.value.shape)
        except ValueError:  # of unknown rank
            return None


@dataclass
class Failure:
    """An error, and what is known of the operation that raised it."""

    error: BaseException
    message: str
    places: list[Place]
    at: int
    """The user's place, by number."""
    given: list[Given]
    operation: str
    """The operation's type, where the error names it."""
    origins: Origins
    layer: Any = None
    """Keras's layer, which the error names."""
    layer_name: str = ""
    """In the user's words."""
    fed: dict[str, tuple[Any, Any]] = field(default_factory=dict)
    """The tensors that ``Session.run`` was fed, and with what, by their names."""
    extra: list[Operand] = field(default_factory=list)

    def show_fed(self, name: str) -> str:
        """Show the placeholder of that name instead of the operands; what the user calls it."""
        tensor, value = self.fed.get(name, (MISSING, None))
        if not hasattr(tensor, "op"):
            return name
        shown = self.place.shown or {}
        called = next((key for key, item in shown.items() if item is tensor), name)
        self.given = [
            Given(called, describe(tensor), tensor, list(_built(tensor.op, {name: value})))
        ]
        return called

    @property
    def place(self) -> Place:
        """The user's."""
        return self.places[self.at]

    @property
    def direct(self) -> bool:
        """Whether the user's line is the operation itself, not a call that led to it."""
        node = self.place.node
        return node is not None and (not self.operation or is_operation(node, self.operation))


def explain(error: BaseException, traceback: TracebackType | None) -> Explanation | None:
    """What is to be said of an error; None where it isn't one of a tensor operation's."""
    if not isinstance(error, _KINDS) or _raised_by_user(traceback):
        return None
    message = _COLOURS.sub("", str(error))
    find = error_words.find(message)
    if find is None:
        return None
    failure = _failure(error, message, traceback)
    if failure is None or (words := find(failure)) is None:
        return None
    shown = [Operand(item.name, item.about, item.made) for item in failure.given]
    return Explanation(
        operation=_called(failure),
        source=failure.place.source,
        cause=words[0],
        remedy=words[1],
        module=failure.layer_name,
        operands=[*shown, *failure.extra],
    )


def _raised_by_user(traceback: TracebackType | None) -> bool:
    while traceback is not None and traceback.tb_next is not None:
        traceback = traceback.tb_next
    if traceback is None:
        return True
    code = traceback.tb_frame.f_code
    opcode = dis.opname[code.co_code[traceback.tb_lasti]]
    return is_user_file(code.co_filename) and opcode in ("RAISE_VARARGS", "RERAISE")


def _failure(error: BaseException, message: str, traceback: TracebackType | None) -> Failure | None:
    operation = error_words.operation(message)
    places = places_of(traceback, kind)
    _stand_for(places, error, message, operation)
    places = [place for place in places if place.users]
    if not places:
        return None
    built = _built_at(error, message)
    if built is not None:
        _add_built(places, built, operation)
    origins = Origins(places, describe)
    failure = Failure(error, message, places, len(places) - 1, [], operation, origins)
    fed = failure.fed = _feeds(traceback)
    failure.given = list(_given(failure, {name: value for name, (_, value) in fed.items()}))
    _name_layer(failure)
    return failure


def kind(code: CodeType) -> FrameKind:
    """What a frame is to the user."""
    path = code.co_filename.replace("\\", "/")
    if is_user_file(code.co_filename) or _GENERATED in path:
        return "shown"
    if "/graphdebug/runtime/" in path:
        return "hidden"
    passes = code.co_name in ("error_handler", "__call__") and (
        "/keras/src/" in path or path.endswith("tensorflow/python/util/traceback_utils.py")
    )
    return "passes" if passes else "opaque"


def _stand_for(places: list[Place], error: BaseException, message: str, operation: str) -> None:
    """Let the places in code that autograph generated be those of the user's that it came from."""
    said = re.findall(r'File "([^"]+)", line (\d+), in (\S+)  \*', message)
    generated = [place for place in places if _GENERATED in place.path]
    for place, (path, line, name) in zip(reversed(generated), reversed(said), strict=False):
        if is_user_file(path):
            place.stand_for(path, int(line), _LAMBDA.get(name, name), operation)


def _built_at(error: BaseException, message: str) -> tuple[str, int, str] | None:
    """The user's line that built the node which failed while its graph ran."""
    node = getattr(error, "op", None)
    if node is not None:
        source = source_of(node)
        return None if source is None else (source.path, source.line, source.function or "")
    if "Graph execution error" not in message:
        return None
    stack = message.partition("defined at")[2].partition("\n\n\n")[0]
    lines = re.findall(r'File "([^"]+)", line (\d+), in (\S+)', stack)
    mine = [(path, int(line), name) for path, line, name in lines if is_user_file(path)]
    return mine[-1] if mine else None


def _add_built(places: list[Place], built: tuple[str, int, str], operation: str) -> None:
    """Add the place that built a node above those that ran it."""
    path, line, name = built
    last = places[-1]
    if (last.path, last.line) == (path, line):
        return
    way: FrameKind = "passes" if _calls(last, path, line) else "opaque"
    shown = last.shown if last.name == name and last.path == path else None
    place = Place(last.code, last.lasti, last.scope, shown, way)
    place.stand_for(path, line, name, operation)
    places.append(place)


def _calls(place: Place, path: str, line: int) -> bool:
    """Whether a place calls the function that a line is in, by its name."""
    function = function_around(path, line)
    name = getattr(None if function is None else function.node, "name", None)
    called = place.node.func if isinstance(place.node, ast.Call) else None
    return name is not None and isinstance(called, ast.Name) and called.id == name


def _feeds(traceback: TracebackType | None) -> dict[str, tuple[Any, Any]]:
    """The tensors that ``Session.run`` was fed, and with what, by their names."""
    while traceback is not None:
        code = traceback.tb_frame.f_code
        if code.co_name == "run" and code.co_filename.endswith("session.py"):
            fed = traceback.tb_frame.f_locals.get("feed_dict") or {}
            return {getattr(key, "name", str(key)): (key, fed[key]) for key in fed}
        traceback = traceback.tb_next
    return {}


def _given(failure: Failure, fed: dict[str, Any]) -> Iterator[Given]:
    place, at = failure.place, failure.at
    node = getattr(failure.error, "op", None)
    found: list[tuple[ast.expr, Any]] = []
    for _, expression in operands(place.node):
        parts = expression.elts if isinstance(expression, (ast.List, ast.Tuple)) else [expression]
        for part in parts:
            value = place.resolve(part)
            if describe(value) or (value is MISSING and _may_hold(place, part)):
                found.append((part, value))
    if node is not None:
        yield from _inputs(failure, node, found, fed)
        return
    sizes = error_words.sizes(failure.message) if failure.direct else []
    for number, (expression, value) in enumerate(found):
        origin = failure.origins.origin(at, expression)
        about = describe(value)
        if not about and len(sizes) == len(found):
            about = sizes[number]
        links = failure.origins.chain(origin)
        if tensors.owns(value) and _is_of_graph(value):
            links = list(_built(value.op, fed)) or links
        yield Given(origin.name, about, value, links)


def _inputs(
    failure: Failure, node: Any, found: list[tuple[ast.expr, Any]], fed: dict[str, Any]
) -> Iterator[Given]:
    """The inputs of a node of a TF1 graph, each with what built it."""
    inputs = [item for item in node.inputs if item.dtype != tf.resource]
    sizes = error_words.sizes(failure.message)
    for number, tensor in enumerate(inputs):
        name = failure.place.text(found[number][0]) if len(found) == len(inputs) else tensor.name
        about = describe(tensor)
        if len(sizes) == len(inputs):
            about = f"{about}, {sizes[number]} in this run"
        yield Given(name, about, tensor, list(_built(tensor.op, fed)))


def _is_of_graph(value: Any) -> bool:
    """Whether it is a tensor of a TF1 graph, whose operations know all that they were built from."""
    if not isinstance(value, tf.Tensor) or not tensors.symbolic(value):
        return False
    return not isinstance(value.graph, FuncGraph)


def _built(node: Any, fed: dict[str, Any]) -> Iterator[Link]:
    """The lines that built what a node of a graph is made of, nearest first."""
    waiting = [node]
    seen: set[str] = set()
    told: set[tuple[str, int]] = set()
    while waiting and len(told) < LINKS and len(seen) < 1000:
        each = waiting.pop(0)
        if each.name in seen:
            continue
        seen.add(each.name)
        waiting += [item.op for item in each.inputs]
        source = source_of(each)
        if source is None or (source.path, source.line) in told or not each.outputs:
            continue
        told.add((source.path, source.line))
        about = describe(each.outputs[0])
        value = fed.get(each.outputs[0].name)
        if value is not None:
            about += f", fed with {describe(value) or type(value).__name__}"
        function = function_around(source.path, source.line)
        text = "" if function is None else function.statement_on(source.line)
        yield Link(source, text, about, True)


def _may_hold(place: Place, node: ast.expr) -> bool:
    """Whether an expression may be a tensor."""
    if isinstance(node, (ast.Constant, ast.UnaryOp, ast.Slice, ast.JoinedStr, ast.Dict)):
        return False
    if isinstance(node, ast.Name) and place.shown is not None:
        return False
    return any(isinstance(part, ast.Name) for part in ast.walk(node))


def describe(value: Any) -> str:
    """dtype, shape and device; empty for what is no tensor."""
    if value is MISSING or value is None or not _is_known(value):
        return ""
    if tensors.owns(value):
        about = tensors.describe(value)
        shape = tuple(None if size == -1 else size for size in about.shape)
        return " ".join(filter(None, (about.dtype, str(shape), about.device)))
    if type(value).__module__ == "numpy" and hasattr(value, "dtype"):
        return f"{value.dtype} {tuple(value.shape)} numpy"
    return ""


def _is_known(value: Any) -> bool:
    """Whether its class is a library's, so that asking what it is runs no code of the user's."""
    return any(kind.__module__.startswith(_LIBRARIES) for kind in type(value).__mro__)


def _called(failure: Failure) -> str:
    node, place = failure.place.node, failure.place
    if isinstance(node, ast.Call):
        return place.text(node.func)
    if isinstance(node, (ast.BinOp, ast.AugAssign, ast.Subscript)):
        return place.text(node)
    return failure.operation


def _name_layer(failure: Failure) -> None:
    """Find the layer that an error names, and how the user calls it."""
    named = error_words.layer(failure.message)
    if not named:
        return
    for at in range(len(failure.places) - 1, -1, -1):
        place = failure.places[at]
        for expression in _models(place):
            root = place.resolve(expression)
            found = next((each for each in _layers(root) if each[1].name == named), None)
            if found is not None:
                path, failure.layer = found
                base = place.text(expression)
                failure.layer_name = f"{base}{path} ({type(failure.layer).__name__} {named!r})"
                origin = Origin(at, expression, base)
                links = failure.origins.chain(origin)
                failure.extra.append(Operand(f"{base}{path}", _made_as(failure.layer), links))
                return
    failure.layer_name = named


def _made_as(layer: Any) -> str:
    kernel = attribute(layer, "_kernel")
    return (
        f"a {type(layer).__name__} with a kernel of {tuple(kernel.shape)}"
        if kernel is not MISSING
        else ""
    )


def _models(place: Place) -> Iterator[ast.expr]:
    """The expressions of a place that may be what the layer is in."""
    if isinstance(place.node, ast.Call):
        yield place.node.func
        if isinstance(place.node.func, ast.Attribute):
            yield place.node.func.value
    yield ast.Name("self", ast.Load())


def _layers(root: Any) -> Iterator[tuple[str, Any]]:
    """A layer and those within it, each with its path; without any method that a user overrides."""
    waiting = [("", root)]
    seen: set[int] = set()
    while waiting and len(seen) < _LAYERS_LIMIT:
        path, each = waiting.pop(0)
        held = getattr(each, "__dict__", None)
        if id(each) in seen or not isinstance(held, dict) or "_layers" not in held:
            continue
        seen.add(id(each))
        yield path, each
        layers = list(held["_layers"] or ())
        if layers and "Sequential" in (kind.__name__ for kind in type(each).__mro__):
            layers = layers[
                type(layers[0]).__name__ == "InputLayer" :
            ]  # as its ``layers`` has them
        names = {id(value): f".{name}" for name, value in held.items() if not name.startswith("_")}
        for number, item in enumerate(layers):
            waiting.append((path + names.get(id(item), f".layers[{number}]"), item))
