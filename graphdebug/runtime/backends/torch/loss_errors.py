"""Predictions and targets whose sizes don't fit: what is said of each error, and the remedy."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from graphdebug.runtime.backends.torch.shape_errors import Say, first_line, match_of

if TYPE_CHECKING:
    from graphdebug.runtime.backends.torch.errors import Failure, Given


def find(message: str) -> Callable[[Failure], tuple[str, str] | None] | None:
    """What explains an error with this message; None where it isn't about a loss."""
    return match_of(_KNOWN, message)


def prediction_and_target(failure: Failure) -> tuple[Given, Given] | None:
    """The first two operands of a loss, or those that were given by these names."""
    named = {item.keyword: item for item in failure.given}
    plain = [item for item in failure.given if item.keyword in ("", "input", "target")]
    if "target" in named and named["target"] is plain[0]:
        plain.reverse()
    return (plain[0], plain[1]) if len(plain) > 1 else None


def _batch(failure: Failure, match: re.Match[str]) -> tuple[str, str] | None:
    pair = prediction_and_target(failure)
    if pair is None:
        return first_line(failure), ""
    x, y = pair
    cause = f"{x.name} {x.shape} has {match['x']} rows, and {y.name} {y.shape} has {match['y']}."
    if len(x.shape) == 3 and len(y.shape) == 2 and x.shape[:2] == y.shape:
        return cause, f"{x.name}.transpose(1, 2): the classes belong in dimension 1."
    if len(x.shape) == 2 and len(y.shape) == 2 and math.prod(y.shape) == x.shape[0]:
        return cause, f"{y.name}.flatten()."
    return cause, ""


def _one_column(failure: Failure, match: re.Match[str]) -> tuple[str, str] | None:
    pair = prediction_and_target(failure)
    if pair is None:
        return first_line(failure), ""
    y = pair[1]
    cause = f"{y.name} {y.shape} holds classes, one for each row, so it has to have one dimension."
    remedy = (
        f"{y.name}.squeeze(1)."
        if y.shape[-1:] == (1,)
        else f"{y.name}.argmax(1), if it is one-hot."
    )
    return cause, remedy


def _same_size(failure: Failure, match: re.Match[str]) -> tuple[str, str] | None:
    pair = prediction_and_target(failure)
    if pair is None:
        return first_line(failure), ""
    x, y = pair
    cause = f"{x.name} is {x.shape} and {y.name} is {y.shape}; they have to be the same."
    if x.shape == (*y.shape, 1):
        return cause, f"{x.name}.squeeze(-1), or {y.name}.unsqueeze(-1)."
    if y.shape == (*x.shape, 1):
        return cause, f"{y.name}.squeeze(-1), or {x.name}.unsqueeze(-1)."
    if math.prod(x.shape) == math.prod(y.shape):
        return cause, f"{y.name}.view_as({x.name}), if the elements are in the same order."
    return cause, ""


_KNOWN: list[tuple[str, Say]] = [
    (r"Expected input batch_size \((?P<x>\d+)\) to match target batch_size \((?P<y>\d+)\)", _batch),
    (r"0D or 1D target tensor expected|multi-target not supported", _one_column),
    (
        r"Target size \(.*\) must be the same as input size|target size that is different",
        _same_size,
    ),
]
