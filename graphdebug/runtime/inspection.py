"""What both frameworks' ``inspect`` share: indices, moments and numbers in wire form."""

from __future__ import annotations

import ast
import math
from collections.abc import Iterable
from dataclasses import dataclass
from types import EllipsisType
from typing import Any

from graphdebug.protocol.dap import GraphdebugTensorResponse, TensorHistogram, TensorSummary
from graphdebug.protocol.model import VALUE_LIMIT as VALUE_LIMIT
from graphdebug.protocol.model import Tensor
from graphdebug.protocol.wire import to_wire

VALUES_LIMIT = 10_000
"""How many elements the mode ``values`` sends at most."""

TEXT_LIMIT = 1_000
"""Tensors of at most this many elements are printed in full where the user asks for their text."""

BINS = 64
"""How many bins a histogram has."""

MODES = ("summary", "values", "histogram")
"""What ``inspect`` can compute."""

Index = tuple["int | slice | EllipsisType | None", ...]


def parse_index(text: str | None) -> Index:
    """What stands between the brackets of ``tensor[...]``, without evaluating anything.

    Raises ValueError, with a sentence for the user, for all but integers, slices, ``...`` and None.
    """
    if text is None or not text.strip():
        return ()
    try:
        item = ast.parse(f"_[{text}]", mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise _bad_index(text) from None
    if not (isinstance(item, ast.Subscript) and isinstance(item.value, ast.Name)):
        raise _bad_index(text)
    parts = item.slice.elts if isinstance(item.slice, ast.Tuple) else [item.slice]
    return tuple(_index_part(part, text) for part in parts)


def _index_part(node: ast.expr, text: str) -> int | slice | EllipsisType | None:
    if isinstance(node, ast.Slice):
        ends = (node.lower, node.upper, node.step)
        return slice(*(None if end is None else _integer(end, text) for end in ends))
    if isinstance(node, ast.Constant) and (node.value is None or node.value is Ellipsis):
        return node.value
    return _integer(node, text)


def _integer(node: ast.expr, text: str) -> int:
    sign = 1
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        sign, node = -1, node.operand
    if isinstance(node, ast.Constant) and type(node.value) is int:
        return sign * node.value
    raise _bad_index(text)


def _bad_index(text: str) -> ValueError:
    return ValueError(
        f"[{text}] is not an index of integers, slices, '...' and None, such as [0, :, 2:4]"
    )


@dataclass
class Moments:
    """Statistics of elements that are measured piece by piece."""

    elements: int = 0
    """How many there are."""
    finite: int = 0
    """How many of them are finite."""
    minimum: float | None = None
    """Smallest finite one."""
    maximum: float | None = None
    """Largest finite one."""
    mean: float = 0.0
    """Mean of the finite ones."""
    squares: float = 0.0
    """Sum of the squared distances of the finite ones from their mean."""
    nan: int = 0
    """How many are NaN."""
    inf: int = 0
    """How many are infinite."""
    zeros: int = 0
    """How many are zero."""

    @classmethod
    def constant(cls, value: float, count: int) -> Moments:
        """Those of ``count`` equal elements."""
        zeros = 0 if value else count
        return cls(count, count, value, value, float(value), 0.0, zeros=zeros)

    def repeated(self, times: int) -> Moments:
        """Those of the same elements, ``times`` over."""
        return Moments(
            self.elements * times,
            self.finite * times,
            self.minimum,
            self.maximum,
            self.mean,
            self.squares * times,
            self.nan * times,
            self.inf * times,
            self.zeros * times,
        )

    def __add__(self, other: Moments) -> Moments:
        """Those of both together."""
        if not other.finite or not self.finite:
            known = self if self.finite else other
            mean, squares = known.mean, known.squares
        else:
            apart = other.mean - self.mean
            share = other.finite / (self.finite + other.finite)
            mean = self.mean + apart * share
            squares = self.squares + other.squares + apart * apart * self.finite * share
        low = [each for each in (self.minimum, other.minimum) if each is not None]
        high = [each for each in (self.maximum, other.maximum) if each is not None]
        return Moments(
            self.elements + other.elements,
            self.finite + other.finite,
            min(low, default=None),
            max(high, default=None),
            mean,
            squares,
            self.nan + other.nan,
            self.inf + other.inf,
            self.zeros + other.zeros,
        )

    def summary(self) -> TensorSummary:
        """As the protocol has it."""
        known = self.finite > 0
        return TensorSummary(
            elements=self.elements,
            minimum=self.minimum,
            maximum=self.maximum,
            mean=self.mean if known else None,
            std=math.sqrt(self.squares / self.finite) if known else None,
            nan=self.nan,
            inf=self.inf,
            zeros=self.zeros,
        )


def total(parts: Iterable[Moments]) -> Moments:
    """The moments of all parts together."""
    return sum(parts, Moments())


def bin_edges(moments: Moments) -> list[float]:
    """The edges of a histogram's bins, over the range that numpy chooses."""
    low, high = moments.minimum, moments.maximum
    if low is None or high is None:
        low, high = 0.0, 1.0
    elif low == high:
        beside = max(0.5, abs(low) * 1e-9)  # half is nothing to a large float
        low, high = low - beside, high + beside
    # Not (high - low) / BINS: the difference of two floats may be infinite.
    width = high / BINS - low / BINS
    inner = (min(low + width * at, high) for at in range(1, BINS))
    return [float(low), *map(float, inner), float(high)]


def answer(
    tensor: Tensor,
    *,
    summary: TensorSummary | None = None,
    values: Any = None,
    histogram: TensorHistogram | None = None,
) -> dict[str, Any]:
    """The body of the answer to ``graphdebugTensor``, in wire form."""
    body: dict[str, Any] = to_wire(GraphdebugTensorResponse(tensor, summary, values, histogram))
    return body


def check_mode(mode: str) -> None:
    """Raise ValueError for a mode that isn't one."""
    if mode not in MODES:
        raise ValueError(f"mode is {mode!r}, which is none of {', '.join(MODES)}")


def check_size(elements: int, rank: int) -> None:
    """Raise ValueError where ``values`` would send too much."""
    if elements > VALUES_LIMIT:
        example = ", ".join(["0"] * (rank - 1) + [":10"])
        raise ValueError(
            f"{elements:,} elements are more than the {VALUES_LIMIT:,} that are sent at once: "
            f"ask for a slice, such as [{example}]"
        )


def plain(value: Any, dtype: str = "") -> Any:
    """Nested lists of a framework's elements as JSON values; what JSON has no form for, as text."""
    if isinstance(value, (list, tuple)):
        return [plain(item, dtype) for item in value]
    if isinstance(value, float):
        return shortest(value, dtype)
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, bytes):
        return value.decode(errors="backslashreplace")
    return str(value)


_PRECISION = {"float32": 24, "float16": 11, "bfloat16": 8, "float8_e4m3": 4, "float8_e5m2": 3}
"""Bits of the significand, of the types that have fewer than Python's float."""


def shortest(value: float, dtype: str) -> float:
    """The float with the fewest digits that names the same element: 0.1, not 0.10000000149011612.

    An element that takes fewer bits than Python's float reads with digits that aren't its own.
    """
    bits = _PRECISION.get(dtype[:11])
    if bits is None or not math.isfinite(value) or value == int(value):
        return value
    fraction, exponent = math.frexp(value)
    # Neighbours stand half as near on the side of zero from a power of two.
    reach = math.ldexp(0.25 if abs(fraction) == 0.5 else 0.5, exponent - bits)
    for digits in range(1, 17):
        short = float(f"{value:.{digits}g}")
        if abs(short - value) < reach:
            return short
    return value
