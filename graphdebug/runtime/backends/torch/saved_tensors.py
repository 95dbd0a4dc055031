"""What backward needed and found changed: the Node, the tensor, its name, and what changed it.

It is found in the autograd graph that the failed pass leaves behind, which is read without running
anything of the user's: not the hooks of saved tensors, nor those of Nodes. Used by ``gradient_errors``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import torch

from graphdebug.protocol.model import Source
from graphdebug.runtime.backends.torch.module_paths import parameters_in
from graphdebug.runtime.backends.torch.records import Op
from graphdebug.runtime.explanations import Operand, place
from graphdebug.runtime.frames import source_at
from graphdebug.runtime.functions import function_of
from graphdebug.runtime.origins import Link
from graphdebug.runtime.places import is_a

if TYPE_CHECKING:
    from graphdebug.runtime.backends.torch.errors import Failure

_NODES_LIMIT = 50_000
"""Nodes of the graph that are looked at."""

LEAF = 1 << 63
"""From here on sequence numbers are those of AccumulateGrad, which no operation made."""

_IN_PLACE = re.compile(r"^(__i[a-z]+__|__setitem__|[a-z].*[^_]_|.*_foreach_.*_)$")


class _Saved(NamedTuple):
    node: Any
    tensor: Any
    """What was saved; None where it can't be told."""


def roots(failure: Failure) -> list[Any]:
    """The Nodes that the pass began at."""
    traceback = failure.traceback
    while traceback is not None:
        code = traceback.tb_frame.f_code
        if code.co_name == "_engine_run_backward":
            outputs = traceback.tb_frame.f_locals.get("t_outputs", ())
            return [item.grad_fn for item in outputs if getattr(item, "grad_fn", None) is not None]
        traceback = traceback.tb_next
    return []


def walk(roots: list[Any]) -> Iterator[Any]:
    waiting, seen = list(roots), set[Any]()
    while waiting and len(seen) < _NODES_LIMIT:
        node = waiting.pop(0)
        if node in seen:
            continue
        seen.add(node)
        yield node
        waiting += [each for each, _ in node.next_functions if each is not None]


def _saved(node: Any) -> Iterator[tuple[Any, str]]:
    """What a Node saved, and the attribute that gives it as backward gets it."""
    for name in dir(type(node)):
        if name.startswith("_raw_saved_"):
            try:
                kept = getattr(node, name)
            except RuntimeError:  # the pass has run it, and let go of what it saved
                continue
            plain = name.removeprefix("_raw")
            plain = plain if hasattr(type(node), plain) else "saved_tensors"
            for each in kept if isinstance(kept, (tuple, list)) else (kept,):
                yield each, plain


def _changed(failure: Failure) -> _Saved | None:
    """The Node that the error is about: whose saved tensor gives the same one."""
    for node in walk(roots(failure)):
        for kept, name in _saved(node):
            try:
                if kept.unpack_hook is None:  # else to read it would run what the user hooked
                    getattr(node, name)
            except RuntimeError as error:
                if _essence(str(error)) == _essence(failure.message):
                    return _Saved(node, kept.data)
            except Exception:
                continue
    return None


def _essence(message: str) -> str:
    return message.partition("Hint:")[0].strip()


class Made(NamedTuple):
    source: Source | None
    """The user's line."""
    text: str
    """Its source."""
    op: Op


def _operations(failure: Failure) -> list[Op]:
    trail = failure.trail
    return [] if trail is None else [event for event in trail.at.path() if isinstance(event, Op)]


def _made(failure: Failure, op: Op) -> Made:
    source = None if op.code is None else source_at(op.code, op.lasti)
    text = ""
    if op.code is not None and op.code.co_filename:
        function = function_of(op.code)
        node = None if function is None else function.at(op.code, op.lasti)
        text = "" if function is None or node is None else function.text(node)
    return Made(source, text or op.name, op)


def maker(failure: Failure, node: Any) -> Made | None:
    """The operation of this step that made a Node; None where it isn't known."""
    trail = failure.trail
    if trail is None or node is None or node._sequence_nr() >= LEAF:
        return None
    number = node._sequence_nr() - trail.base
    for op in _operations(failure):
        if op.seq_from <= number < op.seq_to:
            return _made(failure, op)
    return None


def at_line(made: Made | None) -> str:
    return "" if made is None or made.source is None else f" at {place(made.source)}"


