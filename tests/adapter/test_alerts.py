"""Alerts reach the client, and belong to the step that raised them."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.dap import Start

pytestmark = pytest.mark.frameworks

RETRACES = """
import tensorflow as tf

@tf.function
def double(x):
    return x * 2

for size in (1, 1, 2):
    double(tf.ones([size]))
"""


def test_a_retrace_names_the_argument(
    start: Start, graphdebug_adapter: str, tmp_path: Path
) -> None:
    program = tmp_path / "retraces.py"
    program.write_text(RETRACES)
    session = start(graphdebug_adapter, timeout=120)
    session.launch(program=str(program))
    assert session.wait_for_exit() == 0
    (event,) = session.client.pending_events("graphdebugAlert")
    alert = event["alert"]
    assert (alert["kind"], alert["step"]) == ("retrace", 2)
    assert "'x'" in alert["message"] and "(2,)" in alert["message"]
    assert alert["source"] == {"path": str(program), "line": 9, "function": "<module>"}
    steps = session.request("graphdebugSteps")["steps"]
    assert [step["alerts"] for step in steps] == [0, 0, 1]
    assert session.request("graphdebugAlerts") == {"alerts": [alert], "total": 1}
    assert session.request("graphdebugAlerts", start=1, count=5)["alerts"] == []
