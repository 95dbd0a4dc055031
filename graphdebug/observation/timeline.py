"""A session's steps at a glance: a few points, however many steps there are."""

from __future__ import annotations

from collections.abc import Sequence

from graphdebug.protocol.dap import TimelinePoint
from graphdebug.protocol.model import Step

WIDTHS = (64, 4096, 262_144)
"""Steps that are added up beforehand: answering takes as long for a million steps as for thousands."""


class Timeline:
    """Hears of each step once, in order."""

    def __init__(self) -> None:
        self._steps: list[TimelinePoint] = []
        self._sums: dict[int, list[TimelinePoint]] = {width: [] for width in WIDTHS}

    def add(self, step: Step) -> None:
        """A step came."""
        point = TimelinePoint(
            begin=step.index,
            end=step.index + 1,
            shortest_ns=step.duration_ns,
            longest_ns=step.duration_ns,
            mean_ns=step.duration_ns,
            alerts=step.alerts,
            loss=step.loss,
        )
        self._steps.append(point)
        for width, sums in self._sums.items():
            if len(self._steps) % width == 0:
                parts = self._parts(width)
                sums.append(_joined(parts[len(sums) * width // _below(width) :]))

    def points(self, begin: int, end: int | None, limit: int) -> list[TimelinePoint]:
        """At most ``limit`` points for the steps of a range.

        Points of many steps begin where those that were added up beforehand do.
        """
        begin = max(0, begin)
        end = len(self._steps) if end is None else min(end, len(self._steps))
        if begin >= end:
            return []
        wanted = -(-(end - begin) // max(1, limit))
        width = max((width for width in (1, *WIDTHS) if width <= wanted), default=1)
        begin -= begin % width
        each = -(-(end - begin) // (max(1, limit) * width)) * width
        return [
            _joined(self._between(at, min(at + each, end), width)) for at in range(begin, end, each)
        ]

    def _between(self, begin: int, end: int, width: int) -> Sequence[TimelinePoint]:
        if width == 1:
            return self._steps[begin:end]
        found = self._sums[width][begin // width : end // width]
        rest = max(begin, end - end % width)
        return [*found, *self._between(rest, end, _below(width))]

    def _parts(self, width: int) -> list[TimelinePoint]:
        below = _below(width)
        return self._steps if below == 1 else self._sums[below]


def _below(width: int) -> int:
    """The width of the points that a wider one is made of."""
    return max((each for each in (1, *WIDTHS) if each < width), default=1)


def _joined(parts: Sequence[TimelinePoint]) -> TimelinePoint:
    count = parts[-1].end - parts[0].begin
    return TimelinePoint(
        begin=parts[0].begin,
        end=parts[-1].end,
        shortest_ns=min(part.shortest_ns for part in parts),
        longest_ns=max(part.longest_ns for part in parts),
        mean_ns=sum(part.mean_ns * (part.end - part.begin) for part in parts) // count,
        alerts=sum(part.alerts for part in parts),
        loss=next((part.loss for part in reversed(parts) if part.loss is not None), None),
    )
