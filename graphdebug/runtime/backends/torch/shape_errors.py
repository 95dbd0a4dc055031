"""Operands whose sizes don't fit: what is said of each of torch's errors, and the likely remedy."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Callable
from typing import TYPE_CHECKING

import torch

from graphdebug.runtime.backends.torch import optimizer_errors

if TYPE_CHECKING:
    from graphdebug.runtime.backends.torch.errors import Failure, Given

Say = Callable[["Failure", "re.Match[str]"], "tuple[str, str] | None"]
"""The cause and the remedy, as sentences; None where it isn't what it looked like."""


def find(message: str) -> Callable[[Failure], tuple[str, str] | None] | None:
    """What explains an error with this message; None where it isn't about sizes."""
    return match_of(_KNOWN, message)


def match_of(
    known: list[tuple[str, Say]], message: str
) -> Callable[[Failure], tuple[str, str] | None] | None:
    """The first of a table's that knows a message."""
    for pattern, say in known:
        match = re.search(pattern, message)
        if match is not None:
            return lambda failure, say=say, match=match: say(failure, match)  # type: ignore[misc]
    return None


def two(failure: Failure) -> tuple[Given, Given] | None:
    """The two operands, where there are that many."""
    return (failure.given[0], failure.given[1]) if len(failure.given) > 1 else None


def first_line(failure: Failure) -> str:
    """The error's own words, as a sentence."""
    return failure.message.partition("\n")[0].strip().rstrip(".") + "."


def _matmul(failure: Failure, match: re.Match[str]) -> tuple[str, str] | None:
    owner = failure.owner
    if isinstance(owner, torch.nn.Linear) and failure.given and failure.given[0].shape:
        x = failure.given[0]
        size, takes = x.shape[-1], owner.in_features
        layer = failure.owner_name
        cause = f"the last size of {x.name} is {size}, and {layer} takes {takes} (in_features)."
        made = f"nn.Linear({size}, {owner.out_features}) for {failure.owner_name}{failure.made_at}"
        if size == takes:
            return first_line(failure), ""
        return cause, f"{made}, or give it a tensor whose last size is {takes}{_flat(x, takes)}."
    pair = multiplied(failure)
    if pair is None:
        return first_line(failure), ""
    x, w = pair
    if len(w.shape) == 1 or len(x.shape) == 1:
        inner = w.shape[0] if len(w.shape) == 1 else w.shape[-2]
        return f"the last size of {x.name} is {x.shape[-1]}, and {w.name} has {inner} there.", ""
    if failure.called.endswith("linear"):
        return (
            f"the last size of {x.name} is {x.shape[-1]}, and that of {w.name} is {w.shape[-1]}.",
            "",
        )
    if x.shape[-1] == w.shape[-2]:
        cause = f"{x.name} has {x.shape[:-2]} before its last two sizes, and {w.name} has {w.shape[:-2]}."
        return cause, ""
    cause = (
        f"the last size of {x.name} is {x.shape[-1]}, and the one before the last of {w.name} is "
        f"{w.shape[-2]}; they have to be equal."
    )
    return cause, _transposed(x, w)


_PRODUCTS = (
    "matmul",
    "mm",
    "bmm",
    "mv",
    "dot",
    "vdot",
    "inner",
    "linear",
    "__matmul__",
    "__rmatmul__",
)


def multiplied(failure: Failure) -> tuple[Given, Given] | None:
    """The two operands of a product of matrices, as the error names their sizes; None of another."""
    called = re.split(r"[^\w]", failure.called)[-1]
    if "@" not in failure.called and called not in _PRODUCTS:
        return None
    pair = two(failure)
    if pair is None or not (pair[0].shape and pair[1].shape):
        return None
    sizes = re.search(r"\((\d+)x(\d+) and (\d+)x(\d+)\)", failure.message)
    if sizes is None:
        return pair
    rows, inner, outer, columns = map(int, sizes.groups())
    x, w = pair
    turned = w.shape[::-1] if called == "linear" else w.shape
    fits = math.prod(x.shape) == rows * inner and x.shape[-1] == inner
    return pair if fits and turned[-2:] == (outer, columns) else None


def _flat(x: Given, takes: int) -> str:
    for start in range(1, len(x.shape) - 1):
        if math.prod(x.shape[start:]) == takes:
            return f", as {x.name}.flatten({start}) is"
    if len(x.shape) == 2 and x.shape[0] == takes:
        return f", as {x.name}.T is"
    return ""


