"""A short version of ``benchmarks/live_stress.py``."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.live_series import many_stops, one_detach
from support.sandbox import Sandbox

pytestmark = pytest.mark.frameworks


def test_many_stops_change_nothing(sandbox: Sandbox, tmp_path: Path) -> None:
    assert many_stops(100, tmp_path).startswith("100 stops")


@pytest.mark.parametrize("number", [1, 2])
def test_leaving_anywhere_changes_nothing(sandbox: Sandbox, tmp_path: Path, number: int) -> None:
    assert one_detach(number, tmp_path) > 0
    assert not list(tmp_path.glob("graphdebug-*"))
