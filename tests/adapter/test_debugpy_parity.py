"""Everything that debugpy does works through graphdebug unchanged: ways to start and to end."""

from __future__ import annotations

from support.dap import Session
from support.markers import line, program

LOOP = program("loop.py")


def test_smoke(adapter, start):
    s = start(adapter)
    s.launch(program=LOOP, breakpoints={LOOP: [line(LOOP, "step")]})
    for i in range(10):
        s.wait_for_stop("breakpoint")
        assert s.locals()["first"]["value"] == str(2 * i)
        s.cont()
    assert s.wait_for_exit() == 0
    assert s.output() == "result 20 20\n"
