"""What a signal handler of the program's raises in our hooks is the program's, and ends nothing of ours."""

from __future__ import annotations

import pytest
from support.markers import line, program
from support.observer import Observation

from graphdebug.protocol.runtime import AlertEvent, BackendEvent

pytestmark = pytest.mark.frameworks


def test_a_handler_that_raises_anywhere_reaches_the_program() -> None:
    path = program("tf_interrupted.py")
    seen = Observation(path)
    assert seen.returncode == 0, seen.stderr
    raised, reached, result = map(float, seen.stdout.split())
    unraisable = seen.stderr.count("Exception ignored")
    assert reached + unraisable >= raised > 50
    assert result == 1 + 2 * (raised + 1)
    whole = [step for step in seen.steps if step.source and step.source.line == line(path, "whole")]
    assert len(whole) == raised + 1, "each run after an interrupt is told"
    assert seen.of(AlertEvent) == []
    assert all(event.backend.active for event in seen.of(BackendEvent))
