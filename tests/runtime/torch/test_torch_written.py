"""What counts as a write to a tensor: its own memory, whoever else shares it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from graphdebug.runtime.backends.torch.written import (  # noqa: E402
    ELEMENTS_LIMIT,
    Memory,
    version,
    written,
)

pytestmark = pytest.mark.frameworks


def writes(tensor: Any, other: Any, write: Callable[[Any], Any]) -> bool:
    """Whether ``write``, an operation on ``other``, counts as one on ``tensor``."""
    before, given = Memory.of(tensor), [(other, version(other))]
    write(other)
    return written(tensor, before, Memory.of(tensor), given)


def test_views_are_told_apart_by_the_elements_that_they_share() -> None:
    base = torch.zeros(4, 6)
    add = lambda item: item.add_(1)  # noqa: E731
    assert writes(base, base, add) and writes(base, base[1], add) and writes(base[1], base, add)
    assert writes(base[1], base.data[1], add) and writes(base, base.data, add)
    assert not writes(base[0], base[1], add)
    assert not writes(base[:, 0], base[:, 1], add) and writes(base[:, 0], base[2], add)
    assert not writes(base[::2], base[1::2], add) and writes(base[::2], base.t()[3], add)
    assert not writes(base, torch.zeros(4, 6), add)
    assert not writes(base, base, lambda item: item.add(1))
    assert writes(base, base.view(torch.int32)[0], add)
    assert not writes(base[:, :0], base, add) and not writes(base, base[:0], add)


def test_data_that_is_replaced_counts() -> None:
    tensor = torch.zeros(3)

    def replace(item: Any) -> None:
        item.data = torch.ones(3)

    assert writes(tensor, tensor, replace)
    assert not writes(tensor, torch.zeros(3), replace)


def test_where_nobody_knows_what_ran_the_count_decides() -> None:
    base = torch.zeros(4)
    before = Memory.of(base)
    assert not written(base, before, Memory.of(base), None)
    base[:2].add_(1)
    assert written(base, before, Memory.of(base), None)


def test_large_views_are_not_compared_one_by_one() -> None:
    base = torch.zeros(2, ELEMENTS_LIMIT + 1, dtype=torch.int8)
    assert writes(base.t()[:, 0], base.t()[:, 0], lambda item: item.add_(1))
    assert writes(base[:, ::2], base[:, 1::2], lambda item: item.add_(1)) is True
    with torch.inference_mode():
        tensor = torch.zeros(3)
    assert version(tensor) == -1
