"""Copies of compiled functions that tell, or hold, their nodes, and compute the same to the bit.

A copy is made of the graph that TensorFlow executes in a function's place: optimised, inlined, its
control flow lowered. It runs without further optimisation, so each of its kernels is the one that the
original runs; all that is added stands between a node and its consumers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from graphdebug.runtime.backends.tensorflow.watches import NUMBERS, Slot

_AROUND = ("Enter", "RefEnter", "NextIteration", "RefNextIteration")


class Untapped(Exception):
    """No copy can be made; the message says why, for the user."""


def tapped(definition: Any, graph: Any, slots: Collection[Slot], url: str) -> Any:
    """A FunctionDef that executes ``graph`` in the place of ``definition`` and writes ``slots`` down.

    ``url`` is where ``DebugIdentity`` writes to. Of a node without outputs position 0 tells that it
    ran. Raises Untapped where a node is of a kind that TensorFlow doesn't describe.
    """
    wiring = _Wiring(definition, graph, slots)
    made = _rewired(definition, graph, lambda node: map(wiring.through, node.input), wiring)
    for slot in wiring.taps:
        _add_tap(made, wiring, slot, url)
    return made


def held(definition: Any, graph: Any, tokens: Mapping[Slot, Sequence[str]]) -> Any:
    """The same, whose nodes' consumers wait until Python functions have seen each output.

    ``tokens`` names the functions, as ``tf.numpy_function`` does. The outputs themselves go where they
    went. Raises Untapped.
    """
    wiring = _Wiring(definition, graph, tokens)
    holders = {slot: _holders(name, tokens[slot]) for slot, name in wiring.taps.items()}

    def inputs(node: Any) -> Iterator[str]:
        yield from map(wiring.input, node.input)
        waits = {name for text in node.input for name in holders.get(wiring.waited(text), ())}
        yield from sorted(f"^{name}" for name in waits)

    made = _rewired(definition, graph, inputs, wiring)
    for slot, names in holders.items():
        for name, token in zip(names, tokens[slot], strict=True):
            _add_holder(made, wiring, slot, name, token)
    return made


def numbered(
    definition: Any, graph: Any, slots: Collection[Slot], looped: Collection[str], url: str
) -> Any:
    """The same, that writes how many NaN and Inf the outputs hold that hold any.

    The outputs themselves go where they went. ``looped``: nodes that run in loops. Raises Untapped.
    """
    wiring = _Wiring(definition, graph, slots)

    def inputs(node: Any) -> Iterator[str]:
        yield from map(wiring.input, node.input)
        if not wiring.begins_loop(node):  # what comes into a loop comes once, for all iterations
            waits = {wiring.taps.get(wiring.waited(text)) for text in node.input}
            yield from sorted(f"^{name}" for name in waits if name)

    made = _rewired(definition, graph, inputs, wiring)
    for (of, position), name in wiring.taps.items():
        _add_numbers(made, wiring, (of, position), name, url)
        if of not in looped:  # what nothing waits for would be left out
            made.signature.control_output.append(name)
            made.control_ret[name] = name
    return made


def _add_numbers(made: Any, wiring: _Wiring, slot: Slot, name: str, url: str) -> None:
    of, position = slot
    source = wiring.nodes[of]
    node = made.node_def.add()
    node.name, node.op, node.device = name, NUMBERS, source.device
    node.input.append(wiring.output(of, position))
    node.attr["T"].type = outputs(source)[position][1]
    node.attr["tensor_name"].s = f"{of}:{position}".encode()
    node.attr["device_name"].s = source.device.encode()
    node.attr["debug_urls"].list.s.append(url.encode())
    node.attr["lower_bound"].f, node.attr["upper_bound"].f = -math.inf, math.inf
    node.attr["mute_if_healthy"].b, node.attr["gated_grpc"].b = True, False
    node.attr["_scoped_allocator"].list.SetInParent()


def _holders(name: str, tokens: Sequence[str]) -> list[str]:
    return [f"{name}_{number}" for number in range(len(tokens))]


def _rewired(
    definition: Any, graph: Any, inputs: Callable[[Any], Iterable[str]], wiring: _Wiring
) -> Any:
    """A FunctionDef that executes ``graph``, whose nodes take ``inputs``."""
    made = type(definition)()
    made.CopyFrom(definition)
    made.ClearField("node_def")
    made.ret.clear()
    made.control_ret.clear()
    del made.signature.control_output[:]
    for node in graph.node:
        if node.op == "_Retval":
            name = definition.signature.output_arg[node.attr["index"].i].name
            made.ret[name] = next(iter(inputs(node)))
        elif node.op != "_Arg":
            copy = made.node_def.add()
            copy.CopyFrom(node)
            copy.ClearField("input")
            copy.input.extend(sorted(filter(None, inputs(node)), key=_is_control))
            if node.op in ("Enter", "RefEnter"):
                copy.attr["parallel_iterations"].i = 1  # so that values come in order
    return made


def _is_control(text: str) -> bool:
    return text.startswith("^")


class _Wiring:
    """How nodes of a GraphDef are connected, in the words of a FunctionDef, with taps between."""

    def __init__(self, definition: Any, graph: Any, slots: Collection[Slot]) -> None:
        self.nodes: Mapping[str, Any] = {node.name: node for node in graph.node}
        signature = definition.signature
        self._arguments = {
            node.name: signature.input_arg[node.attr["index"].i].name
            for node in graph.node
            if node.op == "_Arg"
        }
        wanted = sorted(slot for slot in slots if slot[0] not in self._arguments)
        self.taps = {slot: f"graphdebug_tap_{number}" for number, slot in enumerate(wanted)}

    def input(self, text: str) -> str:
        """What a node takes; empty for what needn't be said."""
        if text.startswith("^"):
            return "" if text[1:] in self._arguments else text
        return self.output(*_slot(text))

    def through(self, text: str) -> str:
        """The same, through its tap."""
        if text.startswith("^"):
            return self.waits(text) or self.input(text)
        slot = _slot(text)
        return f"{self.taps[slot]}:output:0" if slot in self.taps else self.output(*slot)

    def waits(self, text: str) -> str:
        """What waits until the tap of a node without outputs has told; empty for what has none."""
        tap = self.taps.get(self.waited(text)) if text.startswith("^") else None
        return f"^{tap}" if tap else ""

    def waited(self, text: str) -> Slot:
        """The output that an input comes from; position 0 of a node without outputs."""
        if not text.startswith("^"):
            return _slot(text)
        return text[1:], 0 if text[1:] in self.nodes and not outputs(self.nodes[text[1:]]) else -1

    def begins_loop(self, node: Any) -> bool:
        """Whether an iteration of a loop begins with it."""
        made_by = (self.nodes.get(_slot(text)[0]) for text in node.input if not _is_control(text))
        return node.op in ("Merge", "RefMerge") and any(
            made is not None and made.op in _AROUND for made in made_by
        )

    def output(self, name: str, position: int) -> str:
        """An output of a node."""
        if name in self._arguments:
            return str(self._arguments[name])
        return f"{name}:{outputs(self.nodes[name])[position][0]}"


