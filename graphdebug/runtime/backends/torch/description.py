"""From the events of a step to the nodes that are sent: done once for each distinct step."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

from graphdebug.protocol.model import Node, Tensor
from graphdebug.runtime.backends.torch.makers import Makers
from graphdebug.runtime.backends.torch.records import Event, Executed, Op, Pass, TensorInfo

Values = tuple[tuple[Any, ...], tuple[Any, ...]]
"""The values of a node's inputs and of its outputs, None where they weren't kept."""


def describe(last: Event, values: Sequence[Any] | None = None) -> tuple[Node, ...]:
    """The nodes of the step that ends with ``last``.

    ``values`` has an entry for each event: an operation's Values, or a list of them for a backward
    pass.
    """
    return _Description(last.path(), values).nodes


class _Description:
    def __init__(self, path: list[Event], values: Sequence[Any] | None) -> None:
        self.nodes: tuple[Node, ...] = ()
        self._makers = Makers(path)
        self._seen: Counter[Any] = Counter()
        nodes: list[Node] = []
        for place, event in enumerate(path):
            kept = values[place] if values else None
            if isinstance(event, Op):
                nodes.append(self._op(len(nodes), event, kept))
            elif isinstance(event, Pass):
                begin = len(nodes)
                for turn, executed in enumerate(event.executed):
                    of_turn = kept[turn] if kept else None
                    taken = tuple(begin + each for each in executed.taken)
                    nodes.append(self._executed(len(nodes), executed, of_turn, taken))
        self.nodes = tuple(nodes)

    def _op(self, index: int, op: Op, values: Values | None) -> Node:
        return Node(
            index=index,
            step=0,
            name=op.name,
            op_type=op.op_type,
            phase=op.phase,
            iteration=self._iteration((op.op_type, op.code, op.lasti)),
            device=_device(op.outputs, op.inputs),
            inputs=_tensors(op.inputs, values and values[0]),
            outputs=_tensors(op.outputs, values and values[1]),
            source=self._makers.all[index].source,
            duration_ns=op.ns,
            input_nodes=self._made(op.taken),
        )

    def _made(self, taken: Sequence[int]) -> tuple[int, ...]:
        found = {self._makers.index(seq) for seq in taken}
        return tuple(sorted(index for index in found if index is not None))

    def _executed(
        self, index: int, executed: Executed, values: Values | None, taken: tuple[int, ...]
    ) -> Node:
        maker = self._makers.index(executed.seq)
        return Node(
            index=index,
            step=0,
            name=executed.name,
            op_type=executed.name,
            phase="backward",
            iteration=self._iteration((executed.name, executed.seq)) if maker is not None else 0,
            device=_device(executed.outputs, executed.inputs),
            inputs=_tensors(executed.inputs, values and values[0]),
            outputs=_tensors(executed.outputs, values and values[1]),
            source=self._makers.all[index].source,
            duration_ns=executed.ns,
            forward_node=maker,
            input_nodes=taken,
        )

    def _iteration(self, key: Any) -> int:
        self._seen[key] += 1
        return self._seen[key] - 1


def _device(*groups: tuple[TensorInfo, ...]) -> str:
    return next((str(group[0].device) for group in groups if group), "")


def _tensors(infos: tuple[TensorInfo, ...], values: tuple[Any, ...] | None) -> tuple[Tensor, ...]:
    if values is None or len(values) != len(infos):  # it changed its own arguments
        values = (None,) * len(infos)
    return tuple(_tensor(item, value) for item, value in zip(infos, values, strict=True))


def _tensor(item: TensorInfo, value: Any) -> Tensor:
    shape = tuple(item.shape)
    size = 0 if -1 in shape else math.prod(shape) * item.dtype.itemsize
    dtype = str(item.dtype).removeprefix("torch.")
    return Tensor(shape, dtype, str(item.device), size, item.requires_grad, value)
