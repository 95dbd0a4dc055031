"""Errors that an operation on tensors raised, explained: the operands, their names, what made them.

Computed for a stop, or for an error that has ended the program. What doesn't fit, and the remedy, are
said by ``shape_errors``, ``loss_errors``, ``kind_errors`` and ``gradient_errors``.
"""

from __future__ import annotations

import ast
import dis
from dataclasses import dataclass, field
from types import CodeType, TracebackType
from typing import Any, NamedTuple

import torch

from graphdebug.runtime.backends.torch import (
    gradient_errors,
    kind_errors,
    loss_errors,
    shape_errors,
)
from graphdebug.runtime.backends.torch.module_paths import path_of
from graphdebug.runtime.backends.torch.raised import Raised
from graphdebug.runtime.backends.torch.records import Op, TensorInfo, info
from graphdebug.runtime.backends.torch.trail import NODES, STEP_LIMIT, Trail
from graphdebug.runtime.explanations import Explanation, Operand, place
from graphdebug.runtime.expressions import operands
from graphdebug.runtime.frames import is_user_file, line_at
from graphdebug.runtime.origins import Origin, Origins
from graphdebug.runtime.places import MISSING, FrameKind, Place, is_a, places_of
from graphdebug.runtime.reading import Definition

_KINDS = (RuntimeError, IndexError, ValueError, TypeError, AssertionError)

_LOOK_BACK = 20_000
"""How many operations of a step are searched for those of a line."""

_NO_VALUES = ("size", "numel", "dim", "shape", "ndim", "item", "len", "int", "device", "dtype")
"""What is called or read for a number, not for a tensor."""


_READ = ("/torch/nn/", "/torch/utils/data/")
"""The parts of torch whose code is read."""


class Given(NamedTuple):
    """One operand of the operation that failed."""

    origin: Origin
    info: TensorInfo
    value: Any
    """The tensor itself; ``MISSING`` where it is gone."""
    keyword: str

    @property
    def name(self) -> str:
        """In the user's words."""
        return self.origin.name

    @property
    def shape(self) -> tuple[int, ...]:
        """Its sizes."""
        return self.info.shape

    @property
    def is_parameter(self) -> bool:
        """Whether it is a module's parameter."""
        return is_a(self.value, torch.nn.Parameter)


@dataclass
class Failure:
    """An error, and what is known of the operation that raised it."""

    error: BaseException
    message: str
    places: list[Place]
    at: int
    """The place of the operation, by number."""
    given: list[Given]
    called: str
    """What the operation is called."""
    owner: Any
    """The library's module that called it, if one did."""
    owner_name: str
    """In the user's words."""
    origins: Origins
    traceback: TracebackType | None
    trail: Trail | None
    extra: list[Operand] = field(default_factory=list)
    """What else is worth to be shown."""

    @property
    def users(self) -> Place:
        """The user's innermost place."""
        return next(place for place in reversed(self.places) if place.users)

    @property
    def made_at(self) -> str:
        """Where the module was made, to be put behind its name; empty where that isn't known."""
        for origin in self._owner_origin():
            links = self.origins.chain(origin)
            if links and links[0].certain:
                return f" ({_base(links[0].source.path)}:{links[0].source.line})"
        return ""

    def _owner_origin(self) -> list[Origin]:
        if self.owner is None:
            return []
        return [self.origins.origin(self.at, ast.Name("self", ast.Load()))]


def _base(path: str) -> str:
    return path.replace("\\", "/").rpartition("/")[2]


class Words(NamedTuple):
    """What doesn't fit, and the likely remedy."""

    cause: str
    remedy: str = ""


def explain(
    error: BaseException, traceback: TracebackType | None, trail: Trail | None
) -> Explanation | None:
    """What is to be said of an error; None where it isn't one of a tensor operation's."""
    if not isinstance(error, _KINDS) or _raised_by_user(traceback):
        return None
    message = str(error)
    if message.startswith("Caught "):  # in another process or thread, whose values aren't here
        return None
    tables = (loss_errors, shape_errors, kind_errors, gradient_errors)
    find = next(filter(None, (each.find(message) for each in tables)), None)
    if find is None:
        return None
    with torch._C.DisableTorchFunction(), torch.no_grad():
        failure = _failure(error, message, traceback, trail)
        if failure is None:
            return None
        words = find(failure)
    if words is None:
        return None
    theirs = [item.name for item in failure.given if not failure.places[item.origin.at].users]
    if any(name in words[1] for name in theirs):
        words = (words[0], "")
    shown = [
        Operand(item.name, describe_info(item.info), failure.origins.chain(item.origin))
        for item in {item.name: item for item in failure.given}.values()
    ]
    return Explanation(
        operation=_operation(failure),
        source=failure.users.source,
        cause=words[0],
        remedy=words[1],
        module=_path(failure.places),
        operands=[*shown, *failure.extra, *(_of_the_call(failure) if theirs else ())],
    )


