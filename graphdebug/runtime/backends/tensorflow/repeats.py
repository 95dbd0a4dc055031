"""Graphs whose last step was told: another that is in all as that one costs no more than its time.

Imported by the backend, ``callees`` and ``runs``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from graphdebug.protocol.model import Source
from graphdebug.runtime.recorder import Recorder

if TYPE_CHECKING:
    from graphdebug.runtime.backends.tensorflow.calls import Call


class Told:
    """The last step of a graph of which nothing but its time was new.

    Threads may meet here: what one reads that another writes is no longer the recorder's last step, and
    is told in full.
    """

    __slots__ = ("_configured", "_index", "_name", "_source")

    def __init__(self) -> None:
        self._configured = self._index = -1
        self._name = ""
        self._source: Source | None = None

    def again(self, recorder: Recorder, configured: int, call: Call, duration: int) -> int:
        """Report another, if it is the same but for its time; returns its index, else -1.

        ``configured``: how often what is told of a step was changed so far.
        """
        if (
            configured != self._configured
            or call.source is not self._source
            or call.name != self._name
        ):
            return -1
        self._index = index = recorder.again(self._index, duration, None)
        return index

    def note(self, configured: int, call: Call, index: int) -> None:
        """It was told in full."""
        self._configured, self._name, self._source = configured, call.name, call.source
        self._index = index
