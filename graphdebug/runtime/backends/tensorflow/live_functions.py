"""Calls of compiled functions that stop at their nodes while they run.

The graph that runs in a function's place calls Python after each node of the user's lines, and the
node's consumers wait for that. Used by ``functions`` and its hooks.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from graphdebug.protocol.model import BindingKind, Source
from graphdebug.runtime import debugger
from graphdebug.runtime.backends.tensorflow import contexts, taps
from graphdebug.runtime.backends.tensorflow.assignments import variables
from graphdebug.runtime.backends.tensorflow.calls import Call
from graphdebug.runtime.backends.tensorflow.copies import Asked, Plan
from graphdebug.runtime.backends.tensorflow.live import Live, Spot, Spots
from graphdebug.runtime.backends.tensorflow.live_sessions import NODE
from graphdebug.runtime.backends.tensorflow.named import tell
from graphdebug.runtime.backends.tensorflow.record import short_device
from graphdebug.runtime.backends.tensorflow.recordings import InlinedCall
from graphdebug.runtime.backends.tensorflow.signatures import Line
from graphdebug.runtime.backends.tensorflow.spots import spots
from graphdebug.runtime.backends.tensorflow.watches import Slot

if TYPE_CHECKING:
    from graphdebug.runtime.backends.tensorflow import TensorFlow

BOUNDARY = (
    "the nodes that this line builds can't be held while they run, since {}; so it stops where the "
    "compiled function is called"
)
UNHELD = "they put nothing out that can be held"


class Door:
    """Where a running copy asks whether it may go on, one node at a time.

    Called on TensorFlow's threads; ``live`` is set while a call goes through.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.live: Live | None = None

    def of(self, slot: Slot) -> Callable[..., list[Any]]:
        """What the graph calls with an output, or with nothing for a node that has none."""

        def ask(*outputs: Any) -> list[Any]:
            live = self.live
            if live is not None:
                value = _copied(outputs[0]) if outputs else None
                with self._lock:
                    live.ask(slot, value)
            return []

        return ask


def _copied(value: Any) -> Any:
    """An array of its own: TensorFlow may lend the memory that its nodes compute in."""
    import numpy

    if isinstance(value, (bytes, str)):
        return numpy.array(value, dtype=object)
    return numpy.array(value)


@dataclass
class HeldCopy:
    """A copy whose nodes can be held; for one call at a time."""

    name: str
    door: Door
    functions: contexts.Registered


@dataclass
class Held:
    """One call that a copy makes in the place of the user's function."""

    live: Live
    copy: HeldCopy
    place: contexts.Place
    lines: frozenset[Line]
    """Those whose nodes stop."""
    asked: Asked
    plan: Plan


