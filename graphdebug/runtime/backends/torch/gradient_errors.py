"""Errors of autograd: what is said of each, and the remedy.

What backward needed, and found changed, is said by ``saved_tensors``.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from graphdebug.protocol.model import Source
from graphdebug.runtime.backends.torch.saved_tensors import (
    LEAF,
    Made,
    at_line,
    changed_in_place,
    maker,
    roots,
    walk,
)
from graphdebug.runtime.backends.torch.shape_errors import Say, first_line, match_of
from graphdebug.runtime.explanations import Operand
from graphdebug.runtime.functions import function_of
from graphdebug.runtime.origins import Link

if TYPE_CHECKING:
    from graphdebug.runtime.backends.torch.errors import Failure


def find(message: str) -> Callable[[Failure], tuple[str, str] | None] | None:
    """What explains an error with this message; None where it isn't autograd's."""
    return match_of(_KNOWN, message)


def _second_time(failure: Failure, match: re.Match[str]) -> tuple[str, str] | None:
    name = failure.given[0].name if failure.given else "it"
    trail = failure.trail
    old = _of_earlier_steps(failure) if trail is not None else None
    if old is not None:
        entered, made = old
        reads = f"{made.text}{at_line(made)}" if made is not None else entered
        cause = (
            f"the graph of {name} goes back into an earlier step, whose saved tensors are gone: "
            f"{reads} reads a tensor that was made then."
        )
        state = _carried(made)
        if not state:
            return cause, (
                "compute it again in each step; or detach it, if nothing before it is to be trained."
            )
        return cause, f"detach what is carried from step to step: {state} = {state}.detach()."
    before = _earlier_calls(failure)
    again = f"; backward is also called at line {before}" if before else ""
    cause = f"the saved tensors of {name} were freed when backward ran through them the first time{again}."
    return cause, (
        "call backward once, on the sum of the losses; or compute the loss again. retain_graph=True "
        "in the first call only if both passes are meant."
    )


def _of_earlier_steps(failure: Failure) -> tuple[str, Made | None] | None:
    """The operation of this step that reads what one of an earlier step made."""
    trail = failure.trail
    assert trail is not None
    for node in walk(roots(failure)):
        if not trail.base <= node._sequence_nr() < LEAF:
            continue
        for each, _ in node.next_functions:
            if each is not None and each._sequence_nr() < trail.base:
                return type(node).__name__, maker(failure, node)
    return None


def _carried(made: Made | None) -> str:
    """The variable that an operation reads from the iteration before; empty where none is known."""
    function = None if made is None or made.op.code is None else function_of(made.op.code)
    if function is not None and made is not None and made.op.code is not None:
        node = function.at(made.op.code, made.op.lasti)
        for name in ast.walk(node) if node is not None else ():
            if isinstance(name, ast.Name) and any(
                definition.line >= name.lineno
                for definition in function.reaching(name.id, name).definitions
            ):
                return name.id
    return ""


def _earlier_calls(failure: Failure) -> str:
    """Other calls of backward in the function, above this one."""
    here = failure.users
    function, now = here.function, here.source.line
    if function is None:
        return ""
    lines = [
        node.lineno
        for node in ast.walk(function.node)
        if isinstance(node, ast.Call)
        and getattr(node.func, "attr", "") in ("backward", "grad")
        and node.lineno < now
    ]
    return " or ".join(str(line) for line in sorted(set(lines)))


def _leaf(failure: Failure, match: re.Match[str]) -> tuple[str, str] | None:
    if not failure.given:
        return first_line(failure), ""
    name = failure.given[0].name
    view = " (a view of it)" if "view of a leaf" in failure.message else ""
    cause = (
        f"{name} is a leaf that requires grad{view}, and may not be changed in place while that is "
        "recorded."
    )
    return cause, (
        "with torch.no_grad(): around an update by hand; else make a new tensor, or change "
        f"{name}.clone()."
    )


def _no_grad(failure: Failure, match: re.Match[str]) -> tuple[str, str] | None:
    number = int(match["number"])
    if number >= len(failure.given) or failure.given[number].info.requires_grad:
        return first_line(failure), ""
    name = failure.given[number].name
    cause = (
        f"{name} has no grad_fn: nothing that it was made from requires grad, or its graph was cut."
    )
    return cause, (
        "look up the chain for .detach(), .data, .item(), torch.no_grad() or an operation without a "
        "gradient, such as argmax; or requires_grad_(True) on what is to be trained."
    )


def _scalar(failure: Failure, match: re.Match[str]) -> tuple[str, str] | None:
    if not failure.given:
        return first_line(failure), ""
    item = failure.given[0]
    cause = f"{item.name} {item.shape} has more than one element, and backward begins at a number."
    return cause, f"{item.name}.mean().backward() or {item.name}.sum().backward()."


def _gradient(failure: Failure, match: re.Match[str]) -> tuple[str, str] | None:
    name = match["function"].removesuffix("Backward")
    cause = (
        f"{name}.backward returned a gradient of shape {match['got']} for input {match['index']}, whose "
        f"shape is {match['wanted']}."
    )
    node = next((n for n in walk(roots(failure)) if type(n).__name__ == match["function"]), None)
    made = maker(failure, node)
    failure.given.clear()
    forward = getattr(getattr(type(node), "_forward_cls", None), "backward", None)
    code = getattr(forward, "__code__", None)
    links = []
    if code is not None:
        source = Source(code.co_filename, code.co_firstlineno, f"{name}.backward")
        links.append(Link(source, f"{name}.backward", "", True))
    if made is not None and made.source is not None:
        links.append(Link(made.source, made.text, "", True))
    if links:
        failure.extra.append(Operand(name, "", links))
    return cause, f"return a gradient of the shape of input {match['index']} from {name}.backward."


def _state(failure: Failure, match: re.Match[str]) -> tuple[str, str] | None:
    wrong = re.findall(
        r"size mismatch for (\S+): copying a param with shape torch.Size\((.*?)\) from checkpoint, "
        r"the shape in current model is torch.Size\((.*?)\)",
        failure.message,
    )
    if not wrong:
        return None
    users = failure.users
    model = users.text(users.node.func.value) if isinstance(users.node, ast.Call) else "the model"  # type: ignore[attr-defined]
    said = "; ".join(
        f"{model}.{n} is {_shape(now)}, the checkpoint's is {_shape(old)}"
        for n, old, now in wrong[:4]
    )
    more = f", and {len(wrong) - 4} more" if len(wrong) > 4 else ""
    return f"{said}{more}.", (
        f"make {model} with the sizes that the checkpoint was made with, or leave these out of it and "
        "load with strict=False."
    )


def _shape(text: str) -> str:
    sizes = text.strip("[]")
    return f"({sizes},)" if "," not in sizes else f"({sizes})"


_KNOWN: list[tuple[str, Say]] = [
    (
        r"modified by an inplace operation: \[(?P<kind>[\w.]+) (?P<shape>\[[\d, ]*\])\].*is at version "
        r"(?P<now>\d+); expected version (?P<then>\d+)",
        changed_in_place,
    ),
    (r"Trying to backward through the graph a second time", _second_time),
    (r"leaf Variable that requires grad is being used in an in-place operation", _leaf),
    (
        r"element (?P<number>\d+) of tensors does not require grad and does not have a grad_fn",
        _no_grad,
    ),
    (r"grad can be implicitly created only for scalar outputs", _scalar),
    (
        r"Function (?P<function>\w+) returned an invalid gradient at index (?P<index>\d+) - got "
        r"(?P<got>\[[\d, ]*\]) but expected shape compatible with (?P<wanted>\[[\d, ]*\])",
        _gradient,
    ),
    (r"Error\(s\) in loading state_dict", _state),
]
