"""The user's call that is going on in a thread: whatever it leads to, it makes one step."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

from graphdebug.protocol.model import Phase, Source, StepKind
from graphdebug.runtime.backends.tensorflow.callees import NOBODY, Callee
from graphdebug.runtime.debugger import held
from graphdebug.runtime.frames import source_at, user_frame


@dataclass(slots=True)
class Call:
    """One call of a graph by the user."""

    kind: StepKind
    """What made it a step."""
    name: str
    """What was called."""
    frame: FrameType | None
    """The user's frame that called, while the call goes on."""
    source: Source | None
    """Its line."""
    began: int = field(default_factory=held.clock)
    """When, in nanoseconds of ``held.clock``."""
    spent: int = 0
    """Nanoseconds of it that were our own."""
    phase: Phase = "forward"
    """What eager operations in it belong to."""
    running: bool = False
    """Whether a graph runs in it now."""
    function: Any = None
    """The tf.function that was called."""
    batch: bool = False
    """Whether Keras made it, for a batch of what the user called."""
    retraced: str = ""
    """Why it was traced again in this call; empty where it wasn't."""
    tracing: bool = False
    """Whether that is being traced now."""
    ran: Any = None
    """What ran, as the entry's own hooks put it here."""
    callee: Callee = NOBODY
    """The compiled function that runs."""
    plain: bool = False
    """Whether nothing is wanted of it but its step."""
    silent: bool = False
    """Whether no Python of the user's can run while its graph does."""
    result: Any = None
    """What the last function that ran returned, or what was fetched."""
    given: Sequence[Any] = ()
    """The tensors that it was given."""
    alone: bool = False
    """Whether no tape follows it, so that it is no part of a step of eager operations."""
    executed: str = ""
    """The operation that executed it, where it is alone."""
    counted: Any = None
    """Of a compiled function that is watched for NaN: its ``Counted``."""
    paused: bool = False
    """Whether no debugger traces what TensorFlow does in it, but what may run the user's Python."""
    loud: list[bool] = field(default_factory=list)
    """The parts that are going on, one in the other, and whether each may."""
    recording: Any = None
    """Of a compiled function: its ``Recording``, or why it is ``Unrecorded``."""

    def duration(self) -> int:
        """Nanoseconds that the call took without ours."""
        return held.clock() - self.began - self.spent


class Calls:
    """The outermost call of each thread."""

    def __init__(self) -> None:
        self._thread = threading.local()

    @property
    def current(self) -> Call | None:
        """The calling thread's."""
        call: Call | None = getattr(self._thread, "call", None)
        return call

    @property
    def phase(self) -> Phase:
        """What the calling thread's eager operations belong to."""
        call = self.current
        return "forward" if call is None else call.phase

    @property
    def described(self) -> str:
        """The calling thread's in words: what was called, and where."""
        call = self.current
        if call is None:
            return "Session.run"
        source = call.source
        where = "" if source is None else f" ({os.path.basename(source.path)}:{source.line})"
        return f"{call.name}{where}"

    def begin(self, kind: StepKind, name: str) -> Call | None:
        """The call that begins here; None where it is a part of one already going on."""
        if self.current is not None:
            return None
        frame = user_frame(sys._getframe(1))
        source = None if frame is None else source_at(frame.f_code, frame.f_lasti)
        call = Call(kind, name, frame, source)
        self._thread.call = call
        return call

    def end(self) -> None:
        """The calling thread's call is over."""
        self._thread.call = None
