"""A stop that is debugpy's alone reaches the client without a question of ours to debugpy before it."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.dap import Start
from support.markers import line, program

from graphdebug.protocol.runtime import STANDING

pytestmark = pytest.mark.frameworks

MLP = program("torch_mlp.py")


def test_plain_stops_cost_no_request(start: Start, graphdebug_adapter: str, tmp_path: Path) -> None:
    session = start(graphdebug_adapter, options=["--log-dir", str(tmp_path)])
    session.launch(program=MLP, breakpoints={MLP: [line(MLP, "batch")]})
    bodies = [session.wait_for_stop("breakpoint")]
    session.request("next", threadId=session.thread)
    bodies.append(session.wait_for_stop("step"))
    session.cont()  # past a step that is recorded
    bodies.append(session.wait_for_stop("breakpoint"))
    assert session.place() == ("torch_mlp.py", line(MLP, "batch"))
    session.request("disconnect", terminateDebuggee=True)
    session.close()
    assert not any(STANDING in body for body in bodies)
    (log,) = tmp_path.glob("debugpy.adapter-*.log")
    received = [
        part.partition("}")[0]
        for part in log.read_text().split("Client[1] --> ")
        if '"type": "request"' in part[:200]
    ]
    asked = [command for part in received for command in ("stackTrace", "evaluate", "next")
             if f'"command": "{command}"' in part]  # fmt: skip
    assert asked == ["next", "stackTrace"], "the client's own"
