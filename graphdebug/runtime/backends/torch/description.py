"""From the events of a step to the nodes that are sent: done once for each distinct step."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from graphdebug.protocol.model import Node, Source, Tensor
from graphdebug.runtime.backends.torch.positions import USER_FILES
from graphdebug.runtime.backends.torch.records import Event, Executed, Op, Pass, TensorInfo
from graphdebug.runtime.frames import source_at

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
        self._made_by: dict[int, int] = {}
        self._ops = [event for event in path if isinstance(event, Op)]
        self._sources: list[Source | None] = []
        self._seen: Counter[Any] = Counter()
        self._number(path)
        nodes: list[Node] = []
        for place, event in enumerate(path):
            kept = values[place] if values else None
            if isinstance(event, Op):
                nodes.append(self._op(len(nodes), event, kept))
            elif isinstance(event, Pass):
                for turn, executed in enumerate(event.executed):
                    of_turn = kept[turn] if kept else None
                    nodes.append(self._executed(len(nodes), executed, of_turn))
        self.nodes = tuple(nodes)

    def _number(self, path: list[Event]) -> None:
        """Find out which node made which autograd Nodes; the innermost one did."""
        index = 0
        for event in path:
            makers: Iterable[Op | Executed] = ()
            if isinstance(event, Op):
                makers = (event,)
            elif isinstance(event, Pass):
                makers = event.executed
            for maker in makers:
                for seq in range(maker.seq_from, maker.seq_to):
                    self._made_by[seq] = index
                index += 1

    def _op(self, index: int, op: Op, values: Values | None) -> Node:
        source = source_at(op.code, op.lasti) if op.code is not None else None
        self._sources.append(source)
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
            source=source,
            duration_ns=op.ns,
        )

    def _executed(self, index: int, executed: Executed, values: Values | None) -> Node:
        maker = self._made_by.get(executed.seq)
        source = self._sources[maker] if maker is not None and maker < index else None
        if maker is None and executed.forward_code is not None:
            source = self._custom(executed)
        self._sources.append(source)
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
            source=source,
            duration_ns=executed.ns,
            forward_node=maker,
        )

    def _custom(self, executed: Executed) -> Source | None:
        """The line that called a custom Function: the one around its ``forward``.

        Its Node is made before ``forward`` runs, and no operation of its own is seen, so it is found
        by the first operation within.
        """
        op = next((op for op in self._ops if op.seq_from > executed.seq), None)
        codes = [code for code, _ in op.around] if op is not None else []
        if op is None or executed.forward_code not in codes:
            return None
        outside = op.around[: codes.index(executed.forward_code)]
        callers = [at for at in outside if USER_FILES[at[0].co_filename]]
        return source_at(*callers[-1]) if callers else None

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
