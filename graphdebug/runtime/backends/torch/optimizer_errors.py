"""Errors of an optimizer's step: which parameter it was about, and what of it doesn't fit."""

from __future__ import annotations

import ast
from types import TracebackType
from typing import TYPE_CHECKING, Any

import torch

from graphdebug.runtime.backends.torch.module_paths import parameters_in
from graphdebug.runtime.backends.torch.records import info
from graphdebug.runtime.explanations import Operand
from graphdebug.runtime.expressions import operands
from graphdebug.runtime.places import Place

if TYPE_CHECKING:
    from graphdebug.runtime.backends.torch.errors import Failure

_PARAMETERS = ("param", "device_params", "params")


def mismatch(failure: Failure) -> tuple[str, str] | None:
    """What an optimizer couldn't put together; None where no optimizer raised."""
    frame = _innermost(failure.traceback)
    if frame is None or frame.function is None:
        return None
    given = [(frame.text(node), frame.resolve(node)) for _, node in operands(frame.node)]
    several = [(name, value) for name, value in given if isinstance(value, (list, tuple))]
    single = [(name, value) for name, value in given if isinstance(value, torch.Tensor)]
    at = 0
    if len(several) > 1:
        pairs = zip(several[0][1], several[1][1], strict=False)
        at = next((at for at, (a, b) in enumerate(pairs) if a.shape != b.shape), 0)
        single = [(name, value[at]) for name, value in several[:2] if len(value) > at]
    parameter = _parameter(frame, at)
    if len(single) < 2 or not isinstance(parameter, torch.Tensor):
        return None
    name = _name(failure, parameter)
    failure.extra.append(Operand(name, _about(parameter)))
    failure.extra += [Operand(f"{what} of {name}", _about(value)) for what, value in single[:2]]
    first, second = single[0], single[1]
    cause = (
        f"for {name}, the optimizer's {first[0]} is {tuple(first[1].shape)} and {second[0]} is "
        f"{tuple(second[1].shape)}."
    )
    return cause, (
        "make a new optimizer after parameters got other shapes, or load the state of one that was made "
        "for these."
    )


def _about(tensor: Any) -> str:
    about = info(tensor)
    return f"{str(about.dtype)[6:]} {about.shape} {about.device}"


def _innermost(traceback: TracebackType | None) -> Place | None:
    found = None
    while traceback is not None:
        frame = traceback.tb_frame
        if "/torch/optim/" in frame.f_code.co_filename.replace("\\", "/"):
            found = Place(frame.f_code, traceback.tb_lasti, frame.f_globals, frame.f_locals)
        traceback = traceback.tb_next
    return found


def _parameter(frame: Place, at: int) -> Any:
    for name in _PARAMETERS:
        value = frame.resolve(ast.Name(name, ast.Load()))
        if isinstance(value, torch.Tensor):
            return value
        if isinstance(value, (list, tuple)) and len(value) > at:
            return value[at]
    return None


def _name(failure: Failure, parameter: Any) -> str:
    """What the user calls a parameter."""
    for place in reversed(failure.places):
        for name, value in list((place.shown or {}).items()) if place.users else ():
            if value is parameter:
                return name
    named = (name for name, each in parameters_in(failure.places) if each is parameter)
    return next(named, "a parameter")
