"""Operands whose dtypes, devices or values don't fit: what is said of each error, and the remedy."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch

from graphdebug.runtime.backends.torch.loss_errors import prediction_and_target
from graphdebug.runtime.backends.torch.shape_errors import Say, first_line, match_of

if TYPE_CHECKING:
    from graphdebug.runtime.backends.torch.errors import Failure, Given

_READ_LIMIT = 1 << 20
"""Larger index tensors are not read."""


def find(message: str) -> Callable[[Failure], tuple[str, str] | None] | None:
    """What explains an error with this message; None where it isn't about dtypes, devices, values."""
    return match_of(_KNOWN, message)


def _short(value: Any) -> str:
    return str(value).removeprefix("torch.")


def _dtypes(failure: Failure, match: re.Match[str]) -> tuple[str, str] | None:
    kinds = list(dict.fromkeys(item.info.dtype for item in failure.given))
    if len(kinds) < 2:
        return (first_line(failure), "") if failure.given else None
    cause = ", and ".join(f"{item.name} is {_short(item.info.dtype)}" for item in failure.given)
    wrong, right = _stranger(failure.given)
    return f"{cause}; they have to be the same.", _converted(wrong, right.info.dtype)


def _stranger(given: list[Given]) -> tuple[Given, Given]:
    """Which operand to convert, and to be like which: the parameters of modules stay."""
    kept = next((item for item in given if item.is_parameter), None)
    if kept is None:
        floating = [item for item in given if item.info.dtype.is_floating_point]
        kept = next((item for item in floating if item.info.dtype is torch.float32), None)
        kept = kept or (floating or given)[0]
    wrong = next(item for item in given if item.info.dtype is not kept.info.dtype)
    return wrong, kept


_METHODS = {
    torch.float32: ".float()",
    torch.float64: ".double()",
    torch.float16: ".half()",
    torch.bfloat16: ".bfloat16()",
    torch.int64: ".long()",
    torch.bool: ".bool()",
}


def _converted(item: Given, dtype: Any) -> str:
    made = ""
    if item.info.dtype is torch.float64 and dtype is torch.float32:
        made = ", or make it float32 to begin with (numpy makes float64)"
    return f"{item.name}{_METHODS.get(dtype, f'.to({dtype})')}{made}."


def _target_dtype(failure: Failure, match: re.Match[str]) -> tuple[str, str] | None:
    pair = prediction_and_target(failure)
    if pair is None or not failure.called.endswith(
        ("cross_entropy", "nll_loss", "multi_margin_loss")
    ):
        return _dtypes(failure, match)
    x, y = pair
    cause = f"{y.name} is {_short(y.info.dtype)}, and holds classes, so it has to be int64."
    if y.shape == x.shape:
        kind = _short(y.info.dtype)
        cause = f"{y.name} is {kind}; classes have to be int64, probabilities as {x.name} is."
    return cause, f"{y.name}.long()."


def _found_dtype(failure: Failure, match: re.Match[str]) -> tuple[str, str] | None:
    pair = prediction_and_target(failure)
    if pair is None or pair[0].info.dtype is pair[1].info.dtype:
        return first_line(failure), ""
    x, y = pair
    cause = (
        f"{y.name} is {_short(y.info.dtype)}, and has to be {_short(x.info.dtype)} as {x.name} is."
    )
    return cause, _converted(y, x.info.dtype)


def _index_dtype(failure: Failure, match: re.Match[str]) -> tuple[str, str] | None:
    given = [
        item
        for item in failure.given
        if item.info.dtype.is_floating_point and not item.is_parameter
    ]
    if not given:
        return first_line(failure), ""
    item = given[-1]
    return (
        f"{item.name} is {_short(item.info.dtype)}, and indices have to be int64.",
        f"{item.name}.long().",
    )


def _mask_dtype(failure: Failure, match: re.Match[str]) -> tuple[str, str] | None:
    wrong = [item for item in failure.given[1:] if item.info.dtype is not torch.bool]
    if not wrong:
        return first_line(failure), ""
    name = wrong[0].name
    return f"{name} is {_short(wrong[0].info.dtype)}, and masks have to be bool.", f"{name}.bool()."


def _no_mean(failure: Failure, match: re.Match[str]) -> tuple[str, str] | None:
    if not failure.given:
        return first_line(failure), ""
    item = failure.given[0]
    return (
        f"{item.name} is {_short(item.info.dtype)}, which has no fractions.",
        f"{item.name}.float().",
    )


def _no_gradient(failure: Failure, match: re.Match[str]) -> tuple[str, str] | None:
    if not failure.given:
        cause = "whole numbers and truth values have no gradient."
        return (
            cause,
            "give it a tensor of floating point, as .float() makes, or requires_grad=False.",
        )
    item = failure.given[0]
    return (
        f"{item.name} is {_short(item.info.dtype)}, which has no gradient.",
        f"{item.name}.float(), or requires_grad=False.",
    )


def _no_cast(failure: Failure, match: re.Match[str]) -> tuple[str, str] | None:
    if not failure.given:
        return first_line(failure), ""
    item = next((each for each in failure.given if each.keyword == "out"), failure.given[0])
    cause = (
        f"{item.name} is {_short(item.info.dtype)}, and the result, {match['have'].lower()}, would be "
        "written into it."
    )
    return (
        cause,
        f"{item.name}.float() first, or make a new tensor instead of changing it in place.",
    )