def _transposed(x: Given, w: Given) -> str:
    if x.shape[-1] == w.shape[-1]:
        turned = ".T" if len(w.shape) == 2 else ".mT"
        return f"{w.name}{turned} has sizes that fit."
    if len(x.shape) > 1 and x.shape[-2] == w.shape[-2]:
        turned = ".T" if len(x.shape) == 2 else ".mT"
        return f"{x.name}{turned} has sizes that fit."
    return ""


def _joined(failure: Failure, match: re.Match[str]) -> tuple[str, str] | None:
    if len(failure.given) < 2:
        return first_line(failure), ""
    first = failure.given[0]
    other = next((item for item in failure.given if len(item.shape) != len(first.shape)), None)
    if other is not None and "except in dimension" in match[0]:
        return first_line(failure), ""
    if other is not None:
        cause = f"{first.name} has {len(first.shape)} dimensions, and {other.name} has {len(other.shape)}."
        short, long = sorted((first, other), key=lambda item: len(item.shape))
        fits = len(long.shape) - len(short.shape) == 1
        return (
            cause,
            f"{short.name}.unsqueeze(0), if that is the dimension it lacks." if fits else "",
        )
    along = int(match.groupdict().get("along") or 0)
    for item in failure.given[1:]:
        apart = [at for at, size in enumerate(item.shape) if size != first.shape[at]]
        stacks = failure.called.rpartition(".")[2] == "stack"
        wrong = [at for at in apart if at != along or stacks]
        if wrong:
            cause = (
                f"in dimension {wrong[0]} {first.name} has {first.shape[wrong[0]]} and {item.name} "
                f"has {item.shape[wrong[0]]}; {failure.called} needs them equal."
            )
            rest = [each.shape[: apart[0]] + each.shape[apart[0] + 1 :] for each in failure.given]
            joins = failure.called.endswith("cat") and len(set(rest)) == 1
            return cause, f"dim={apart[0]}, along which they fit." if joins else ""
    return first_line(failure), ""


def _channels(failure: Failure, match: re.Match[str]) -> tuple[str, str] | None:
    owner, x = failure.owner, failure.given[0] if failure.given else None
    if x is None:
        return first_line(failure), ""
    has, takes = int(match["has"]), int(match["takes"])
    name = failure.owner_name or "the weight"
    has_channels = f"{has} channel{'s' if has != 1 else ''}"
    batched = len(x.shape) == len(match["input"].split(","))
    if x.shape[batched : batched + 1] != (has,):
        return first_line(failure), ""
    dimension = int(batched)
    cause = f"{x.name} has {has_channels} (dimension {dimension}), and {name} takes {takes} (in_channels)."
    remedy = ""
    if made_by_torch(owner) and hasattr(owner, "out_channels") and not has % owner.groups:
        kind, size = type(owner).__name__, owner.kernel_size
        size = size[0] if len(set(size)) == 1 else size
        remedy = f"nn.{kind}({has}, {owner.out_channels}, {size}, ...) for {name}{failure.made_at}."
    if x.shape[-1] == takes and len(x.shape) == 4:
        remedy = f"{x.name}.permute(0, 3, 1, 2), if its channels come last."
    return cause, remedy


def _rank(failure: Failure, match: re.Match[str]) -> tuple[str, str] | None:
    if not failure.given:
        return first_line(failure), ""
    x = failure.given[0]
    wanted = [int(digit) for digit in re.findall(r"(\d)D", match[0])]
    remedy = ""
    if len(x.shape) + 1 in wanted:
        remedy = f"{x.name}.unsqueeze(0) for a batch of one, or .unsqueeze(1) for one channel."
    return f"{x.name} has {len(x.shape)} dimensions: {first_line(failure)}", remedy


def _broadcast(failure: Failure, match: re.Match[str]) -> tuple[str, str] | None:
    pair = _apart(failure)
    if pair is None:
        return optimizer_errors.mismatch(failure) or (first_line(failure), "")
    a, b = pair
    cause = (
        f"{a.name} {a.shape} and {b.name} {b.shape} don't broadcast: counted from the last, sizes have "
        "to be equal or 1."
    )
    for x, y in ((a, b), (b, a)):
        for at in range(len(x.shape) + 1 if len(x.shape) < len(y.shape) else 0):
            if broadcasts((*x.shape[:at], 1, *x.shape[at:]), y.shape):
                return (
                    cause,
                    f"{x.name}.unsqueeze({at}), if its sizes stand for the others of {y.name}.",
                )
    if a.shape[::-1] == b.shape and len(a.shape) == 2:
        return cause, f"{b.name}.T, if it is meant so."
    return cause, ""


