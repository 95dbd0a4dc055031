"""Sees each run of the autograd engine: its nodes, in order, and the operations that made them."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Iterator, Sequence
from types import FrameType
from typing import TYPE_CHECKING, Any

import torch

from graphdebug.protocol.model import Source
from graphdebug.runtime.backends.torch import finite, modes
from graphdebug.runtime.backends.torch.backward_stops import StoppingPass
from graphdebug.runtime.backends.torch.gradient_watch import GradientWatch, feeds, risky
from graphdebug.runtime.backends.torch.gradients import Gradients
from graphdebug.runtime.backends.torch.interrupts import notice
from graphdebug.runtime.backends.torch.patches import unmark
from graphdebug.runtime.backends.torch.pending import Pending
from graphdebug.runtime.backends.torch.plain_steps import PlainSteps
from graphdebug.runtime.backends.torch.positions import Place, comes_round, place
from graphdebug.runtime.backends.torch.records import Executed, NodeFacts, Pass, executed, infos
from graphdebug.runtime.backends.torch.trail import NODES, NODES_LIMIT, OFF, VALUES, Trail, clock
from graphdebug.runtime.backends.torch.trail import sequence as now
from graphdebug.runtime.backends.torch.values import read
from graphdebug.runtime.frames import source_at

if TYPE_CHECKING:
    from graphdebug.runtime.backends.torch.observer import TorchBackend

_LEAF = 1 << 63
"""AccumulateGrad has the highest sequence number there is: it was made by no operation."""


def observed_engine(original: Callable[..., Any], backend: TorchBackend) -> Callable[..., Any]:
    """``_engine_run_backward``, observed."""

    @functools.wraps(original)
    def _engine_run_backward(t_outputs: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            run = None if backend.asleep else begin(backend, t_outputs, args, kwargs)
        except BaseException as error:  # also once it is over
            notice(backend.here(), error)
            raise
        try:
            result = original(t_outputs, *args, **kwargs)
        except BaseException as error:
            if run is not None:
                end(run, None, True)
            unmark(error)
            raise
        if run is None:
            return result
        try:
            end(run, result)
        except BaseException as error:  # also before it has begun
            notice(backend.here(), error)
            raise
        return result

    return _engine_run_backward


def _begin(backend: TorchBackend, outputs: Any, args: Any, kwargs: Any) -> _Run | PlainSteps | None:
    try:
        here = backend.here()
        alone = type(outputs) is tuple and len(outputs) == 1
        if here is not None and here.plain_steps.usual() and not here.updating:
            seen = executed(outputs[0] if alone else list(outputs))
            if seen and here.plain_steps.enter(outputs):
                return here.plain_steps
        trail = backend.trail()
        if trail is None or trail.level == OFF:
            return None
        if not executed(outputs[0] if alone else list(outputs)):
            return None
        return _Run(trail, outputs, args, kwargs)
    except BaseException as error:
        backend.fail("a backward pass", error)
        return None


class _Run:
    """One run of the engine, from its beginning to its end."""

    def __init__(self, trail: Trail, outputs: Any, args: Any, kwargs: Any) -> None:
        self._trail = trail
        self._watch: _Watch | None = None
        self._nan: GradientWatch | None = None
        self._stops: StoppingPass | None = None
        self._put_on = self._taken_out = False
        _, _, self._differentiated, inputs = (*args, None, None, None, None)[:4]
        self._called = "backward" if kwargs.get("accumulate_grad", True) else "grad"
        pending = trail.pending
        self._place = _NOWHERE if trail.backend.optimizers and pending is None else _place()
        if pending is not None and not trail.in_backward and not trail.updating:
            fresh = now() > pending.seq and not pending.differentiated
            if fresh or comes_round(pending.place, self._place):
                trail.close_pending()
        number = None
        if len(outputs) == 1 and isinstance(outputs[0], torch.Tensor) and not trail.in_backward:
            number = trail.loss = finite.number(outputs[0])
        if trail.level >= NODES:
            clean = trail.watch.entered(outputs, number)
            self._follow(outputs, inputs or (), clean)
        self._gradients: Gradients | None = None
        if trail.watches is not None:
            trail.watches.before(sys._getframe(2))
            if not trail.in_backward:
                self._gradients = Gradients(
                    trail.backend, trail.watches, sys._getframe(2), self._called
                )
        trail.in_backward += 1

    def _follow(self, outputs: Any, inputs: Any, clean: bool) -> None:
        trail = self._trail
        deep = now() - trail.base > NODES_LIMIT
        nodes, signature = ((), ()) if deep else _walk(outputs, trail.base)
        if deep or len(nodes) > NODES_LIMIT:
            trail.partial = True
            return
        asked = tuple(_marks(inputs, nodes))
        key = (self._called, signature, bool(self._differentiated), asked)
        event = trail.at.follow(key)
        if event is None or trail.level == VALUES:
            self._watch = _Watch(trail, nodes, key)
            trail.enter(self._watch.event, self._watch.values)
            event = self._watch.event
        else:
            trail.at = event
        assert isinstance(event, Pass)
        earlier = _earlier(nodes, signature, trail.base)
        self._stops = trail.stops.begin(event, nodes, earlier)
        new = self._watch is not None
        self._nan = GradientWatch(trail, nodes, event, earlier, new) if clean else None
        if self._watch is not None:  # after the others, so that its times leave stops out
            self._watch.put_on(nodes)
        if event.compiled:
            self._taken_out = modes.take_out(trail.mode)
        elif not modes.is_on(trail.mode):
            modes.put_on(trail.mode)
            self._put_on = True

    def end(self, result: Any = None, failed: bool = False) -> None:
        """The engine is done."""
        trail = self._trail
        try:
            trail.in_backward = max(0, trail.in_backward - 1)
            if self._stops is not None:
                self._stops.end()
            if self._put_on:
                modes.take_out(trail.mode)
            if self._taken_out:
                modes.put_on(trail.mode)
            if self._watch is not None:
                self._watch.end(keep=not failed)
            if self._nan is not None:
                self._nan.end(result, failed)
            if not failed and not trail.in_backward and not trail.updating:
                self._closes()
            if self._gradients is not None:
                self._gradients.end(sys._getframe(1), failed)
            if trail.watches is not None:
                trail.watches.after(sys._getframe(1), "the backward pass", [])
            if not trail.in_backward and not trail.standing:
                trail.stops.over(failed)
        except BaseException as error:
            trail.backend.fail("a backward pass", error)

    def _closes(self) -> None:
        trail = self._trail
        trail.after_backward = True
        trail.backend.backward_passes += 1
        if trail.backend.optimizers:
            return
        stack = self._place.user
        source: Source | None = source_at(*stack[-1]) if stack else None
        differentiated = bool(self._differentiated)
        trail.pending = Pending(self._called, source, self._place, now(), differentiated)


def _end(run: _Run | PlainSteps, result: Any, failed: bool = False) -> None:
    run.end(result, failed)


begin, end = _begin, _end
"""The native tier puts the same in their place, untraced by debuggers."""


class _Watch:
    """Hooks on each node of a graph that wasn't seen before. Holds no node."""

    def __init__(self, trail: Trail, nodes: Sequence[Any], key: Any) -> None:
        self._trail, self._key, self._parent = trail, key, trail.at
        self.event = event = Pass(trail.at)
        event.risky, event.feeds = risky(nodes), feeds(nodes, trail.base)
        event.executed, event.makers, event.spots = (), None, None
        called, signature, differentiated, asked = key
        usual = called == "backward" and not (differentiated or asked) and -1 not in signature
        event.plain = signature if usual and not event.risky else None
        links = _links(nodes, trail.base)
        event.nodes = tuple(
            NodeFacts(_name(node), seq, _forward_code(node))
            for node, seq in zip(nodes, links, strict=True)
        )
        event.compiled = any(node.name.startswith("CompiledFunction") for node in event.nodes)
        if event.compiled:
            event.plain = None
        self._done: list[list[Any]] = []
        places = {node: at for at, node in enumerate(nodes)}
        self._feeds = [
            [places[following] for following, _ in node.next_functions if following in places]
            for node in nodes
        ]
        """Of each node, by place in ``nodes``: which ones its gradients go to."""
        self.values: list[Any] | None = [] if trail.level == VALUES else None
        self._handles: list[Any] = []

    def put_on(self, nodes: Sequence[Any]) -> None:
        """Hook them."""
        for at, (node, facts) in enumerate(zip(nodes, self.event.nodes, strict=True)):
            before, after = self._hooks(at, *facts)
            self._handles += (node.register_prehook(before), node.register_hook(after))

    def _hooks(self, node: int, name: str, seq: int, code: Any) -> tuple[Any, Any]:
        trail, base = self._trail, self._trail.base
        running: list[list[Any]] = []

        def before(gradients: Any) -> None:
            if trail.standing:  # the user runs it at a stop
                return
            try:
                begin = now() - base
                if self._done:  # the engine itself makes Nodes where it adds gradients up
                    self._done[-1][6] = begin
                entry = [name, seq, infos(gradients), (), clock(), begin, None, code, node]
                self._done.append(entry)
                running.append(entry)
                if self.values is not None:
                    self.values.append((read(gradients), ()))
                    entry.append(len(self.values) - 1)
                entry[4] = clock()
            except BaseException as error:
                trail.backend.fail("a backward node", error)

        def after(outputs: Any, gradients: Any) -> None:
            try:
                if trail.standing or not running:
                    return
                entry = running.pop()
                entry[4] = clock() - entry[4]
                entry[3], entry[6] = infos(outputs), now() - base
                if self.values is not None:
                    place = entry[9]
                    self.values[place] = (self.values[place][0], read(outputs))
            except BaseException as error:
                trail.backend.fail("a backward node", error)

        return before, after

    def end(self, keep: bool) -> None:
        """Take the hooks out; remember the pass if it ran to its end."""
        for handle in self._handles:
            handle.remove()
        self._handles.clear()
        if self._done and self._done[-1][6] is not None:
            self._done[-1][6] = now() - self._trail.base
        self.event.executed = tuple(self._executed())
        if keep:
            self._trail.remember(self._parent, self._key, self.event)

    def _executed(self) -> Iterator[Executed]:
        fed: dict[int, list[int]] = {}
        for at, entry in enumerate(self._done):
            name, seq, inputs, outputs, ns, seq_from, seq_to, code, node = entry[:9]
            if seq_to is None:  # it raised
                ns, seq_to = 0, seq_from
            taken = tuple(fed.get(node, ()))
            yield Executed(name, seq, inputs, outputs, ns, seq_from, seq_to, code, taken)
            for following in set(self._feeds[node]):
                fed.setdefault(following, []).append(at)