def _devices(failure: Failure, match: re.Match[str]) -> tuple[str, str] | None:
    places = dict.fromkeys(str(item.info.device) for item in failure.given)
    if len(places) < 2:
        meta = [item for item in failure.given if item.info.device.type == "meta"]
        if not meta:
            return (first_line(failure), "") if failure.given else None
        return f"{meta[0].name} is on meta, where tensors have no data.", _filled(failure, meta[0])
    cause = ", and ".join(f"{item.name} is on {item.info.device}" for item in failure.given)
    meta = [item for item in failure.given if item.info.device.type == "meta"]
    if meta:
        cause += "; a tensor on meta has a shape and no data."
        return cause, _filled(failure, meta[0])
    kept = next((item for item in failure.given if item.is_parameter), None)
    other = next(iter(item for item in failure.given if item.info.device.type != "cpu"))
    if kept is None:
        kept = other
    wrong = next(item for item in failure.given if item.info.device != kept.info.device)
    remedy = f'{wrong.name}.to("{kept.info.device}").'
    if kept.is_parameter and kept.info.device.type == "cpu":
        model = failure.owner_name or kept.name
        remedy = f'{model}.to("{wrong.info.device}"), where {wrong.name} is: best the whole model.'
    return f"{cause}; they have to be on the same.", remedy


def _filled(failure: Failure, item: Given) -> str:
    device = next(
        (str(o.info.device) for o in failure.given if o.info.device.type != "meta"), "cpu"
    )
    if item.is_parameter and failure.owner_name:
        filled = f'{failure.owner_name}.to_empty(device="{device}") and its weights loaded'
        return f'{filled}, or make it{failure.made_at} without device="meta".'
    return f'make {item.name} on {device}: without device="meta".'


def _table(failure: Failure, match: re.Match[str]) -> tuple[str, str] | None:
    indices = next((item for item in failure.given if not item.info.dtype.is_floating_point), None)
    table = next((item for item in failure.given if item.info.dtype.is_floating_point), None)
    if indices is None or table is None:
        return (first_line(failure), "") if failure.given else None
    if "embedding" not in failure.called:
        return first_line(failure), ""
    rows = table.shape[0]
    bad = _outside(indices, rows)
    holds = (
        f"{indices.name} holds {bad}"
        if bad is not None
        else f"an index in {indices.name} is outside"
    )
    cause = f"{holds}, and {table.name} has {rows} rows: 0 to {rows - 1}."
    remedy = f"indices from 0 to {rows - 1}"
    if isinstance(failure.owner, torch.nn.Embedding) and bad is not None and bad >= rows:
        wider = f"nn.Embedding({bad + 1}, {failure.owner.embedding_dim})"
        remedy = f"{wider} or more for {failure.owner_name}{failure.made_at}, or {remedy}"
    return cause, f"{remedy}."


def _outside(indices: Given, rows: int) -> int | None:
    """An index that is out of range; None where that can't be told at no cost."""
    value = indices.value
    if not isinstance(value, torch.Tensor) or value.device.type != "cpu":
        return None
    if not 0 < value.numel() <= _READ_LIMIT:
        return None
    low, high = int(value.min()), int(value.max())
    return high if high >= rows else low if low < 0 else None


def _class(failure: Failure, match: re.Match[str]) -> tuple[str, str] | None:
    pair = prediction_and_target(failure)
    if pair is None:
        return first_line(failure), ""
    x, y = pair
    classes, bad = x.shape[1] if len(x.shape) > 1 else x.shape[0], int(match["target"])
    cause = f"{y.name} holds class {bad}, and {x.name} {x.shape} has {classes}: 0 to {classes - 1}."
    remedy = f"labels from 0 to {classes - 1}"
    if bad >= classes:
        remedy = f"a last layer with {bad + 1} outputs or more, or {remedy}"
    if bad == classes:
        remedy += f" ({y.name} - 1, if they are counted from 1)"
    return cause, f"{remedy}."


_KNOWN: list[tuple[str, Say]] = [
    (r"expected target dtype to be Long|expected scalar type Long but found", _target_dtype),
    (r"Found dtype \w+ but expected \w+", _found_dtype),
    (
        r"must have the same dtype|to have the same dtype|expected scalar type \w+ but found|"
        r"same dtype, but got|Input type \((?!.*(cuda|mps|xpu)).*\) and (weight|bias) type",
        _dtypes,
    ),
    (
        r"Expected tensor for argument #\d+ 'indices' to have one of the following scalar types",
        _index_dtype,
    ),
    (r"Expected dtype int32/int64 for index|tensors used as indices must be", _index_dtype),
    (r"only supports boolean masks", _mask_dtype),
    (r"Input dtype must be either a floating point or complex dtype", _no_mean),
    (r"[Oo]nly Tensors of floating point and complex dtype can require gradients", _no_gradient),
    (r"result type (?P<have>\w+) can't be cast to the desired output type (?P<want>\w+)", _no_cast),
    (
        r"Tensor on device \S+ is not on the expected device|Expected all tensors to be on the same device|"
        r"Input type \(.*\) and weight type|[Cc]annot copy out of meta tensor|on the same device",
        _devices,
    ),
    (r"index out of range in self", _table),
    (r"Target (?P<target>-?\d+) is out of bounds", _class),
]
