"""What is remembered of one file in one session."""

from __future__ import annotations

import os
from pathlib import Path

from graphdebug.language_server.hovers import table
from graphdebug.language_server.record import CHANGES_KEPT, FileRecord
from graphdebug.protocol.model import Node, Source, Step, Tensor


def step(index: int) -> Step:
    return Step(index, "eager", "torch", "SGD.step", None, 1, 1, 0, ("cpu",))


def node(index: int, size: int, *, line: int = 1, phase: str = "forward") -> Node:
    outputs = (Tensor((size,), "float32", "cpu", 4 * size),) if size else ()
    return Node(
        index, 0, "n", "n", phase, 0, "cpu",  # type: ignore[arg-type]
        outputs=outputs, source=Source("x.py", line),
    )  # fmt: skip


def written(path: Path, time: float) -> None:
    path.write_text("one\ntwo\n")
    os.utime(path, (time, time))


def test_the_text_that_runs_is_known_only_if_the_file_did_not_change(tmp_path: Path) -> None:
    path = tmp_path / "x.py"
    written(path, 1000)
    assert FileRecord(str(path), 1001).text == ["one", "two", ""]
    assert FileRecord(str(path), 999).text is None
    assert FileRecord(str(tmp_path / "absent.py"), 999).text is None
    path.write_bytes(b"# coding: latin-1\n\xe9\n")
    os.utime(path, (1000, 1000))
    assert FileRecord(str(path), 1001).text == ["# coding: latin-1", "é", ""]
    path.write_bytes(b"\xff\xfe\n")
    os.utime(path, (1000, 1000))
    assert FileRecord(str(path), 1001).text is None


def test_a_file_that_changed_before_its_first_nodes_may_run_either_text(tmp_path: Path) -> None:
    path = tmp_path / "x.py"
    written(path, 1000)
    record = FileRecord(str(path), 1001)
    written(path, 1002)
    record.add(step(0), [node(0, 3)], 0)
    assert record.text is None
    written(path, 1000)
    record = FileRecord(str(path), 1001)
    record.add(step(0), [node(0, 3)], 0)
    written(path, 1002)
    record.add(step(1), [node(0, 4)], 1)
    assert record.text is not None


def test_a_line_shows_what_its_last_forward_node_made(tmp_path: Path) -> None:
    record = FileRecord(str(tmp_path / "x.py"), 0)
    record.add(step(0), [node(0, 3), node(1, 4), node(2, 0), node(3, 5, phase="backward")], 0)
    record.add(step(0), [node(4, 6, line=2, phase="optimizer")], 0)
    assert record.lines[1].made == "float32 (4,) cpu"
    assert record.lines[2].made == ""


def test_what_ran_often_is_one_row_as_it_ran_last(tmp_path: Path) -> None:
    record = FileRecord(str(tmp_path / "x.py"), 0)
    record.add(step(0), [node(0, 3), node(1, 4), node(2, 5, phase="backward")], 0)
    rows = table(record.lines[1], running=True).split("\n")[4:]
    assert rows == [
        "| n × 2 | forward | float32 (4,) cpu | cpu |  |",
        "| n | backward | float32 (5,) cpu | cpu |  |",
    ]


def test_changes_of_shapes_are_remembered_and_counted(tmp_path: Path) -> None:
    record = FileRecord(str(tmp_path / "x.py"), 0)
    for index, size in enumerate((3, 3, 4)):
        record.add(step(index), [node(0, size)], index)
    assert [(c.step, c.made) for c in record.lines[1].changes] == [
        (0, "float32 (3,) cpu"),
        (2, "float32 (4,) cpu"),
    ]
    assert record.revision == 2
    for index in range(50):
        record.add(step(index), [node(0, index)], index)
    assert len(record.lines[1].changes) == CHANGES_KEPT