quickly: Callable[[Any, int], tuple[Sequence[Any], tuple[int, ...]] | None] | None = None
"""The native tier's ``_walk``, while that runs: None where it has to be done here."""


def _walk(outputs: Any, base: int) -> tuple[Sequence[Any], tuple[int, ...]]:
    """The nodes that the engine can reach, and what tells this graph from others.

    That is the order in which they are found and the operations that made them; what the operations
    were is known already. Of a graph that is too large, a part.
    """
    if quickly is not None and (found := quickly(outputs, base)) is not None:
        return found
    nodes: list[Any] = []
    for output in outputs:
        node = _root(output)
        if node is not None and node not in nodes:
            nodes.append(node)
    seen = set(nodes)
    signature = []
    for node in nodes:  # it grows
        seq = node._sequence_nr()
        signature.append(seq - base if base <= seq < _LEAF else -1 if seq < _LEAF else -2)
        for following, _ in node.next_functions:
            if following is not None and following not in seen:
                seen.add(following)
                nodes.append(following)
        if len(nodes) > NODES_LIMIT:
            break
    return nodes, tuple(signature)


def _root(output: Any) -> Any:
    if isinstance(output, torch.Tensor):
        with torch._C.DisableTorchFunction():
            return output.grad_fn
    return output.node


