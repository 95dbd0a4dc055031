"""Copies of compiled functions that tell the values of their nodes, and compute the same to the bit.

A copy is made of the graph that TensorFlow executes in a function's place: optimised, inlined, its
control flow lowered. It runs without further optimisation, so each of its kernels is the one that the
original runs; all that is added is ``DebugIdentity`` on the way from a node to its consumers.
Touches what TensorFlow's eager context keeps private, and nothing else here does. Used by
``functions`` alone.
"""

from __future__ import annotations

import functools
import itertools
import threading
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from graphdebug.runtime.backends import HookUnfit
from graphdebug.runtime.backends.tensorflow.watches import Slot

_CONTEXT = (
    "add_function_def",
    "remove_function",
    "get_function_def",
    "enable_graph_collection",
    "disable_graph_collection",
    "export_run_metadata",
    "function_call_options",
)

ATTEMPTS = 20
"""How often to ask for a graph, until it is told twice the same; other threads may be in between."""

_names = itertools.count()
_collecting = threading.Lock()


class Untapped(Exception):
    """No copy can be made; the message says why, for the user."""


def check() -> None:
    """Raise HookUnfit where this TensorFlow isn't as the module was written for."""
    from tensorflow.python.eager import cancellation, context, execute

    missing = [name for name in _CONTEXT if not hasattr(context.Context, name)]
    for module, name in (
        (execute, "execute"),
        (execute, "execute_with_cancellation"),
        (cancellation, "CancellationManager"),
        (context, "FunctionCallOptions"),
    ):
        if not hasattr(module, name):
            missing.append(f"{module.__name__}.{name}")
    if missing:
        raise HookUnfit(f"TensorFlow has no {', '.join(missing)}")


def optimised(context: Any, definition: Any, inputs: Sequence[Any]) -> Any:
    """The GraphDef that TensorFlow executes for a FunctionDef called with these tensors.

    Nothing of it is executed: TensorFlow makes the graph when it is called for the first time, and
    a call that was cancelled before it began ends there. Raises Untapped.
    """
    if _user_collects():
        raise Untapped("TensorFlow's tracing of graphs (tf.summary.trace_on) is on")
    before: list[str] = []
    for _ in range(ATTEMPTS):
        for graphs in _collected(context, definition, inputs):
            # Of one device the partition is all there is, and what is executed in the end.
            partitions = graphs.partition_graphs
            graph = partitions[0] if len(partitions) == 1 else graphs.post_optimization_graph
            if _is_made_of(graph, graphs.pre_optimization_graph, definition):
                names = sorted(node.name for node in graph.node)
                if names == before:
                    return graph
                before = names
    raise Untapped("TensorFlow didn't tell the graph that it executes")


def _collected(context: Any, definition: Any, inputs: Sequence[Any]) -> Sequence[Any]:
    """The FunctionGraphs that TensorFlow makes for a call, and for what other threads call now."""
    from tensorflow.python.eager import cancellation, execute
    from tensorflow.python.framework import errors

    cancelled = cancellation.CancellationManager()
    cancelled.start_cancel()
    name = _register(context, definition)
    try:
        with _collecting:
            context.enable_graph_collection()
            try:
                execute.execute_with_cancellation(
                    name,
                    num_outputs=len(definition.signature.output_arg),
                    inputs=list(inputs),
                    attrs=_attributes(context.function_call_options),
                    ctx=context,
                    cancellation_manager=cancelled,
                )
            except errors.CancelledError:
                pass
            finally:
                # What was collected is handed over by the next operation that succeeds.
                execute.execute("NoOp", num_outputs=0, inputs=[], attrs=(), ctx=context)
                told = context.export_run_metadata()
                context.disable_graph_collection()
    finally:
        context.remove_function(name)
    found: Sequence[Any] = told.function_graphs
    return found


def _is_made_of(graph: Any, raw: Any, definition: Any) -> bool:
    """Whether a graph, and what it was before it was optimised, are those of a function alone.

    TensorFlow merges what it makes for several threads at the same time, or tells it in parts.
    """
    signature = definition.signature
    names = sorted(node.name for node in definition.node_def)
    inner = [node.name for node in raw.node if node.op not in ("_Arg", "_Retval")]
    outputs = sum(node.op == "_Retval" for node in graph.node)
    ends = len(signature.input_arg) + len(signature.output_arg)
    return (
        sorted(inner) == names
        and len(raw.node) == len(names) + ends
        and outputs == len(signature.output_arg)
    )


