"""A graph that stops while it runs, at the user's lines, on the thread that called it."""

from __future__ import annotations

import queue
import sys
import threading
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from graphdebug.protocol.model import Source
from graphdebug.protocol.runtime import NodeBreakpoint
from graphdebug.runtime import debugger
from graphdebug.runtime.backends.tensorflow.gates import Answer, Gate
from graphdebug.runtime.backends.tensorflow.watches import Slot
from graphdebug.runtime.frames import is_user_file
from graphdebug.runtime.node_stops import Move
from graphdebug.runtime.untraced import untraced_thread

if TYPE_CHECKING:
    from graphdebug.runtime.runtime import Runtime

T = TypeVar("T")


@dataclass(frozen=True)
class Spot:
    """A node of a running graph that can be stopped at."""

    node: str
    """TensorFlow's name for it when it runs."""
    name: str
    """What to call it, after what the user built."""
    op_type: str
    source: Source
    """The user's line."""
    slots: tuple[int, ...]
    """Its outputs that are watched."""
    inputs: tuple[Slot | None, ...] = ()
    """The outputs that it takes; None for one that can't be watched."""
    repeats: bool = True
    """Whether it may run more than once in a run."""
    device: str = ""
    """Where it runs."""
    built: str = ""
    """The operation that the user built, where TensorFlow put another in its place."""
    called: str = ""
    """What it was called where it was built, in a function's graph."""


@dataclass(frozen=True)
class Spots:
    """All that a graph can be stopped at."""

    nodes: Mapping[str, Spot]
    """By ``Spot.node``."""
    variables: Callable[[Spot], Mapping[int, str]]
    """The variables of the user's that hold a node's outputs."""
    globals: Callable[[Source], dict[str, Any]]
    """What a condition on a line sees beyond that."""

    @property
    def slots(self) -> frozenset[Slot]:
        """All outputs to watch."""
        own = {(spot.node, slot) for spot in self.nodes.values() for slot in spot.slots}
        taken = {item for spot in self.nodes.values() for item in spot.inputs if item is not None}
        return frozenset(own | taken)


@dataclass
class _Execution:
    """One execution of a node, which waits until ``done``."""

    spot: Spot
    iteration: int | None
    values: dict[int, Any]
    inputs: tuple[Any, ...]
    done: threading.Event = field(default_factory=threading.Event)


