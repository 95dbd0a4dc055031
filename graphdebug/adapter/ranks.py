"""What the client sees of ranks: their names, and where each is."""

from __future__ import annotations

from typing import Any

from graphdebug.adapter.debugged import Debugged
from graphdebug.adapter.session import Session
from graphdebug.observation.runtimes import Runtime, Runtimes
from graphdebug.protocol.model import Source, Step
from graphdebug.protocol.runtime import HelloEvent, RankEvent, StepEvent

HELD = "; the other ranks run on until they wait for it"


def device(step: Step | None) -> str:
    """What a step ran on: the accelerator, which says more than the CPU that feeds it."""
    devices = () if step is None else step.devices
    return min(devices, key=lambda name: name.endswith(("cpu", "CPU:0")), default="")


class Ranks:
    """Keeps for each process which rank it is and where it stands."""

    def __init__(self, session: Session, runtimes: Runtimes) -> None:
        self._session = session
        self._runtimes = runtimes
        session.describe = self.describe

    def received(self, runtime: Runtime, event: Any) -> None:
        """What a runtime says; called before anybody else is told."""
        one = self._session.upstream.of_runtime(runtime)
        if runtime.hello is None or one.pid != runtime.hello.pid:
            return  # it hasn't joined
        if isinstance(event, StepEvent) and event.step.devices:
            one.device = device(event.step)
        joined = isinstance(event, HelloEvent) and event.world_size and one.rank is None
        if joined or isinstance(event, RankEvent):
            one.rank = event.rank

    # Where they are

    def stopped(self, thread: int, top: dict[str, Any] | None) -> None:
        """A thread stopped, in this frame where that is known."""
        runtime = self._runtime(thread)
        if runtime is not None:
            path = ((top or {}).get("source") or {}).get("path") or ""
            runtime.stopped = Source(path, (top or {}).get("line", 0), (top or {}).get("name", ""))

    def left(self, thread: int | None) -> None:
        """A thread goes on, or all do."""
        runtimes = self._runtimes.here if thread is None else [self._runtime(thread)]
        for runtime in runtimes:
            if runtime is not None:
                runtime.stopped = None

    def _runtime(self, thread: int) -> Runtime | None:
        one = self._session.upstream.of(thread)
        for runtime in self._runtimes.here:
            if self._session.upstream.of_runtime(runtime) is one:
                return runtime
        return None

    def process_gone(self, one: Debugged) -> None:
        """A process has ended while others go on."""
        if one.threads and one.rank is not None and not self._session.upstream.leaving:
            self._session.output(f"rank {one.rank} (process {one.pid}) is gone", "important")

    # What stops are called

    def describe(self, body: dict[str, Any]) -> dict[str, Any]:
        """A ``stopped`` event's body, which says whose stop it is."""
        one = self._session.upstream.of(body.get("threadId", 0))
        if not self._session.upstream.several or one.rank is None:
            return body
        title = ": ".join(filter(None, (f"Rank {one.rank}", body.get("description"))))
        said = body.get("text") or body["reason"]
        others = any(o.rank is not None and o is not one for o in self._session.upstream.all)
        text = f"rank {one.rank}: {said}{HELD if others else ''}"
        return {**body, "description": title, "text": text}