_OF_THREE = ("where", "clamp", "clip", "lerp", "addcmul", "addcdiv")


def _apart(failure: Failure) -> tuple[Given, Given] | None:
    """The two operands that don't broadcast, by the sizes that the error names."""
    called = failure.called.rpartition(".")[2].rstrip("_")
    if len(failure.given) != 2 and called not in _OF_THREE:
        return None
    sizes = {int(size) for size in re.findall(r"tensor [ab] \((\d+)\)", failure.message)}
    for a, b in itertools.combinations(failure.given, 2):
        pairs = zip(reversed(a.shape), reversed(b.shape), strict=False)
        if any({x, y} == sizes and x != y for x, y in pairs):
            return a, b
    return None


def broadcasts(a: tuple[int, ...], b: tuple[int, ...]) -> bool:
    """Whether two shapes do."""
    return all(x == y or 1 in (x, y) for x, y in zip(reversed(a), reversed(b), strict=False))


def _output(failure: Failure, match: re.Match[str]) -> tuple[str, str] | None:
    if not failure.given:
        return first_line(failure), ""
    x = failure.given[0]
    cause = (
        f"{x.name} {x.shape} is changed in place, and the result has the shape {match['result']}."
    )
    return (
        cause,
        f"make a new tensor ({x.name} = {x.name} + ...), or reduce the other operand first.",
    )


def _view(failure: Failure, match: re.Match[str]) -> tuple[str, str] | None:
    sizes = [int(size) for size in match["sizes"].split(",") if size.strip()]
    elements = int(match["elements"])
    x = failure.given[0] if failure.given else None
    name = x.name if x is not None else "the tensor"
    known = math.prod(size for size in sizes if size != -1)
    if -1 in sizes:
        cause = f"{name} has {elements} elements, which {known} doesn't divide."
        return cause, ""
    cause = f"{name} has {elements} elements, and {tuple(sizes)} holds {known}."
    for at in (0, *range(len(sizes) - 1, 0, -1)):
        rest = math.prod(size for place, size in enumerate(sizes) if place != at)
        if rest and elements % rest == 0:
            fits = [*sizes[:at], -1, *sizes[at + 1 :]]
            return cause, f"{tuple(fits)}: size {at} is then {elements // rest}."
    return cause, ""


def _stride(failure: Failure, match: re.Match[str]) -> tuple[str, str] | None:
    x = failure.given[0].name if failure.given else "the tensor"
    cause = f"the elements of {x} don't lie in memory in the order of its dimensions."
    return cause, f"{x}.reshape(...) instead of .view(...), which copies where it has to."


def _expanded(failure: Failure, match: re.Match[str]) -> tuple[str, str] | None:
    names = " and ".join(f"{item.name} {item.shape}" for item in failure.given)
    about = f" ({names})" if names else ""
    return (
        f"a tensor of shape {_round(match['have'])} is to fill {_round(match['want'])}{about}; sizes "
        f"have to be equal or 1, and {match['existing']} isn't {match['wanted']}.",
        "",
    )


def _round(sizes: str) -> str:
    return f"({sizes},)" if "," not in sizes else f"({sizes})"


def _features(failure: Failure, match: re.Match[str]) -> tuple[str, str] | None:
    x = failure.given[0] if failure.given else None
    name, has, takes = failure.owner_name, match["has"], match["takes"]
    said = f"{name} was made for {takes}" if name else f"{takes} are expected"
    what = f"{x.name} has {has}" if x is not None else f"there are {has}"
    kind = type(failure.owner).__name__ if made_by_torch(failure.owner) else ""
    if int(has) % getattr(failure.owner, "num_heads", 1):
        kind = ""
    remedy = f"nn.{kind}({has}, ...) for {name}{failure.made_at}." if kind and name else ""
    return f"{what} features, and {said}.", remedy


def made_by_torch(owner: object) -> bool:
    """Whether a module is of one of torch's own classes, whose arguments are known."""
    return type(owner).__module__.startswith("torch.nn.modules.")


def _normalized(failure: Failure, match: re.Match[str]) -> tuple[str, str] | None:
    x = failure.given[0] if failure.given else None
    if x is None:
        return first_line(failure), ""
    name = failure.owner_name or "the layer"
    takes = _round(match["takes"])
    ends = x.shape[-len(match["takes"].split(",")) :]
    cause = f"{x.name} ends in {ends}, and {name} was made for {takes}."
    if not made_by_torch(failure.owner) or not failure.owner_name:
        return cause, ""
    kind, sizes = type(failure.owner).__name__, ends[0] if len(ends) == 1 else ends
    return cause, f"nn.{kind}({sizes}) for {failure.owner_name}{failure.made_at}."


