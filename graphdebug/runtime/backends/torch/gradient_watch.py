"""Watches one run of the autograd engine for the first NaN or Inf among the gradients."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import torch

from graphdebug.runtime.backends.torch import finite
from graphdebug.runtime.backends.torch.harmless import BOUNDED_NODES, MOVING_NODES
from graphdebug.runtime.backends.torch.makers import Maker, makers_of
from graphdebug.runtime.backends.torch.node_locals import node_locals
from graphdebug.runtime.backends.torch.patches import unmark
from graphdebug.runtime.backends.torch.records import Pass
from graphdebug.runtime.backends.torch.troubles import Trouble, at
from graphdebug.runtime.backends.torch.variables import name_in
from graphdebug.runtime.frames import user_frame

if TYPE_CHECKING:
    from graphdebug.runtime.backends.torch.observer import TorchBackend
    from graphdebug.runtime.backends.torch.trail import Trail


def noting_scales(backend: TorchBackend) -> Callable[[Any], Any]:
    """Wraps ``GradScaler.scale``, which tells that infinite gradients are expected."""

    def wrap(original: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(original)
        def scale(self: Any, outputs: Any) -> Any:
            backend.scaled = True
            try:
                return original(self, outputs)
            except BaseException as error:
                unmark(error)
                raise

        return scale

    return wrap


def risky(nodes: Sequence[Any]) -> tuple[int, ...]:
    """Which Nodes of a pass can make a NaN of finite numbers; all that count, where there are 16 bits."""
    names = [_plain(node) for node in nodes]
    bounded = frozenset() if any(map(_half, nodes)) else BOUNDED_NODES
    return tuple(
        at for at, name in enumerate(names) if name not in bounded and name not in MOVING_NODES
    )


def feeds(nodes: Sequence[Any], base: int) -> dict[int, tuple[str, int]]:
    """Which Node gives each leaf its gradient; see ``Pass``."""
    return {
        id(following.variable): (_name(node), node._sequence_nr() - base)
        for node in nodes
        for following, _ in node.next_functions
        if following is not None and hasattr(following, "variable")
    }


_WAY = 4
"""How many Nodes of a way are told."""


class GradientWatch:
    """Hooks on the Nodes that are watched, until ``end``. Holds no Node."""

    def __init__(
        self,
        trail: Trail,
        nodes: Sequence[Any],
        event: Pass,
        seqs: Sequence[int | None],
        new: bool,
    ) -> None:
        """``seqs``: see ``Past.complete``; ``new``: whether no pass like it was seen before."""
        self._trail, self._event, self._seqs = trail, event, seqs
        self._handles: list[Any] = []
        self._nodes: Sequence[Any] = nodes
        watch = trail.watch
        if not watch.on or not finite.idle():
            return
        places = event.risky
        if new or watch.open:
            places = tuple(at for at, node in enumerate(nodes) if _plain(node) not in MOVING_NODES)
        for place in places:
            hook = self._hook(place)
            self._handles.append(nodes[place].register_hook(hook))

    def _hook(self, place: int) -> Any:
        def after(outputs: Any, gradients: Any) -> None:
            if self._trail.standing:
                return
            try:
                if not finite.all_finite([item for item in outputs if item is not None]):
                    with torch._C.DisableTorchFunction():
                        self._bad(place, outputs, gradients)
            except Exception as error:
                self._trail.backend.fail("a gradient", error)

        return after

    def _bad(self, place: int, outputs: Any, gradients: Any) -> None:
        """A Node's gradients aren't finite: was it this one?"""
        made = _worst(outputs)
        came = _worst(gradients)
        if made == "" or came == "nan" or made == came:
            return
        trail, watch = self._trail, self._trail.watch
        got = "; ".join(finite.said(item) for item in gradients if item is not None)
        clean = "held Inf, but no NaN" if came else "were finite"
        why = f"in backward, from gradients that {clean} ({got})"
        name, seq, _ = self._event.nodes[place]
        makers = self._makers()
        maker = makers[place]
        trouble = Trouble(made, name, maker.source if maker else None, self._event, seq, why=why)
        if maker is not None:
            trouble.why += f", of what {maker.name} had computed there"
        if came_by := self._way_to(place, makers):
            trouble.why += f"; backward came through {came_by}"
        watch.suspects.append(trouble)
        frame = user_frame()
        if watch.stops and frame is not None and not trail.backend.scaled:
            shown = {**node_locals(self._nodes[place], name, gradients), "grad_inputs": outputs}
            watch.stop(trouble, watch.told(trouble, ""), shown, frame)

    def _makers(self) -> list[Maker | None]:
        event = self._event
        makers = event.makers or makers_of(event.nodes, event.path())
        return self._trail.stops.past.complete(makers, event, self._seqs)

    def _way_to(self, place: int, makers: Sequence[Maker | None]) -> str:
        """The Nodes on a way from the loss to this one, nearest first, in words."""
        came = {
            following: place
            for place, node in reversed([*enumerate(self._nodes)])
            for following, _ in node.next_functions
        }
        links: list[str] = []
        before = came.get(self._nodes[place])
        while before is not None and len(links) < _WAY:
            maker = makers[before]
            links.append(self._event.nodes[before].name + at(maker.source if maker else None))
            before = came.get(self._nodes[before])
        return ", ".join(links)

    def end(self, result: Any, failed: bool) -> None:
        """Take the hooks out; see where what they saw ended."""
        nodes, self._nodes = self._nodes, ()
        for handle in self._handles:
            handle.remove()
        trail, watch = self._trail, self._trail.watch
        watch.last_pass = self._event
        trail.learning.passes += not failed
        alone = not trail.backend.optimizers
        if failed or trail.in_backward or not watch.on or not (watch.suspects or alone):
            return
        look(trail, nodes, result)


def look(trail: Trail, nodes: Sequence[Any], result: Any) -> None:
    """A pass is over that ran these Nodes: tell of gradients that aren't finite."""
    with torch._C.DisableTorchFunction():
        watch = trail.watch
        returned = result if isinstance(result, tuple) else ()
        bad = [item for item in returned if isinstance(item, torch.Tensor) and finite.kind(item)]
        if bad:
            return watch.gradients_spoilt(bad, "it is in what grad returns")
        leaves = [node.variable for node in nodes if hasattr(node, "variable")]
        bad = [leaf for leaf in leaves if leaf.grad is not None and finite.kind(leaf.grad)]
        if bad and not trail.backend.scaled:
            name = name_in(user_frame(), bad[0]) or "a leaf"
            watch.gradients_spoilt(bad, f"it is in {name}.grad")


def look_safely(trail: Trail, nodes: Sequence[Any], result: Any) -> None:
    """The same, for the native tier."""
    try:
        look(trail, nodes, result)
    except BaseException as error:
        trail.backend.fail("a backward pass", error)


def _worst(tensors: Any) -> finite.Kind:
    kinds = {finite.kind(item) for item in tensors if isinstance(item, torch.Tensor)}
    return "nan" if "nan" in kinds else "inf" if "inf" in kinds else ""


def _half(node: Any) -> bool:
    return any(item.dtype is torch.float16 for item in getattr(node, "_input_metadata", ()))


def _name(node: Any) -> str:
    return str(node.name()).rpartition("::")[2]


def _plain(node: Any) -> str:
    return _name(node).rstrip("0123456789").removesuffix("Backward")