def changed_in_place(failure: Failure, match: re.Match[str]) -> tuple[str, str] | None:
    found = _changed(failure)
    node = None if found is None else found.node
    needs = maker(failure, node)
    tensor = None if found is None else found.tensor
    name, tensor = _named(failure, tensor)
    what = name or f"a {match['kind'].partition('.')[2] or 'tensor'} of shape {match['shape']}"
    about = f"{_dtype(match['kind'])} ({match['shape'].strip('[]')})"
    changes, known = _changes(failure, needs, match["shape"], tensor)
    failure.given.clear()
    links = [Link(made.source, made.text, "", known) for made in changes if made.source]
    if needs is not None and needs.source is not None:
        links.append(Link(needs.source, f"{needs.text}  (saved it for backward)", "", True))
    failure.extra.append(Operand(what, about, links))
    update = _update_since(failure, node) if not changes else ""
    reader = f"{needs.text}{at_line(needs)}" if needs is not None else type(node).__name__
    if node is None:
        reader = "an operation"
    times = int(match["now"]) - int(match["then"])
    cause = (
        f"backward of {reader} needs {what} as it was, and it has been changed in place "
        f"{'once' if times == 1 else f'{times} times'} since"
    )
    if known:
        cause += f", {'last ' if times > 1 else ''}by {changes[0].text}{at_line(changes[0])}"
    if update:
        return f"{cause}; {update} has run since.", (
            "call backward before the optimizer's step, or run the forward pass again after it."
        )
    with_grad = tensor is not None and tensor.is_leaf and tensor.requires_grad
    if with_grad:
        return (
            f"{cause}.",
            f"call backward before {name or 'it'} is changed, or run the forward pass again.",
        )
    return f"{cause}.", _without(changes if known and times == 1 else [], name)


def _update_since(failure: Failure, node: Any) -> str:
    """The optimizer's step that came between; empty where none did."""
    trail = failure.trail
    if trail is None or trail.closed is None or node is None or node._sequence_nr() >= trail.base:
        return ""
    name, source = trail.closed
    return f"{name} at {place(source)}" if name.endswith(".step") and source is not None else ""


def _dtype(kind: str) -> str:
    short = kind.rpartition(".")[2].removesuffix("Tensor")
    return {"Float": "float32", "Double": "float64", "Half": "float16", "Long": "int64"}.get(
        short, short.lower()
    )


def _changes(
    failure: Failure, needs: Made | None, shape: str, tensor: Any
) -> tuple[list[Made], bool]:
    """What changed the tensor, and whether that is known, by its ``grad_fn``; else all that may have."""
    operations = _operations(failure)
    after = operations.index(needs.op) + 1 if needs is not None else 0
    if isinstance(tensor, torch.Tensor) and tensor.grad_fn is not None:
        made = maker(failure, tensor.grad_fn)
        if made is not None and made.op in operations[after:]:
            return [made], True
    sizes = tuple(int(size) for size in re.findall(r"\d+", shape))
    found = [
        op
        for op in operations[after:]
        if (_IN_PLACE.match(op.name) or "inplace" in op.name)
        and op.inputs
        and op.inputs[0].shape in (sizes, sizes[::-1])
    ]
    unique = {(op.code, op.lasti): op for op in found}
    return [_made(failure, op) for op in unique.values()], False


def _without(changes: list[Made], name: str) -> str:
    if changes:
        called, text = changes[0].op.name, changes[0].text
        if (plain := _out_of_place(text)) != text:
            return f"{plain}, which makes a new tensor."
        if called == "__setitem__":
            of = name or "the tensor"
            return f"change a copy: {of} = {of}.clone() before {changes[0].text}."
        if not _IN_PLACE.match(called):
            return "it without inplace=True."
        if called.endswith("_"):
            return f"{called.rstrip('_')} instead of {called}, which makes a new tensor."
    return f"change a copy of it ({name}.clone()), or make a new tensor instead of changing it in place."


def _out_of_place(text: str) -> str:
    match = re.match(r"^(.+?) ([^\w\s=]+)= (.+)$", text)
    return f"{match[1]} = {match[1]} {match[2]} {match[3]}" if match else text


def _named(failure: Failure, tensor: Any) -> tuple[str, Any]:
    """A tensor's name in the frames that can be read, and the variable itself.

    What was saved may be a view of it, or another handle of the same elements.
    """
    wanted = [item for item in (tensor, getattr(tensor, "_base", None)) if item is not None]
    variables = [
        (name, value)
        for each in reversed(failure.places)
        if each.users
        for name, value in list((each.shown or {}).items())
    ]
    for name, value in variables:
        if any(value is item for item in wanted) or _same(value, tensor):
            return name, value
    for name, value in parameters_in(failure.places):
        if any(value is item for item in wanted):
            return name, value
    return "", tensor


def _same(value: Any, tensor: Any) -> bool:
    """Whether two tensors are handles of the same elements."""
    return (
        is_a(value, torch.Tensor)
        and is_a(tensor, torch.Tensor)
        and value.layout is torch.strided
        and value.device.type != "meta"
        and (value.shape, value.device) == (tensor.shape, tensor.device)
        and value._version == tensor._version
        and value.numel() > 0
        and value.data_ptr() == tensor.data_ptr()
    )
