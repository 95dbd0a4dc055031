"""Breakpoints of the runtime: what stays when a client sets them anew."""

from __future__ import annotations

from pytest import MonkeyPatch

from graphdebug.protocol.runtime import Breakpoint
from graphdebug.runtime.breakpoints import NAMES, Breakpoints, is_true


def test_hit_counts_stay_with_breakpoints_that_stay_as_they_were() -> None:
    every = Breakpoint(1, hit_condition="% 4")
    later = Breakpoint(2, hit_condition=">= 3")
    elsewhere = Breakpoint(1, hit_condition="5")
    breakpoints = Breakpoints()
    breakpoints.replace_all({"/a.py": (every, later), "/b.py": (elsewhere,)})
    for path, item in (("/a.py", every), ("/a.py", later), ("/b.py", elsewhere)):
        breakpoints.hit(path, item, {}, {})
    assert breakpoints.counts == {("/a.py", 1): 1, ("/a.py", 2): 1, ("/b.py", 1): 1}
    breakpoints.replace_all({"/a.py": (every, Breakpoint(2, hit_condition=">= 4"))})
    assert breakpoints.counts == {("/a.py", 1): 1}
    breakpoints.replace_all({"/b.py": (elsewhere,)})
    assert breakpoints.counts == {}


def test_conditions_know_the_rank_unless_the_program_has_the_name(monkeypatch: MonkeyPatch) -> None:
    monkeypatch.setitem(NAMES, "rank", 3)
    assert is_true("rank == 3", {}, {})
    assert is_true("rank == 5", {"rank": 5}, {})
    assert is_true("rank == 5", {}, {"rank": 5})
