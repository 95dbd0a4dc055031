"""Data breakpoints in one backward pass: who gets a gradient, and who has none at its end."""

from __future__ import annotations

import sys
from types import FrameType
from typing import TYPE_CHECKING, Any

import torch

from graphdebug.runtime.backends.torch.watches import Hit, Watched, gradient

if TYPE_CHECKING:
    from graphdebug.runtime.backends.torch.observer import TorchBackend
    from graphdebug.runtime.backends.torch.watches import Watches

GOT = "got its gradient in this backward pass"
NONE = "has no gradient after this backward pass"


class Gradients:
    """Hooks on the tensors that are watched for it, for the time of one pass."""

    def __init__(
        self, backend: TorchBackend, watches: Watches, frame: FrameType, name: str
    ) -> None:
        """``frame`` called the engine, as ``name``: ``backward``, or ``grad``, which keeps none."""
        self._backend, self._watches, self._name = backend, watches, name
        self._got: set[int] = set()
        self._unstopped: list[Hit] = []
        self._handles: list[Any] = []
        self._watched = [item for item in watches.watched if item.for_gradient and not item.gone]
        for watched in self._watched:
            tensor = watched.tensor(frame)
            if tensor is None or not tensor.requires_grad:
                continue
            with torch._C.DisableTorchFunction():
                hook = self._hook(watched)
                if tensor.is_leaf:
                    self._handles.append(tensor.register_post_accumulate_grad_hook(hook))
                else:
                    self._handles.append(tensor.register_hook(hook))

    def _hook(self, watched: Watched) -> Any:
        def got(tensor: Any) -> None:
            try:
                self._got.add(watched.id)
                if watched.kind == "grad":
                    hit = watched.passed(tensor, GOT)
                    if hit is not None and not self._watches.stop(sys._getframe(1), [hit]):
                        self._unstopped.append(hit)
            except Exception as error:
                self._backend.fail("a data breakpoint", error)

        return got

    def end(self, frame: FrameType, failed: bool) -> None:
        """The pass is over: take the hooks out, and stop for those that got nothing."""
        for handle in self._handles:
            handle.remove()
        self._handles.clear()
        hits = [] if failed else self._unstopped
        for watched in () if failed or self._name != "backward" else self._watched:
            tensor = watched.tensor(frame) if watched.kind == "no grad" else None
            if tensor is None or gradient(tensor) is not None or watched.id in self._got:
                continue
            hit = watched.passed(tensor, NONE)
            if hit is not None:
                hits.append(hit)
        if hits:
            self._watches.stop(frame, hits)