def _one_value(failure: Failure, match: re.Match[str]) -> tuple[str, str] | None:
    x = failure.given[0].name if failure.given else "the input"
    cause = f"{x} has one value for each channel, of which no variance can be taken in training."
    return cause, "a batch of more than one (drop_last=True in the DataLoader), or model.eval()."


def _dimension(failure: Failure, match: re.Match[str]) -> tuple[str, str] | None:
    x = failure.given[0] if failure.given else None
    if x is None:
        return first_line(failure), ""
    return (
        f"{x.name} {x.shape} has {len(x.shape)} dimensions, and dimension {match['got']} is asked for.",
        "",
    )


def _index(failure: Failure, match: re.Match[str]) -> tuple[str, str] | None:
    x = failure.given[0] if failure.given else None
    size, dimension = int(match["size"]), int(match["dim"])
    if x is None or not 0 <= dimension < len(x.shape) or x.shape[dimension] != size:
        return first_line(failure), ""  # counted after the dimensions before were indexed
    where = f"dimension {dimension} of {x.name} {x.shape}"
    return f"index {match['index']} is outside of {where}: 0 to {size - 1}.", ""


def _own_words(failure: Failure, match: re.Match[str]) -> tuple[str, str] | None:
    return (first_line(failure), "") if failure.given else None


_KNOWN: list[tuple[str, Say]] = [
    (
        r"mat1 and mat2 shapes cannot be multiplied|size mismatch, got|inconsistent tensor size",
        _matmul,
    ),
    (r"Expected size for first two dimensions of batch2 tensor", _matmul),
    (r"(batch1|batch2|mat\d?|self) must be a (3D tensor|matrix)|matrix expected", _own_words),
    (r"Sizes of tensors must match except in dimension (?P<along>\d+)", _joined),
    (
        r"Tensors must have same number of dimensions|stack expects each tensor to be equal size",
        _joined,
    ),
    (
        r"expected input\[(?P<input>[\d, ]*)\] to have (?P<takes>\d+) channels, but got (?P<has>\d+) "
        r"channels",
        _channels,
    ),
    (r"Expected (\dD).* or (\dD).* input to \w+|[Ee]xpected (\dD)( or (\dD))? input", _rank),
    (r"Kernel size can't be greater than actual input size|Output size is too small", _own_words),
    (r"The size of tensor a \(\d+\) must match the size of tensor b", _broadcast),
    (r"output with shape .* doesn't match the broadcast shape (?P<result>\[[\d, ]*\])", _output),
    (r"shape '\[(?P<sizes>[-\d, ]*)\]' is invalid for input of size (?P<elements>\d+)", _view),
    (r"view size is not compatible with input tensor's size and stride", _stride),
    (
        r"expanded size of the tensor \((?P<wanted>\d+)\) must match the existing size "
        r"\((?P<existing>\d+)\).*"
        r"Target sizes: \[(?P<want>[\d, ]*)\].*Tensor sizes: \[(?P<have>[\d, ]*)\]",
        _expanded,
    ),
    (r"running_mean should contain (?P<has>\d+) elements not (?P<takes>\d+)", _features),
    (r"Expected (?P<takes>\d+), got (?P<has>\d+)", _features),
    (r"Given normalized_shape=\[(?P<takes>[\d, ]+)\], expected input with shape", _normalized),
    (r"Expected more than 1 value per channel when training", _one_value),
    (r"Dimension out of range \(expected .*, but got (?P<got>-?\d+)\)", _dimension),
    (
        r"index (?P<index>-?\d+) is out of bounds for dimension (?P<dim>\d+) with size (?P<size>\d+)",
        _index,
    ),
    (r"The shape of the mask .* does not match the shape of the indexed tensor", _own_words),
    (
        r"split_with_sizes expects|number of dimensions in the tensor input does not match",
        _own_words,
    ),
    (r"was expecting embedding dimension of (?P<takes>\d+), but got (?P<has>\d+)", _features),
    (r"attempting to assign a gradient of size", _own_words),
    (
        r"shape mismatch|size mismatch(?! for)|must match the size|does not match .*(shape|size)",
        _own_words,
    ),
    (r"[Ee]xpected .*(shape|size|dimension)s? .*got|[Ii]ncompatible (shape|size)s?", _own_words),
]