def _marks(inputs: Any, nodes: Sequence[Any]) -> Iterator[int]:
    """Which nodes the gradients are asked for of; -1 for one that isn't reached."""
    if not inputs:
        return
    leaves = {id(node.variable): at for at, node in enumerate(nodes) if hasattr(node, "variable")}
    for item in inputs:
        node = _root(item)
        if node is None:
            yield leaves.get(id(item), -1)
        else:
            yield next((at for at, other in enumerate(nodes) if other is node), -1)


def _links(nodes: Sequence[Any], base: int) -> list[int]:
    """The sequence number of each node, from ``base`` on; -1 where no operation of the step made it.

    Each thread has numbers of its own. Where the forward pass ran in several they can't be told
    apart, so nothing is linked.
    """
    numbers = [node._sequence_nr() for node in nodes]
    own = [seq for seq in numbers if seq < _LEAF]
    if len(set(own)) != len(own) or max(own, default=0) >= now():
        return [-1] * len(nodes)
    return [seq - base if base <= seq < _LEAF else -1 for seq in numbers]


def _earlier(nodes: Sequence[Any], signature: Sequence[int], base: int) -> list[int | None]:
    """The thread's sequence numbers of Nodes that operations of earlier steps may have made."""
    if -1 not in signature:
        return []
    numbers = [node._sequence_nr() for node in nodes]
    own = [seq for seq in numbers if seq < _LEAF]
    if len(set(own)) != len(own) or max(own, default=0) >= now():
        return []  # made in several threads
    return [seq if seq < base else None for seq in numbers]


def _name(node: Any) -> str:
    return str(node.name()).rpartition("::")[2]


def _forward_code(node: Any) -> Any:
    function = getattr(type(node), "_forward_cls", None)
    return getattr(getattr(function, "forward", None), "__code__", None)


_NOWHERE = Place((), False, False)


def _place() -> Place:
    """Where the engine was called."""
    frame: FrameType | None = sys._getframe(3)
    while frame is not None and frame.f_globals.get("__name__", "").startswith(__package__):
        frame = frame.f_back
    return place(frame)
