"""Finds NaN and Inf in what comes out of graphs: of sessions, of compiled functions, of Keras's batches.

Where a run is over, the numbers that it returned are looked at. Which node made one, and whether one got
into a variable, is told by the run's record, or by counts that TensorFlow writes beside it. They are asked
for while the filter ``graphdebug.nan`` is set, and of the next run of a graph that one came out of: nothing
is run twice. Where nothing of the run was watched, that is said. No variable is read: that would make a
tensor, and TensorFlow names functions by the count of tensors.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from graphdebug.runtime import debugger
from graphdebug.runtime.backends.tensorflow import finite, taps
from graphdebug.runtime.backends.tensorflow.calls import Call
from graphdebug.runtime.backends.tensorflow.copies import Copy, Plan, Recording
from graphdebug.runtime.backends.tensorflow.eager_watch import NAN, TITLE
from graphdebug.runtime.backends.tensorflow.numbers import Numbers, counted, looked_at, slots
from graphdebug.runtime.backends.tensorflow.troubles import WORDS, Trouble, at
from graphdebug.runtime.frames import source_of

if TYPE_CHECKING:
    from graphdebug.runtime.backends.tensorflow import TensorFlow
    from graphdebug.runtime.backends.tensorflow.runs import Run

WATCHED_RUNS = 20
"""How many runs of a graph are watched after one came out of it."""

UNWATCHED = (
    "; which node made it isn't known, since nothing inside of that run was watched: with the filter "
    "graphdebug.nan each run is"
)
_WRAPPING = "_OptionalImpl"
"""The type of what Keras wraps the results of a batch in."""

_WRITES = ("Assign", "ResourceApply", "ResourceSparseApply", "ResourceScatter")


@dataclass
class Counted:
    """One call of a function that a copy makes, which counts NaN and Inf."""

    plan: Plan
    copy: Copy
    slots: frozenset[Any]
    inputs: Sequence[Any]

    def release(self) -> None:
        """What was counted is read."""
        self.plan.release(self.slots, self.copy)


@dataclass
class _Suspect:
    """A graph that one came out of."""

    text: str
    call: tuple[Any, finite.Kind]
    runs: int = 0


class GraphWatch:
    """Called on the program's threads, any number at once."""

    def __init__(self, backend: TensorFlow) -> None:
        self._backend = backend
        self._runtime = backend.runtime
        self._here = threading.local()
        self._suspects: weakref.WeakKeyDictionary[Any, _Suspect] = weakref.WeakKeyDictionary()
        self._writing: weakref.WeakKeyDictionary[Any, bool] = weakref.WeakKeyDictionary()
        self._told: weakref.WeakSet[Any] = weakref.WeakSet()
        self._cleared: weakref.WeakSet[Any] = weakref.WeakSet()

    def wanted(self, graph: Any) -> bool:
        """Whether the next run of a graph (a concrete function, a signature) is to be watched."""
        if not self._backend.watches_nan:
            return False
        return self._backend.stops_at_nan or bool(self._suspects and graph in self._suspects)

    # -- compiled functions

    def begin(
        self, context: Any, concrete: Any, name: bytes, inputs: Sequence[Any]
    ) -> Counted | None:
        """The copy that runs in a function's place and counts; None where that isn't wanted or can't be."""
        if not self.wanted(concrete):
            return None
        plan = self._backend.functions.copies.plan_of(context, concrete, name, inputs)
        if plan.why:
            return None
        wanted = slots(plan.executable, copied=True)
        try:
            copy = plan.borrow(context, wanted, self._backend.sessions.dumps, counts=True)
        except taps.Untapped:
            return None
        return Counted(plan, copy, wanted, inputs)

    def called(self, call: Call, concrete: Any, outputs: Sequence[Any]) -> bool:
        """A call of a function is over; whether what it returned is finite, where that is looked at."""
        counted_, call.counted = call.counted, None
        numbers, trouble = list[Any](), None
        try:
            if self._backend.watches_nan:
                numbers = [
                    item for item in outputs if not finite.finite(item) and finite.size(item)
                ]
                if numbers or counted_ is not None:
                    with self._backend.operations.aside():
                        trouble = self._look(call, concrete, numbers, counted_)
                wrapped = type(call.result).__name__ == _WRAPPING
                self._here.optional = (call.result, call, concrete, trouble) if wrapped else None
        finally:
            if counted_ is not None:
                counted_.release()
        return not numbers

    def _look(
        self, call: Call, concrete: Any, numbers: Sequence[Any], counted_: Counted | None
    ) -> Trouble | None:
        """Tell of what isn't finite if it does harm. Returns what a function that counts told."""
        told = trouble = None if counted_ is None else self._made(call, concrete, counted_)
        writes = self._writes(concrete)
        scalars = [item for item in numbers if item.shape.rank == 0] if writes else []
        if trouble is None and numbers:
            trouble = self._made(call, concrete, counted_)
        if scalars:
            harm, kind = f"it is a number that {call.name} returns", finite.kind(scalars[0])
        elif writes and trouble is not None and trouble.root.made:
            harm, kind = f"it is in a variable that {call.name} writes", trouble.kind
        else:
            self._may_harm(call, concrete, counted_, numbers, trouble)
            return told
        self._found(call, concrete, kind, harm, trouble, again=False)
        return told

    def unpacked(self, optional: Any, result: Any) -> None:
        """What a batch of Keras's returned is taken out of its wrapping."""
        from tensorflow.python.util import nest

        kept, self._here.optional = getattr(self._here, "optional", None), None
        if kept is None or kept[0] is not optional or not self._backend.watches_nan:
            return
        _, call, concrete, trouble = kept
        for item in nest.flatten(result):
            if finite.size(item) and item.shape.rank == 0 and not finite.finite(item):
                harm = f"it is a number that {call.name} returns"
                self._found(call, concrete, finite.kind(item), harm, trouble, again=False)
                return

    def _may_harm(
        self,
        call: Call,
        concrete: Any,
        counted_: Counted | None,
        outputs: Sequence[Any],
        trouble: Trouble | None,
    ) -> None:
        """What came out may do harm later: then what made it is known."""
        if outputs and trouble is not None and trouble.root.made:
            self._backend.eager.trail.watch.mark(outputs, trouble)
        elif outputs and counted_ is None and concrete not in self._cleared:
            self._suspects.setdefault(concrete, _Suspect("", (call.source, "nan")))
        if counted_ is not None:
            self._found_nothing(concrete)

    def _made(self, call: Call, concrete: Any, counted_: Counted | None) -> Trouble | None:
        if counted_ is not None:
            plan, held = counted_.plan, counted(counted_.copy.watch.values())
            known: Iterable[Any] = counted_.slots
            inputs = counted_.inputs
        elif isinstance(call.recording, Recording):
            plan, known = call.recording.plan, call.recording.asked.slots
            held, inputs = looked_at(call.recording.copy.watch.values()), ()
        else:
            return None

        def given(definition: Any) -> bool | None:
            position = definition.attr["index"].i
            there = definition.op == "_Arg" and position < len(inputs)
            return finite.finite(inputs[position]) if there else None

        source = self._backend.graphs.blamed(concrete.graph)
        return Numbers(plan.executable, held, frozenset(known), source, given).root()

    def _writes(self, concrete: Any) -> bool:
        """Whether a function may write variables."""
        known = self._writing.get(concrete)
        if known is None:
            known = self._writing[concrete] = _writes(concrete.graph)
        return known

    # -- sessions

    def ran(self, call: Call, run: Run) -> None:
        """A run of a session is over."""
        if not self._backend.watches_nan:
            return
        results = () if call.result is None else call.result
        for name, array in zip(run.signature.wanted.fetches, results, strict=False):
            if held := finite.scalar(array):
                harm = f"it is in what {call.name} fetches ({name})"
                again = not run.counted
                self._found(call, run.signature, held, harm, self._made_in(run), again=again)
                return
        if self._suspects:
            self._found_nothing(run.signature)

    def _made_in(self, run: Run) -> Trouble | None:
        known = run.known
        if known is None or not (run.numbers or run.watch or run.given):
            return None
        if run.numbers is not None:
            held, watched = counted(run.numbers.values()), run.counted
        else:
            values = dict(run.values())
            told = {slot: known.numbers_of(slot, values) for slot in known.reshapes}
            values.update({slot: values[of] for slot, of in told.items() if of in values})
            held, watched = looked_at(values), run.slots | values.keys()

        def given(definition: Any) -> bool | None:
            fed = run.fed.get(known.origin[definition.name][1])
            return None if definition.op != "_Arg" else fed

        return Numbers(known, held, watched, self._backend.graphs.blamed(run.graph), given).root()

    # -- saying so

    def _found(
        self,
        call: Call,
        graph: Any,
        kind: finite.Kind,
        harm: str,
        trouble: Trouble | None,
        *,
        again: bool,
    ) -> None:
        """One did harm; ``again``: the next run may tell what made it."""
        suspect = self._suspects.get(graph)
        if trouble is None:
            text = f"{WORDS[kind or 'nan']} came about in {call.name}{at(call.source)}: {harm}{UNWATCHED}"
            if not again and graph not in self._told:
                self._told.add(graph)
                self._tell(call, kind, text, None)
            elif again and (suspect is None or not suspect.text):
                new = "" if graph in self._told else text  # what goes on since isn't told again
                self._suspects[graph] = _Suspect(new, (call.source, kind))
            return
        self._suspects.pop(graph, None)
        if not trouble.root.made and trouble.root.name.startswith("ReadVariable"):
            # What made it was there before the run that was watched, and went on into the variables.
            if suspect is not None and suspect.text:
                self._told.add(graph)
                return self._say(suspect)
            if graph in self._told:
                return None
        self._told.add(graph)
        text = trouble.root.text(f"{trouble.way()}; {harm}{at(call.source)}")
        self._tell(call, trouble.root.kind, text, trouble.root)

    def _found_nothing(self, graph: Any) -> None:
        """A run of a graph is over that nothing came out of."""
        suspect = self._suspects.get(graph)
        if suspect is not None:
            suspect.runs += 1
            if suspect.runs >= WATCHED_RUNS:
                self._say(suspect)
                self._suspects.pop(graph, None)
                self._cleared.add(graph)

    def _say(self, suspect: _Suspect) -> None:
        source, kind = suspect.call
        if suspect.text and (key := (kind, "", source)) not in self._backend.nan_told:
            self._backend.nan_told.add(key)
            self._runtime.recorder.alert(kind or "nan", suspect.text, source=source)

    def finish(self) -> None:
        """The program ends: tell what no further run explained."""
        for suspect in list(self._suspects.values()):
            self._say(suspect)

    def _tell(self, call: Call, kind: finite.Kind, text: str, root: Trouble | None) -> None:
        source = call.source if root is None or root.source is None else root.source
        key = (kind, "" if root is None else root.label, source)
        if key in self._backend.nan_told:
            return
        self._backend.nan_told.add(key)
        self._runtime.recorder.alert(kind or "nan", text, source=source)
        frame = call.frame
        if frame is None or not self._runtime.stops.filtered(NAN) or debugger.suspended():
            return
        step = self._runtime.recorder.next_step
        self._runtime.node_stops.stop(
            "exception",
            source_of(frame),
            step,
            f"{text}; stopped later, where the run is over (step {step})",
            lambda: debugger.stop_at(frame),
            inside=False,
            title=TITLE,
            filter=NAN,
        )


def _writes(graph: Any) -> bool:
    """Whether a function's graph may write variables."""
    kinds = (operation.type for operation in graph.get_operations())
    inner = (
        item.graph
        for item in list(getattr(graph, "_functions", {}).values())
        if getattr(item, "graph", None) is not None and item.graph is not graph
    )
    return any(kind.startswith(_WRITES) for kind in kinds) or any(map(_writes, inner))
