"""What breakpoints in cells are said to do: the cells of a notebook are read as one program."""

from __future__ import annotations

from graphdebug.jupyter.cells import CellBreakpoints
from graphdebug.protocol.jupyter import Cell, CellBreakpoint, CellBreakpointsArguments
from graphdebug.protocol.runtime import BindingEvent

SOURCES = (
    "%matplotlib inline\nimport tensorflow.compat.v1 as tf\ntf.disable_eager_execution()",
    "def body(i):\n    !ls\n    return tf.add(i, 1)",
    "%%bash\nwhile true",
    "%%time\nout = tf.while_loop(lambda i: i < 10, body, [tf.constant(0)])\nx = 1",
)
CELLS = tuple(Cell(f"/tmp/ipykernel_1/{at}.py", source) for at, source in enumerate(SOURCES))


def said(*places: tuple[int, int]) -> tuple[str, ...]:
    breakpoints = tuple(CellBreakpoint(CELLS[cell].path, line) for cell, line in places)
    event = CellBreakpoints().replace(CellBreakpointsArguments(CELLS, breakpoints))
    assert [(item.path, item.line) for item in event.breakpoints] == [
        (item.path, item.line) for item in breakpoints
    ]
    return tuple(item.message for item in event.breakpoints)


def test_a_function_is_known_by_the_cell_that_makes_a_graph_of_it() -> None:
    inside, plain = said((1, 3), (3, 3))
    assert inside.startswith("boundary: ")
    assert "tf.while_loop (line 2 of code cell 4)" in inside
    assert plain.startswith("line: ")


def test_what_only_ipython_understands_breaks_nothing() -> None:
    assert said((0, 2))[0].startswith("line: ")


def test_a_run_corrects_what_the_text_promised() -> None:
    breakpoints = CellBreakpoints()
    wanted = (CellBreakpoint(CELLS[3].path, 3), CellBreakpoint(CELLS[1].path, 3))
    breakpoints.replace(CellBreakpointsArguments(CELLS, wanted))
    assert breakpoints.correct(BindingEvent(CELLS[1].path, (3,), "never", "it was removed"))
    assert "never: it was removed" in {item.message for item in breakpoints.cells()}
    again = breakpoints.replace(CellBreakpointsArguments(CELLS, wanted[:1]))
    assert [item.line for item in again.breakpoints] == [3]
