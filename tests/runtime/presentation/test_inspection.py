"""What both frameworks share: indices, numbers, moments, groups. No framework is needed."""

from __future__ import annotations

import itertools
import math
import random
import statistics
from typing import Any

import pytest

from graphdebug.protocol.dap import TensorSummary
from graphdebug.protocol.model import Tensor
from graphdebug.runtime.inspection import (
    BINS,
    Moments,
    bin_edges,
    check_size,
    parse_index,
    plain,
    shortest,
    total,
)
from graphdebug.runtime.tree import PAGE, Elements, Group, paged, pages


@pytest.mark.parametrize(
    ("text", "index"),
    [
        (None, ()),
        ("  ", ()),
        ("0", (0,)),
        ("-1", (-1,)),
        ("0, :, 2:4", (0, slice(None), slice(2, 4))),
        ("...", (...,)),
        ("::2, None", (slice(None, None, 2), None)),
        ("-3:-1:-1,", (slice(-3, -1, -1),)),
    ],
)
def test_an_index_is_what_stands_between_brackets(text: str | None, index: tuple[Any, ...]) -> None:
    assert parse_index(text) == index


@pytest.mark.parametrize(
    "text",
    [
        "x",
        "1.0",
        "True",
        "'a'",
        "[0]",
        "0]; print(1); x[0",
        "f()",
        "0:x",
        "1+1",
        "(",
        "\0",
        "(" * 999,
    ],
)
def test_anything_else_is_refused_with_a_sentence(text: str) -> None:
    with pytest.raises(ValueError, match="is not an index of integers"):
        parse_index(text)


def test_too_many_values_are_refused_with_a_way_out() -> None:
    check_size(10_000, 2)
    with pytest.raises(ValueError, match=r"10,001 .* such as \[0, 0, :10\]"):
        check_size(10_001, 3)


def test_numbers_read_with_the_digits_of_their_type() -> None:
    assert shortest(0.10000000149011612, "float32") == 0.1
    assert shortest(0.10009765625, "bfloat16") == 0.1
    assert shortest(0.0999755859375, "float16") == 0.1
    assert shortest(0.10000000149011612, "float64") == 0.10000000149011612
    assert shortest(16777216.0, "float32") == 16777216.0
    assert math.isnan(shortest(math.nan, "float32"))


def test_values_without_a_json_form_become_text() -> None:
    assert plain([1 + 2j, (b"a", "ü", True, None)]) == ["(1+2j)", ["a", "ü", True, None]]
    assert plain(b"\xff") == "\\xff"


def test_moments_of_pieces_are_those_of_the_whole() -> None:
    numbers = [random.Random(seed).gauss(5, 3) for seed in range(1000)]
    pieces = [numbers[:1], numbers[1:300], [], numbers[300:]]
    found = total(map(measured, pieces)) + Moments(3, nan=1, inf=2)
    assert found.elements == 1003 and found.finite == 1000
    assert (found.minimum, found.maximum) == (min(numbers), max(numbers))
    assert found.mean == pytest.approx(statistics.fmean(numbers))
    summary = found.summary()
    assert summary.std == pytest.approx(statistics.pstdev(numbers))
    assert (summary.nan, summary.inf, summary.zeros) == (1, 2, 0)


def test_repeated_elements_count_as_often() -> None:
    numbers = [1.0, 2.0, 4.0]
    repeated, written = (
        vars(m.summary()) for m in (measured(numbers).repeated(7), measured(numbers * 7))
    )
    assert repeated == pytest.approx(written)
    zeros = (measured(numbers) + Moments.constant(0, 3)).summary()
    assert zeros.zeros == 3 and zeros.mean == pytest.approx(7 / 6)


def test_nothing_has_no_statistics() -> None:
    assert Moments().summary() == TensorSummary(elements=0)
    assert Moments(2, nan=2).summary() == TensorSummary(elements=2, nan=2)


def test_bins_span_all_that_is_finite() -> None:
    edges = bin_edges(measured([-1.0, 3.0]))
    assert len(edges) == BINS + 1 and edges[0] == -1.0 and edges[-1] == 3.0
    assert bin_edges(measured([2.0]))[0::BINS] == [1.5, 2.5]
    assert bin_edges(Moments())[0::BINS] == [0.0, 1.0]
    wide = bin_edges(Moments(2, 2, -1.7e308, 1.7e308))
    assert all(map(math.isfinite, wide)) and wide == sorted(wide)


@pytest.mark.parametrize("length", [1, 99, 100, 101, 10_000, 10_001, 999_999, 10**9, 10**12])
def test_no_level_has_more_than_a_page(length: int) -> None:
    ranges = pages(7, 7 + length)
    assert len(ranges) <= PAGE
    assert ranges[0][0] == 7 and ranges[-1][1] == 7 + length
    assert all(left[1] == right[0] for left, right in itertools.pairwise(ranges))


def test_many_children_are_grouped() -> None:
    children = [(f"[{at}]", at, None) for at in range(20_001)]
    found = leaves(Group("", lambda: paged(children)))
    assert found == list(range(20_001))


def test_every_element_is_found_at_its_place_and_only_what_is_open_is_read() -> None:
    shape = (3, 250, 2)
    read: list[Any] = []

    def value(at: tuple[Any, ...]) -> Any:
        read.append(at)
        return nested(shape, at)

    tensor = Tensor(shape, "int64", "cpu", 0)
    elements = Elements(tensor, False, value, lambda at: TensorSummary(1))
    found = elements.children()
    assert [name for name, _, _ in found] == ["statistics", "values"] and read == []
    walk(elements, found, "x", lambda: {"x": Nested(shape)})
    assert len(read) == 3 * 250 and all(len(at) == 3 for at in read)


class Nested:
    """A tensor that knows its own places only."""

    def __init__(self, shape: tuple[int, ...], at: tuple[int, ...] = ()) -> None:
        self.shape, self.at, self.base = shape, at, 0
        self.length = shape[len(at)] if len(at) < len(shape) else 0

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            part = Nested(self.shape, self.at)
            part.base, part.length = self.base + index.start, index.stop - index.start
            return part
        assert 0 <= index < self.length
        at = (*self.at, self.base + index)
        return nested(self.shape, at) if len(at) == len(self.shape) else Nested(self.shape, at)


def walk(elements: Elements, children: Any, name: str, scope: Any) -> None:
    """Open all; where a child is a number, its expression must evaluate to it."""
    for _, value, suffix in children:
        if suffix is None:
            continue
        if isinstance(value, Group):
            walk(elements, value.open(), name + suffix, scope)
        elif isinstance(value, int):
            assert eval(name + suffix, scope()) == value


def nested(shape: tuple[int, ...], at: tuple[Any, ...]) -> Any:
    """Elements that spell their own place as a number."""
    if at and isinstance(at[-1], slice):
        return [nested(shape, (*at[:-1], each)) for each in range(at[-1].start, at[-1].stop)]
    assert len(at) == len(shape)
    return at[0] * 1_000_000 + at[1] * 1000 + at[2]


def leaves(group: Group) -> list[Any]:
    found = []
    children = group.open()
    assert len(children) <= PAGE
    for _, value, _ in children:
        found += leaves(value) if isinstance(value, Group) else [value]
    return found


def measured(numbers: list[float]) -> Moments:
    if not numbers:
        return Moments()
    return Moments(
        len(numbers),
        len(numbers),
        min(numbers),
        max(numbers),
        statistics.fmean(numbers),
        statistics.pvariance(numbers) * len(numbers),
        zeros=numbers.count(0),
    )
