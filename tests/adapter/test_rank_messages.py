"""What several processes say, made one: ids, answers, conditions."""

from __future__ import annotations

import pytest

from graphdebug.adapter import merging, rank_conditions
from graphdebug.adapter.ids import Ids
from graphdebug.adapter.references import FIRST
from graphdebug.adapter.walks import FIRST_FRAME


def test_ids_are_told_apart_and_found_again() -> None:
    ids = Ids()
    theirs = [1, 2, 65_535, 65_536, 1_000_000]
    seen = {(process, id): ids.outer(process, id) for process in range(5) for id in theirs}
    assert len(set(seen.values())) == len(seen)
    assert all(ids.inner(outer) == key for key, outer in seen.items())
    assert max(seen.values()) < min(FIRST, FIRST_FRAME)
    assert all(seen[0, id] == id for id in theirs)
    assert ids.outer(3, 0) == 0  # DAP: nothing to expand, no source


def test_bodies_and_arguments_are_translated() -> None:
    ids = Ids()
    body = {
        "stackFrames": [
            {"id": 7, "line": 3, "source": {"path": "m.py", "sourceReference": 0}, "moduleId": 2}
        ],
        "totalFrames": 1,
    }
    (frame,) = ids.to_client(4, body)["stackFrames"]
    assert ids.inner(frame["id"]) == (4, 7)
    assert ids.inner(frame["moduleId"]) == (4, 2)
    assert (frame["line"], frame["source"]["sourceReference"]) == (3, 0)
    assert ids.to_client(0, body) is body
    asked = {"frameId": frame["id"], "expression": "x", "line": frame["id"]}
    assert ids.to_process(asked) == (4, {**asked, "frameId": 7})
    assert ids.to_process({"expression": "x"}) == (None, {"expression": "x"})
    found = ids.to_client(4, {"breakpoints": [{"id": 1, "verified": True}]})
    assert found == {"breakpoints": [{"id": 1, "verified": True}]}


@pytest.mark.parametrize(
    "condition, names, stops",
    [
        ("rank == 1", {}, True),
        ("rank == 0", {}, False),
        ("rank == 1", {"rank": 5}, False),  # the program's own
        ("step > 2 and rank in (1, 3)", {"step": 3}, True),
        ("[rank for rank in (7,)] == [7]", {}, True),
        ("crank", {"crank": True}, True),
    ],
)
def test_rank_in_conditions(condition: str, names: dict[str, object], stops: bool) -> None:
    asked = rank_conditions.with_rank(condition, 1)
    assert eval(asked, {"__builtins__": __builtins__}, names) is stops
    assert eval(asked, {"__builtins__": __builtins__, **names}, {}) is stops


def test_a_rank_that_is_not_known_is_asked_for() -> None:
    asked = rank_conditions.with_rank("rank is None", None)
    assert eval(asked, {"__builtins__": __builtins__}, {}) is True
    assert rank_conditions.with_rank("rank ==", 1) == "rank =="  # debugpy says what is wrong


def test_log_messages_know_the_rank() -> None:
    message = {"arguments": {"breakpoints": [{"line": 1, "logMessage": "rank {rank}: {x} rank"}]}}
    (item,) = rank_conditions.for_rank(message, 3)["arguments"]["breakpoints"]
    assert item["logMessage"].endswith(": {x} rank")
    assert "3" in item["logMessage"]


def test_keys_of_what_is_kept() -> None:
    one = {"command": "setBreakpoints", "arguments": {"source": {"path": "a.py"}}}
    other = {"command": "setBreakpoints", "arguments": {"source": {"path": "b.py"}}}
    assert merging.key(one) != merging.key(other)
    assert merging.key(one) == merging.key({**one, "seq": 3})