class Live:
    """One run. The thread that calls ``run`` is the program's own, and the one that stops.

    The graph runs in a worker meanwhile. ``begin`` and ``ask`` are called on the gate's thread, which
    alone touches what they keep, but for ``_freed`` and ``_pending``: those are guarded by ``_lock``.
    From the moment ``_freed`` is set, nothing of the graph waits for us.
    """

    def __init__(
        self, runtime: Runtime, gate: Gate | None, spots: Spots, what: str, step: int
    ) -> None:
        """``what`` is run, and makes step ``step``. The gate must be open, with this as its keeper,
        while the graph runs; without one all outputs ask each time, and answers are of no matter."""
        self._runtime = runtime
        self.gate = gate
        self._spots = spots
        self._what = what
        self._step = step
        self.move: Move = ""
        """What the user did at the last stop."""
        self.problem: Exception | None = None
        """An error of ours."""
        self._asked: queue.SimpleQueue[_Execution | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._freed = False
        self._pending: _Execution | None = None
        self._latest: dict[Slot, Any] = {}
        self._parts: dict[str, dict[int, Any]] = {}
        self._counts: Counter[str] = Counter()
        self._asking: set[Slot] = set()
        self._missed: set[str] = set()
        self._wanted: tuple[Any, frozenset[Slot]] = None, frozenset()

    # On the program's thread

    def run(self, graph: Callable[[], T]) -> T:
        """What ``graph`` returns or raises; stops come in between."""
        outcome: list[tuple[T | None, BaseException | None]] = []

        def work() -> None:
            try:
                outcome.append((graph(), None))
            except BaseException as error:
                outcome.append((None, error))
            finally:
                self._asked.put(None)

        untraced_thread(work, "graphdebug graph").start()
        interrupted = self._watch()
        result, error = outcome[0]
        if interrupted is not None:
            raise interrupted
        if error is not None:
            try:
                raise error
            finally:
                del error, outcome  # or the traceback would keep this frame, and this the traceback
        return result  # type: ignore[return-value]

    def _watch(self) -> BaseException | None:
        """Stop where it's asked for until the run is over; what the user's own code raised here.

        Without us a signal is handled when TensorFlow returns, so the run goes on to its end.
        """
        raised: BaseException | None = None
        while True:
            try:
                if raised is not None:
                    self._free()
                execution = self._asked.get()
                if execution is None:
                    return raised
                self._pass(execution)
            except BaseException as error:
                raised = error

    def _pass(self, execution: _Execution) -> None:
        try:
            self._look(execution)
        except Exception as error:
            if _of_the_user(error):
                raise
            self.problem = error
            self._free()
        finally:
            execution.done.set()

    def _look(self, execution: _Execution) -> None:
        """Stop at an execution, if a breakpoint or a step asks for it."""
        spot, breakpoints = execution.spot, self._runtime.breakpoints
        source = spot.source
        names = self._names(execution)
        scope = self._spots.globals(source)
        breakpoint = breakpoints.at(source.path, source.line)
        hit = breakpoint is not None and breakpoints.hit(source.path, breakpoint, names, scope)
        by_name = self._runtime.node_breakpoints.hit(self._on(spot), names, scope)
        if breakpoint is not None and breakpoint.log_message:
            if (
                hit and not by_name and self.move != "step"
            ):  # else the debugger itself logs, in the frame below
                self._runtime.log(breakpoints.log_text(breakpoint, names, scope), source)
            hit = False
        if not (hit or by_name or self.move == "step"):
            return
        self.move = self._runtime.node_stops.stop(
            "breakpoint" if hit else "function breakpoint" if by_name else "step",
            source,
            self._step,
            self._text(execution),
            lambda: debugger.show(source.path, source.line, source.function, names, scope),
            hit=by_name,
        )

    def _on(self, spot: Spot) -> tuple[NodeBreakpoint, ...]:
        """The breakpoints on nodes by name that are on it."""
        breakpoints = self._runtime.node_breakpoints
        if not breakpoints:
            return ()
        names = (spot.name, spot.op_type, spot.built, spot.called)
        return breakpoints.matching(*filter(None, names))

    def _names(self, execution: _Execution) -> dict[str, Any]:
        """What is seen at a stop as locals."""
        device = execution.spot.device
        values = {slot: _array(tensor, device) for slot, tensor in execution.values.items()}
        variables = self._spots.variables(execution.spot)
        return {
            **{name: values[slot] for slot, name in variables.items() if slot in values},
            "value": values[min(values)],
            "outputs": tuple(values.get(slot) for slot in range(max(values) + 1)),
            "inputs": tuple(_array(item, device) for item in execution.inputs),
            "node": execution.spot.name,
            "iteration": execution.iteration,
            "phase": "graph",
        }

    def _text(self, execution: _Execution) -> str:
        spot, iteration = execution.spot, execution.iteration
        at = "" if iteration is None else f", iteration {iteration}"
        return f"{spot.name} ({spot.op_type}){at}, in {self._what} (step {self._step})"

    def _free(self) -> None:
        """Let the graph run to its end."""
        with self._lock:
            self._freed = True
            if self._pending is not None:
                self._pending.done.set()

    # On the gate's thread

    def begin(self) -> Collection[Slot]:
        """The run begins."""
        wanted = self._now_wanted()
        if self.gate is None:
            self._asking = set(self._spots.slots)
            return wanted
        self._asking = set(wanted)
        self._missed = {
            spot.node
            for spot in self._spots.nodes.values()
            if not all((spot.node, slot) in wanted for slot in spot.slots)
        }
        return wanted

    def ask(self, slot: Slot, tensor: Any) -> Answer:
        """A node asks whether it may go on: the thread that called the graph decides."""
        self._latest[slot] = tensor
        execution = self._completed(slot, tensor)
        if execution is not None:
            self._hand_over(execution)
        if self.gate is None:
            return Answer()
        wanted = self._now_wanted()
        opened, shut = wanted - self._asking, slot not in wanted
        self._asking |= opened
        if shut:
            self._asking.discard(slot)
            self._missed.add(slot[0])
        return Answer(opened, shut)

    def _hand_over(self, execution: _Execution) -> None:
        """Let the program's thread look at an execution, and wait until it has."""
        with self._lock:
            if self._freed:
                return
            self._pending = execution
            self._asked.put(execution)
        execution.done.wait()
        with self._lock:
            self._pending = None

    def _completed(self, slot: Slot, tensor: Any) -> _Execution | None:
        """The execution whose last output this is, if a breakpoint or a step may stop at it."""
        spot = self._spots.nodes.get(slot[0])
        if spot is None or slot[1] not in spot.slots:
            return None
        values = self._parts.setdefault(spot.node, {})
        values[slot[1]] = tensor
        if len(values) < sum((spot.node, item) in self._asking for item in spot.slots):
            return None  # its other outputs are on their way
        del self._parts[spot.node]
        count = self._counts[spot.node]
        self._counts[spot.node] += 1
        if self._freed or not self._stops_at(spot):
            return None
        return _Execution(
            spot,
            None if spot.repeats and spot.node in self._missed else count,
            values,
            tuple(None if item is None else self._latest.get(item) for item in spot.inputs),
        )

    def _stops_at(self, spot: Spot) -> bool:
        source = spot.source
        return self.move == "step" or (
            self._runtime.breakpoints.at(source.path, source.line) is not None
            or bool(self._on(spot))
        )

    def _now_wanted(self) -> frozenset[Slot]:
        """The outputs that are to ask, as breakpoints and steps are now."""
        if self._freed or not (self._runtime.observed and debugger.attached()):
            return frozenset()
        runtime = self._runtime
        version = runtime.breakpoints.version, runtime.node_breakpoints.version
        key = *version, self.move == "step"
        if self._wanted[0] != key:
            spots = [spot for spot in self._spots.nodes.values() if self._stops_at(spot)]
            self._wanted = key, Spots(
                {spot.node: spot for spot in spots}, self._spots.variables, self._spots.globals
            ).slots  # fmt: skip
        return self._wanted[1]


def _array(tensor: Any, device: str) -> Any:
    """A TensorProto, or an array, as one of a device; None where NumPy has no such values."""
    import numpy
    from tensorflow.python.framework import tensor_util

    from graphdebug.runtime.backends.tensorflow.arrays import recorded

    if isinstance(tensor, numpy.ndarray):
        return recorded(tensor, device)
    if tensor is None or not tensor.dtype:
        return None
    try:
        return recorded(tensor_util.MakeNdarray(tensor), device)
    except (TypeError, ValueError):
        return None


def _of_the_user(error: Exception) -> bool:
    """Whether code of the user's raised it, such as the handler of a signal.

    Not so the frame that a stop stands in, though it looks like one of theirs.
    """
    traceback, frame = error.__traceback__, sys._getframe()
    while traceback is not None:
        frame = traceback.tb_frame
        traceback = traceback.tb_next
    caller = frame.f_back
    shown = caller is not None and caller.f_globals.get("__name__") == debugger.__name__
    return is_user_file(frame.f_code.co_filename) and not shown