class LiveFunctions:
    """Makes calls live, where the client asked for ``"staticGraphs": "node"``.

    Its methods are called on the program's threads, any number at once.
    """

    def __init__(self, backend: TensorFlow) -> None:
        self.backend = backend
        self.runtime = backend.runtime
        self._lock = threading.Lock()
        self._spots: weakref.WeakKeyDictionary[Plan, Spots] = weakref.WeakKeyDictionary()
        self._standing: weakref.WeakKeyDictionary[Plan, dict[Slot, Slot]] = (
            weakref.WeakKeyDictionary()
        )
        self._free: weakref.WeakKeyDictionary[Plan, list[HeldCopy]] = weakref.WeakKeyDictionary()

    @property
    def asked(self) -> bool:
        """Whether breakpoints in graphs are to stop inside of them."""
        return self.runtime.configuration.static_graphs == "node"

    def open(
        self, call: Call, context: Any, concrete: Any, plan: Plan, asked: Asked
    ) -> Held | None:
        """The call that begins, if it has lines that are to stop; what all of them do is told."""
        if not (self.asked and debugger.attached() and (asked.lines or asked.by_name.nodes)):
            self._tell_named(call, asked, (), plan.why)
            return None
        left = asked.lines.keys() - asked.removed.keys()
        if plan.why:
            self._tell(left, "boundary", BOUNDARY.format(plan.why))
            self._tell_named(call, asked, (), plan.why)
            return None
        found = self._spots_of(plan, concrete.graph)
        at = frozenset((spot.source.path, spot.source.line) for spot in found.nodes.values())
        try:
            options = contexts.unoptimised(context.function_call_options)
            place = contexts.Place(context, options)
            copy = self._borrow(context, plan, found)
        except taps.Untapped as error:
            self._tell(left, "boundary", BOUNDARY.format(error))
            self._tell_named(call, asked, (), str(error))
            return None
        self._tell(left & at, "node", NODE)
        self._tell(left - at, "boundary", BOUNDARY.format(UNHELD))
        nodes = asked.by_name.nodes.keys() & found.nodes.keys()
        self._tell_named(call, asked, nodes, UNHELD)
        if not (left & at or nodes):
            self._release(plan, copy)
            return None
        live = Live(self.runtime, None, found, call.name, self.runtime.recorder.next_step)
        return Held(live, copy, place, at.intersection(left), asked, plan)

    def _tell_named(self, call: Call, asked: Asked, held: Collection[str], why: str) -> None:
        """Tell what breakpoints on nodes by name do in a call; ``why`` some don't stop inside of it."""
        if not (asked.told or (why and not asked.by_name.nodes)):
            asked.told = True
            tell(self.runtime, asked.by_name, held, self.backend.calls.described, why)

    def run(self, held: Held, original: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """In the original's place: call it while the thread stops at its nodes."""

        def graph() -> Any:
            held.place.enter()
            return original(*args, **kwargs)

        held.live.begin()
        held.copy.door.live = held.live
        try:
            return held.live.run(graph)
        finally:
            held.copy.door.live = None
            self._release(held.plan, held.copy)
            if held.live.problem is not None:
                self.backend.give_up("a stop inside of a compiled function", held.live.problem)

    def _spots_of(self, plan: Plan, graph: Any) -> Spots:
        with self._lock:
            known = self._spots.get(plan)
        if known is None:
            lines = self.backend.graphs.lines(graph)
            known = spots(graph, lines, plan.executable)
            nodes = {
                node: spot
                for node, spot in known.nodes.items()
                if taps.outputs(plan.executable.nodes[node])
            }
            inlined = _inlined(plan, lines, graph)
            nodes.update(
                {**_silent(plan, lines, graph), **{spot.node: spot for spot, _ in inlined}}
            )
            origins = {spot.node: call.origin for spot, call in inlined}
            assigned = known.variables

            def held(spot: Spot) -> Mapping[int, str]:
                if spot.node not in origins:
                    return assigned(spot)
                place = spot.source.path, spot.source.line
                built = lines.built_at(graph, *place)
                return variables(graph, *place, built).get(origins[spot.node], {})

            known = replace(known, nodes=nodes, variables=held)
            self._standing[plan] = {
                (spot.node, slot): of for spot, call in inlined for slot, of in call.outputs.items()
            }
            with self._lock:
                self._spots[plan] = known
        return known

    def _borrow(self, context: Any, plan: Plan, found: Spots) -> HeldCopy:
        with self._lock:
            free = self._free.setdefault(plan, [])
            if free:
                return free.pop()
        standing = self._standing[plan]
        door = Door()
        functions = contexts.Registered({slot: door.of(slot) for slot in found.slots})
        tokens: dict[Slot, list[str]] = {}
        for slot, token in functions.tokens.items():
            tokens.setdefault(standing.get(slot, slot), []).append(token)
        made = taps.held(plan.definition, plan.graph, tokens)
        name = contexts.register(context, made)
        plan.made.append(name)
        return HeldCopy(name, door, functions)

    def _release(self, plan: Plan, copy: HeldCopy) -> None:
        with self._lock:
            self._free.setdefault(plan, []).append(copy)

    def _tell(self, lines: Sequence[Line] | set[Line], kind: BindingKind, reason: str) -> None:
        self.backend.bind([Source(path, line) for path, line in lines], reason, kind)


def _silent(plan: Plan, lines: Any, graph: Any) -> dict[str, Spot]:
    """Nodes of the user's that put nothing out."""
    found = {}
    executable = plan.executable
    for node, definition in executable.nodes.items():
        if definition.op in ("NoOp", "_Arg", "_Retval") or taps.outputs(definition):
            continue
        source = lines.source(graph, executable.origin[node])
        if source is not None:
            found[node] = Spot(
                node=node,
                name=executable.names.get(node, node),
                op_type=definition.op,
                source=source,
                slots=(0,),
                device=short_device(definition.device),
                repeats=node in executable.nests,
            )
    return found


def _inlined(plan: Plan, lines: Any, graph: Any) -> list[tuple[Spot, InlinedCall]]:
    """Calls of which only the called function's nodes are left, and which put their outputs out."""
    found = []
    for call in plan.inlined(graph, lines.origins):
        source = lines.source(graph, call.origin)
        if source is not None:
            spot = Spot(
                node=f"{call.node} (inlined)",
                name=call.node,
                op_type=call.op_type,
                source=source,
                slots=tuple(sorted(call.outputs)),
                device=short_device(plan.executable.nodes[call.made_by].device),
                repeats=call.made_by in plan.executable.nests,
            )
            found.append((spot, call))
    return found