def _raised_by_user(traceback: TracebackType | None) -> bool:
    """Whether a ``raise`` of the user's own did."""
    while traceback is not None and traceback.tb_next is not None:
        traceback = traceback.tb_next
    if traceback is None:
        return True
    code = traceback.tb_frame.f_code
    opcode = dis.opname[code.co_code[traceback.tb_lasti]]
    return is_user_file(code.co_filename) and opcode in ("RAISE_VARARGS", "RERAISE")


def _failure(
    error: BaseException, message: str, traceback: TracebackType | None, trail: Trail | None
) -> Failure | None:
    places = places_of(traceback, kind)
    if not any(place.users for place in places):
        return None
    raised = trail.raised if trail is not None else None
    if raised is not None and not raised.made(error):
        raised = None
    origins = Origins(places, describe, _Recorded(places, trail))
    at, given = len(places) - 1, []
    for number in range(len(places) - 1, -1, -1):
        given = _given(places, number, raised, origins)
        at = number
        if given or places[number].users:
            break
    place = places[at]
    owner = next(
        (item.owner for item in reversed(places[: at + 1]) if item.owner is not None), None
    )
    if place.users:
        owner = None
    called = _called(place, raised)
    if not place.users and called.startswith("self."):
        called = _called(next(item for item in reversed(places) if item.users), raised)
    name = ""
    if owner is not None:
        at_owner = max(number for number in range(at + 1) if places[number].owner is owner)
        origin = origins.origin(at_owner, ast.Name("self", ast.Load()))
        name = origin.name if places[origin.at].users else _path(places).partition(" (")[0]
        at = at_owner
    return Failure(
        error, message, places, at, given, called, owner, name, origins, traceback, trail
    )


def _of_the_call(failure: Failure) -> list[Operand]:
    """What the user's own call was given, where a library made something else of it."""
    users = max(at for at, place in enumerate(failure.places) if place.users)
    shown = {item.name for item in failure.given}
    return [
        Operand(item.name, describe_info(item.info), failure.origins.chain(item.origin))
        for item in _given(failure.places, users, None, failure.origins)
        if item.name not in shown
    ]


def kind(code: CodeType) -> FrameKind:
    """What a frame is to the user."""
    path = code.co_filename.replace("\\", "/")
    if is_user_file(code.co_filename):
        return "shown"
    if "/graphdebug/runtime/" in path:
        return "hidden"
    if "/site-packages/" in path and "/torch/" not in path and "/debugpy/" not in path:
        return "shown"
    if path.endswith("torch/nn/modules/module.py"):
        return "passes" if code.co_name in ("_call_impl", "_wrapped_call_impl") else "opaque"
    if path.endswith("torch/nn/parameter.py"):
        return "hidden"
    if path.endswith("torch/nn/modules/container.py") and code.co_name == "forward":
        return "sequence"
    return "shown" if any(part in path for part in _READ) else "opaque"


def _called(place: Place, raised: Raised | None) -> str:
    node = place.node
    if isinstance(node, ast.Call):
        called = place.text(node.func)
        return called if not called.startswith("torch._C") else f"F.{place.code.co_name}"
    if isinstance(node, (ast.Assign, ast.BinOp, ast.AugAssign, ast.Compare, ast.UnaryOp)):
        return place.text(node)
    if isinstance(node, ast.Subscript):
        return place.text(node)
    return raised.name if raised is not None else ""


def _operation(failure: Failure) -> str:
    """What is called, and where, if it is in a library other than torch."""
    at = failure.places[failure.at]
    if at.users or not failure.called or "/torch/" in at.path.replace("\\", "/"):
        return failure.called
    return f"{failure.called} in {at.name} ({place(at.source)})"


