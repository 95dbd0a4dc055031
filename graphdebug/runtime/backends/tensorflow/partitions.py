"""The graph as TensorFlow executes it: pruned, optimised, its control flow lowered, by partition."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from graphdebug.runtime.backends.tensorflow.sources import Origin

_NOWHERE = "graphdebug_watches_nothing"

_HARMLESS = frozenset(
    {
        "Assert",
        "AssignAddVariableOp",
        "AssignSubVariableOp",
        "AssignVariableOp",
        "Case",
        "EagerPyFunc",
        "If",
        "PyFunc",
        "ReadVariableOp",
        "ResourceGather",
        "ResourceGatherNd",
        "StatefulPartitionedCall",
        "VarHandleOp",
        "VarIsInitializedOp",
        "While",
    }
)
"""Stateful operations whose state doesn't live in their kernel; ResourceApply* and the like too."""


@dataclass
class Executable:
    """What one signature of a session executes."""

    nodes: dict[str, Any] = field(default_factory=dict)
    """NodeDefs by name."""
    origins: dict[Origin, list[str]] = field(default_factory=dict)
    """Names of the nodes that each operation, as the user built it, became."""
    opaque: bool = False
    """Whether functions stay functions: their nodes run inside of one."""
    keeps_state: str = ""
    """An operation inside of a function whose kernel keeps a state of its own; empty for none.

    Kernels of functions belong to one executor, and a run with watches has another: a random
    operation would start its stream anew there.
    """

    def origin(self, node: str) -> Origin:
        """The operation that a node was, as the user built it."""
        return origin_of(self.nodes[node]) if node in self.nodes else ("", node)


def executable(partitions: Iterable[Any]) -> Executable:
    """Read from partition graphs."""
    found = Executable()
    for graph in partitions:
        for node in graph.node:
            found.nodes[node.name] = node
            found.origins.setdefault(origin_of(node), []).append(node.name)
        for function in graph.library.function:
            found.opaque = True
            for node in function.node_def:
                if not found.keeps_state and _keeps_state(node.op):
                    found.keeps_state = f"{function.signature.name}/{node.name}"
    return found


def origin_of(node: Any) -> Origin:
    """The operation that a NodeDef was, as the user built it."""
    debug = node.experimental_debug_info
    if debug.original_func_names and debug.original_node_names:
        return debug.original_func_names[0], debug.original_node_names[0]
    if node.op == "_Arg" and node.name.startswith("_arg_"):
        # _arg_<operation>_<output>_<position of the feed>
        return "", node.name[len("_arg_") :].rsplit("_", 2)[0]
    return "", node.name


def _keeps_state(op_type: str) -> bool:
    from tensorflow.python.framework import op_def_registry

    if op_type in _HARMLESS or op_type.startswith(("ResourceApply", "ResourceScatter")):
        return False
    definition = op_def_registry.get(op_type)
    return definition is None or definition.is_stateful


def plan(
    session: Any,
    fetches: Sequence[str],
    targets: Sequence[str],
    feeds: Sequence[str],
    directory: str,
) -> Executable:
    """What a session is going to execute, told without executing anything.

    TensorFlow's debugger writes the graph it executes when an executor for it is made; making a
    callable makes one. ``directory`` is where, and is gone afterwards.
    """
    from tensorflow.core.framework import graph_pb2
    from tensorflow.core.protobuf import config_pb2
    from tensorflow.core.util import event_pb2

    options = config_pb2.CallableOptions(fetch=fetches, target=targets, feed=feeds)
    watch = options.run_options.debug_options.debug_tensor_watch_opts.add()
    watch.node_name = _NOWHERE
    watch.debug_ops.append("DebugIdentity")
    watch.debug_urls.append(f"file://{directory}")
    try:
        session._make_callable_from_options(options)
        graphs = []
        for path in sorted(_files(directory)):
            if os.path.basename(path).startswith("_tfdbg_graph_"):
                with open(path, "rb") as file:
                    event = event_pb2.Event.FromString(file.read())
                graphs.append(graph_pb2.GraphDef.FromString(event.graph_def))
        return executable(graphs)
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _files(directory: str) -> Iterable[str]:
    for parent, _, names in os.walk(directory):
        for name in names:
            yield os.path.join(parent, name)
