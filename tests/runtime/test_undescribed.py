"""Runs that are described when somebody looks: what is sent, and when."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from graphdebug.protocol.model import Node
from graphdebug.protocol.runtime import GraphEvent
from graphdebug.runtime import undescribed
from graphdebug.runtime.recorder import PART, Recorder
from graphdebug.runtime.undescribed import NODES_LIMIT, RUNS_LIMIT


class Observer:
    """Somebody who was told, and can ask."""

    def __init__(self) -> None:
        self.told: list[GraphEvent] = []
        self.here = True
        self.recorder = Recorder(self.tell, lambda: self.here)

    def tell(self, event: object, droppable: bool = False) -> bool:
        assert isinstance(event, GraphEvent)
        self.told.append(event)
        return True

    def described(self) -> list[int]:
        told, self.told = self.told, []
        return [event.graph for event in told]


@pytest.fixture
def observer() -> Iterator[Observer]:
    yield Observer()


def run(name: str, count: int = 1) -> Callable[[], list[Node]]:
    return lambda: [
        Node(index, 0, name, "Add", "graph", 0, "cpu", (), (), None, 0) for index in range(count)
    ]


def test_nothing_is_made_before_somebody_asks(observer: Observer) -> None:
    made: list[str] = []

    def describe() -> list[Node]:
        made.append("first")
        return run("first", PART + 1)()

    first = observer.recorder.later(describe, PART + 1)
    second = observer.recorder.later(run("second"), 1)
    assert (made, observer.told, observer.recorder.undescribed.kept) == ([], [], [first, second])

    observer.recorder.undescribed.describe(first)
    assert [(event.graph, event.first, event.shared) for event in observer.told] == [
        (first, True, False),
        (first, False, False),
    ]
    assert [node.index for event in observer.told for node in event.nodes] == list(range(PART + 1))
    assert observer.recorder.undescribed.kept == [second]
    observer.recorder.undescribed.describe(first)  # it was told
    observer.recorder.undescribed.describe(99)
    assert made == ["first"] and len(observer.told) == 2


def test_numbers_are_those_of_all_descriptions(observer: Observer) -> None:
    numbers = [
        observer.recorder.graph("shared", run("shared")),
        observer.recorder.later(run("later"), 1),
        observer.recorder.graph(None, run("own")),
    ]
    assert len(set(numbers)) == 3
    assert observer.described() == [numbers[0], numbers[2]]


def test_what_nobody_can_ask_for_is_told_at_once(observer: Observer) -> None:
    observer.here = False
    number = observer.recorder.later(run("now"), 1)
    assert observer.described() == [number]
    assert observer.recorder.undescribed.kept == []


def test_the_last_runs_are_kept(observer: Observer) -> None:
    numbers = [observer.recorder.later(run(str(at)), 1) for at in range(RUNS_LIMIT + 10)]
    assert observer.recorder.undescribed.kept == numbers[10:]
    assert observer.told == []


def test_of_large_runs_the_oldest_are_told_rather_than_lost(observer: Observer) -> None:
    half = NODES_LIMIT // 2
    first, second, third = (observer.recorder.later(run("large"), half) for _ in range(3))
    assert observer.described() == [first]
    assert observer.recorder.undescribed.kept == [second, third]
    huge = observer.recorder.later(run("huge"), NODES_LIMIT + 1)
    assert observer.described() == [second, third]
    assert observer.recorder.undescribed.kept == [huge]


def test_the_end_tells_what_is_left_the_last_first(
    observer: Observer, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = (observer.recorder.later(run("left"), 1) for _ in range(2))
    observer.recorder.undescribed.describe_all()
    assert observer.described() == [second, first]
    observer.recorder.later(run("late"), 1)
    monkeypatch.setattr(undescribed, "END_SECONDS", -1.0)
    observer.recorder.undescribed.describe_all()
    assert observer.told == []


def test_nothing_is_kept_for_one_who_knows_of_none(observer: Observer) -> None:
    observer.recorder.later(run("before"), 1)
    observer.recorder.forget()
    assert observer.recorder.undescribed.kept == []