def _slot(text: str) -> Slot:
    name, _, position = text.partition(":")
    return name, int(position or 0)


def outputs(node: Any) -> list[tuple[str, int]]:
    """A NodeDef's outputs: ``argument:position`` and DataType of each. Raises Untapped."""
    from tensorflow.python.framework import op_def_registry

    definition = op_def_registry.get(node.op)
    if definition is None:
        raise Untapped(f"TensorFlow doesn't describe {node.op}")
    found = []
    for argument in definition.output_arg:
        for position, kind in enumerate(_types(node, argument)):
            found.append((f"{argument.name}:{position}", kind))
    return found


def _types(node: Any, argument: Any) -> Sequence[int]:
    if argument.type_list_attr:
        types: Sequence[int] = node.attr[argument.type_list_attr].list.type
        return types
    kind = argument.type or node.attr[argument.type_attr].type
    return [kind] * (node.attr[argument.number_attr].i if argument.number_attr else 1)


def _add_tap(made: Any, wiring: _Wiring, slot: Slot, url: str) -> None:
    from tensorflow.core.framework import types_pb2

    of, position = slot
    source = wiring.nodes[of]
    node = made.node_def.add()
    node.name, node.op, node.device = wiring.taps[slot], "DebugIdentity", source.device
    if outputs(source):
        node.input.append(wiring.output(of, position))
        node.attr["T"].type = outputs(source)[position][1]
    else:
        # Nothing comes out of it; that it ran is told by an empty tensor that waits for it.
        ran = made.node_def.add()
        ran.name, ran.op, ran.device = f"{node.name}_ran", "Const", source.device
        ran.input.append(f"^{of}")
        ran.attr["dtype"].type = ran.attr["value"].tensor.dtype = types_pb2.DT_BOOL
        ran.attr["value"].tensor.tensor_shape.dim.add().size = 0
        node.input.append(f"{ran.name}:output:0")
        node.attr["T"].type = types_pb2.DT_BOOL
    node.attr["tensor_name"].s = f"{of}:{position}".encode()
    node.attr["device_name"].s = source.device.encode()
    node.attr["debug_urls"].list.s.append(url.encode())
    node.attr["gated_grpc"].b = False
    # An empty list of allocators says nothing, and keeps TensorFlow from running the tap of a
    # constant once and for all while it optimises.
    node.attr["_scoped_allocator"].list.SetInParent()


def _add_holder(made: Any, wiring: _Wiring, slot: Slot, name: str, token: str) -> None:
    of, position = slot
    source = wiring.nodes[of]
    node = made.node_def.add()
    node.name, node.op, node.device = name, "PyFunc", _host(source.device)
    node.attr["token"].s = token.encode()
    node.attr["Tout"].list.SetInParent()
    if outputs(source):
        node.input.append(wiring.output(of, position))
        node.attr["Tin"].list.type.append(outputs(source)[position][1])
    else:
        node.input.append(f"^{of}")
        node.attr["Tin"].list.SetInParent()


def _host(device: str) -> str:
    """The CPU of a device's machine, where Python runs."""
    machine, _, _ = device.partition("/device:")
    return f"{machine}/device:CPU:0" if device else ""