def tapped(definition: Any, graph: Any, slots: Collection[Slot], url: str, gated: bool) -> Any:
    """A FunctionDef that executes ``graph`` in the place of ``definition`` and tells ``slots``.

    Of a node without outputs position 0 tells that it ran.
    ``url`` is where ``DebugIdentity`` writes to; ``gated`` whether it waits for a server's word.
    Raises Untapped where a node is of a kind that TensorFlow doesn't describe.
    """
    made = type(definition)()
    made.CopyFrom(definition)
    made.ClearField("node_def")
    made.ret.clear()
    made.control_ret.clear()
    del made.signature.control_output[:]
    wiring = _Wiring(definition, graph, slots)
    for node in graph.node:
        if node.op == "_Retval":
            position = node.attr["index"].i
            made.ret[definition.signature.output_arg[position].name] = wiring.input(node.input[0])
        elif node.op != "_Arg":
            copy = made.node_def.add()
            copy.CopyFrom(node)
            copy.ClearField("input")
            copy.input.extend(filter(None, map(wiring.input, node.input)))
            if node.op in ("Enter", "RefEnter"):
                copy.attr["parallel_iterations"].i = 1  # so that values come in order
    for slot in wiring.taps:
        _add_tap(made, wiring, slot, url, gated)
    return made


def register(context: Any, definition: Any) -> str:
    """Make a function known to TensorFlow, under a new name; returns that."""
    return _register(context, definition)


def unregister(context: Any, names: Sequence[str]) -> None:
    """Make functions unknown again."""
    for name in names:
        context.remove_function(name)


def unoptimised(options: Any) -> Any:
    """Call options like these, by which a function's graph is executed as it is."""
    from tensorflow.core.protobuf import config_pb2
    from tensorflow.python.eager import context

    config = config_pb2.ConfigProto()
    config.CopyFrom(config_pb2.ConfigProto.FromString(options.config_proto_serialized))
    config.graph_options.rewrite_options.disable_meta_optimizer = True
    config.graph_options.optimizer_options.opt_level = (
        config_pb2.OptimizerOptions.L0  # neither folds constants nor merges nodes
    )
    config.graph_options.optimizer_options.do_function_inlining = False
    return context.FunctionCallOptions(executor_type=options.executor_type, config_proto=config)


def restore_name(error: object, copy: str, name: str) -> None:
    """Let an error of TensorFlow's say the name of the function in whose place a copy failed."""
    message = getattr(error, "_message", None)
    if isinstance(message, str):
        error._message = message.replace(copy, name)  # type: ignore[attr-defined]


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
        """What a node takes, through its tap; empty for what needn't be said."""
        if text.startswith("^"):
            name = text[1:]
            if name in self._arguments:
                return ""
            silent = (name, 0) in self.taps and not outputs(self.nodes[name])
            return f"^{self.taps[name, 0]}" if silent else text
        name, _, position = text.partition(":")
        slot = name, int(position or 0)
        return f"{self.taps[slot]}:output:0" if slot in self.taps else self.output(*slot)

    def output(self, name: str, position: int) -> str:
        """An output of a node."""
        if name in self._arguments:
            return str(self._arguments[name])
        return f"{name}:{outputs(self.nodes[name])[position][0]}"


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


def _add_tap(made: Any, wiring: _Wiring, slot: Slot, url: str, gated: bool) -> None:
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
    node.attr["gated_grpc"].b = gated
    # An empty list of allocators says nothing, and keeps TensorFlow from running the tap of a
    # constant once and for all while it optimises.
    node.attr["_scoped_allocator"].list.SetInParent()


def _register(context: Any, definition: Any) -> str:
    made = type(definition)()
    made.CopyFrom(definition)
    made.signature.name = f"{definition.signature.name}_graphdebug_{next(_names)}"
    context.add_function_def(made)
    return str(made.signature.name)


def _attributes(options: Any) -> tuple[Any, ...]:
    return tuple(itertools.chain(*options.as_attrs().items()))


@functools.cache
def _summary() -> Any:
    from tensorflow.python.ops import summary_ops_v2

    return summary_ops_v2


def _user_collects() -> bool:
    return getattr(_summary(), "_current_trace_context", None) is not None