def _given(
    places: list[Place], number: int, raised: Raised | None, origins: Origins
) -> list[Given]:
    """The tensors that the operation at a place was given."""
    place = places[number]
    found: list[tuple[str, ast.expr, Any]] = []
    for keyword, node in operands(place.node):
        value = place.resolve(node)
        if type(value) in (list, tuple) and any(is_a(v, torch.Tensor) for v in value):
            parts = node.elts if isinstance(node, (ast.List, ast.Tuple)) else None
            for at, item in enumerate(value):
                part = parts[at] if parts else ast.Subscript(node, ast.Constant(at), ast.Load())
                found.append((keyword, part, item))
        elif value is MISSING and isinstance(node, (ast.List, ast.Tuple)):
            found += [(keyword, part, place.resolve(part)) for part in node.elts]
        else:
            found.append((keyword, node, value))
    tensors = [
        item
        for item in found
        if is_a(item[2], torch.Tensor) or (item[2] is MISSING and _may_hold(item[1]))
    ]
    known: list[TensorInfo | None] = [
        None if value is MISSING else info(value) for _, _, value in tensors
    ]
    here = raised is not None and raised.code is place.code and raised.lasti == place.lasti
    if here and raised is not None and len(raised.inputs) == len(tensors):
        pairs = zip(known, raised.inputs, strict=True)
        if all(mine is None or mine[:3] == its[:3] for mine, its in pairs):
            known = list(raised.inputs)
    given = [
        Given(origins.origin(number, node), about, value, keyword)
        for (keyword, node, value), about in zip(tensors, known, strict=True)
        if about is not None
    ]
    return _of_interest(given, places)


def _of_interest(given: list[Given], places: list[Place]) -> list[Given]:
    """Without biases, parameters that the user has no word for, and those beside several other tensors."""
    worded = [item for item in given if places[item.origin.at].users or not item.is_parameter]
    plain = [item for item in worded if not item.name.endswith("bias")] or worded or given
    others = [item for item in plain if not item.is_parameter]
    return others if len(others) > 2 else plain


def _may_hold(node: ast.expr) -> bool:
    """Whether an expression may be a tensor."""
    if not any(isinstance(part, (ast.Name, ast.Call)) for part in ast.walk(node)):
        return False
    if isinstance(node, ast.Call):
        node = node.func
    if isinstance(node, ast.Subscript):
        return _may_hold(node.value)
    name = getattr(node, "attr", getattr(node, "id", ""))
    return name not in _NO_VALUES and not isinstance(node, (ast.Constant, ast.JoinedStr))


def describe(value: Any) -> str:
    """dtype, shape and device; empty for what is no tensor."""
    if is_a(value, torch.Tensor):
        return describe_info(info(value))
    if type(value).__module__ == "numpy" and type(value).__name__ == "ndarray":
        return f"{value.dtype} {tuple(value.shape)} numpy"
    return ""


def describe_info(about: TensorInfo) -> str:
    """dtype, shape and device."""
    return f"{str(about.dtype)[6:]} {about.shape} {about.device}"


class _Recorded:
    """What the trail saw lines make, in the step that is open."""

    def __init__(self, places: list[Place], trail: Trail | None) -> None:
        recursive = len({place.code for place in places}) < len(places)
        full = trail is not None and trail.at.depth >= STEP_LIMIT
        on = trail is not None and trail.on and trail.level >= NODES
        self._last = trail.at if trail is not None and on and not recursive and not full else None

    def __call__(self, place: Place, definition: Definition) -> str:
        """What a definition made the last time that it ran."""
        event, steps = self._last, 0
        while event is not None and steps < _LOOK_BACK:
            if (
                isinstance(event, Op)
                and event.code is place.code
                and line_at(event.code, event.lasti) == definition.line
            ):
                return self._made(event, place, definition)
            event, steps = event.parent, steps + 1
        return ""

    def _made(self, op: Op, place: Place, definition: Definition) -> str:
        function = place.function
        if function is None or not op.outputs:
            return ""
        node = function.at(place.code, op.lasti)
        augmented = isinstance(node, ast.AugAssign) and node.lineno == definition.line
        if node is not definition.value and not augmented:
            return ""
        alike = all(item[:3] == op.outputs[0][:3] for item in op.outputs)
        if definition.part is None:
            return describe_info(op.outputs[0]) if len(op.outputs) == 1 else ""
        return describe_info(op.outputs[0]) if alike else ""


def _path(places: list[Place]) -> str:
    """The path of the innermost module, from the outermost that the user called, and its class."""
    modules = [at for at, place in enumerate(places) if is_a(place.owner, torch.nn.Module)]
    if not modules:
        return ""
    root, inner = places[modules[0]], places[modules[-1]].owner
    called = places[modules[0] - 1].node if modules[0] else None
    name = type(root.owner).__name__
    if isinstance(called, ast.Call):
        name = places[modules[0] - 1].text(called.func)
        if root.way == "sequence":
            name = f"{name}.{root.index}"
    path = path_of(root.owner, inner)
    return f"{'.'.join(filter(None, (name, path)))} ({type(inner).__name__})"
