"""What is seen at an autograd Node that is about to run: the locals of its frame."""

from __future__ import annotations

import functools
from typing import Any

UNPACKED_LATER = "kept by the program's saved_tensors_hooks, which unpack it when the Node runs"
"""In place of a tensor whose hooks may expect to unpack it once, as those of checkpoints do."""


class NamedNode(str):
    """A Node's name, to be compared with, that has the Node's attributes too.

    It isn't the Node: a debugger that shows an object's attributes reads them all, and some unpack
    saved tensors, which runs hooks of the program's.
    """

    def __new__(cls, name: str, node: Any) -> NamedNode:
        """For this Node."""
        self = super().__new__(cls, name)
        self._node = node
        return self

    _node: Any

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(self._node, name)


def node_locals(node: Any, name: str, gradients: Any) -> dict[str, Any]:
    """The gradients that ``node`` gets, the Node, the shape of what it made, and what it saved."""
    kind: Any = type(node)
    shapes = tuple(item.shape for item in node._input_metadata)
    return {
        "grad_outputs": gradients,
        "node": NamedNode(name, node),
        "output_shape": shapes[0] if len(shapes) == 1 else shapes,
        "phase": "backward",
        **{attribute: _saved(node, attribute) for attribute in _kept(kind)},
    }


@functools.lru_cache(maxsize=1024)
def _kept(kind: Any) -> tuple[str, ...]:
    names = dir(kind)
    own = ("saved_tensors",) if "_raw_saved_tensors" in names else ()
    return (*own, *(name for name in names if name.startswith("_saved_")))


def _saved(node: Any, attribute: str) -> Any:
    """What it saved, where reading that runs nothing of the program's."""
    try:
        raw = getattr(node, f"_raw_{attribute.lstrip('_')}", None)
        packed = raw if isinstance(raw, (tuple, list)) else () if raw is None else (raw,)
        if any(getattr(item, "unpack_hook", True) is not None for item in packed):
            return UNPACKED_LATER
        return getattr(node, attribute)
    except RuntimeError as error:
        return str(error).partition(". ")[0]
