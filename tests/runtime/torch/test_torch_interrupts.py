"""An interrupt, wherever it comes, stops the program's step and not the observation of those after it."""

from __future__ import annotations

import pytest
from support.markers import line, program
from support.observer import Observation

from graphdebug.protocol.runtime import AlertEvent, BackendEvent

pytestmark = pytest.mark.frameworks


@pytest.mark.parametrize("by", ["interrupt", "handler"])
@pytest.mark.parametrize(("tier", "least"), [("python", 300), ("native", 20)])
def test_steps_after_an_interrupt_anywhere_are_whole(tier: str, least: int, by: str) -> None:
    """Each is told from the others by its loss. A signal handler's own error is an interrupt, too."""
    path = program("torch_interrupted.py")
    seen = Observation(
        path, *([by] if by == "handler" else []), env={"GRAPHDEBUG_TORCH_TIER": tier}
    )
    assert seen.returncode == 0, seen.stderr
    *where, count = seen.stdout.splitlines()
    unraisable = seen.stderr.count("Exception ignored")
    assert int(count) - 1 <= len(where) + unraisable, "each of them reached the program"
    ours = [place for place in where if "/graphdebug/runtime/" in place]
    assert len(ours) > least, "it was interrupted in our hooks"
    places = range(1, int(count) + 1)
    at = line(path, "whole")
    whole = [step for step in seen.steps if step.source and step.source.line == at]
    assert [int(step.loss or 0) for step in whole] == list(places)
    assert {(step.forward_nodes, step.backward_nodes) for step in whole} == {(12, 12)}
    assert seen.of(AlertEvent) == []
    assert all(event.backend.active for event in seen.of(BackendEvent))
