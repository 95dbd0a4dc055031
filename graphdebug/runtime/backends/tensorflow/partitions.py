"""The graph as TensorFlow executes it: pruned, optimised, its control flow lowered, by partition."""

from __future__ import annotations

import functools
import os
import shutil
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from graphdebug.runtime.backends.tensorflow.loops import Nest, nests
from graphdebug.runtime.backends.tensorflow.sources import Origin, body_of, called, renamed

_NOWHERE = "graphdebug_watches_nothing"

_CALLS = ("StatefulPartitionedCall", "While", "If", "Case")
_READS = frozenset(
    {
        *_CALLS,
        "Assert",
        "ReadVariableOp",
        "ResourceGather",
        "ResourceGatherNd",
        "VarHandleOp",
        "VarIsInitializedOp",
        "VariableV2",
        "VariableShape",
    }
)
_FREE = frozenset(
    {
        "CheckNumerics",
        "CheckNumericsV2",
        "Empty",
        "IteratorGetNext",
        "IteratorGetNextAsOptional",
        "IteratorGetNextSync",
        "NoOp",
        "OptionalFromValue",
        "OptionalGetValue",
        "PrintV2",
        "RngReadAndSkip",
        "StatefulStandardNormalV2",
        "StatefulUniform",
        "StatefulUniformFullInt",
        "StatefulUniformInt",
        "Timestamp",
        "WriteScalarSummary",
        "WriteHistogramSummary",
        "WriteSummary",
    }
)
"""Stateful operations that keep nothing, or keep it in a resource that they are given."""

_STEP = ("TensorArray", "Stack")  # what they keep belongs to one run, in an order of its own
_WRITES = ("Assign", "ResourceApply", "ResourceScatter", "ResourceSparseApply")
_PYTHON = ("PyFunc", "EagerPyFunc")
_MACHINERY = (
    "Enter",
    "RefEnter",
    "RefExit",
    "LoopCond",
    "NextIteration",
    "RefNextIteration",
    "Switch",
    "RefSwitch",
    "_SwitchN",
)
"""What loops and branches are made of, which nobody wrote. (An ``Exit`` is a loop's result.)"""

_RESHAPES = ("Reshape", "ExpandDims", "Squeeze")

_LOOPS = ("Enter", "RefEnter", "While", "StatelessWhile")

Slot = tuple[str, int]
"""A node's name and the position of one of its outputs."""


@dataclass
class Executable:
    """What one signature of a session executes."""

    nodes: dict[str, Any] = field(default_factory=dict)
    """NodeDefs by name."""
    origin: dict[str, Origin] = field(default_factory=dict)
    """The operation that each node was, as the user built it."""
    names: dict[str, str] = field(default_factory=dict)
    """What to call each node: its name, with the user's for an operation that was renamed."""
    origins: dict[Origin, list[str]] = field(default_factory=dict)
    """The nodes that each such operation became."""
    opaque: bool = False
    """Whether functions stay functions: their nodes run inside of one."""
    nests: dict[str, Nest] = field(default_factory=dict)
    """The loops that nodes run in."""
    known: dict[Any, Any] = field(default_factory=dict)
    """What records of its runs found out about nodes, by name."""
    lines: dict[frozenset[str], Any] = field(default_factory=dict)
    """The same about the lines that made the nodes of a run."""

    def numbers_of(self, slot: Slot, known: Collection[Slot]) -> Slot:
        """The output that has the numbers of this one: of those that are known, if any is."""
        while slot not in known and slot in self.reshapes:
            slot = self.reshapes[slot]
        return slot

    @functools.cached_property
    def rank(self) -> dict[str, int]:
        """The place of each node."""
        return {name: position for position, name in enumerate(self.nodes)}

    @functools.cached_property
    def reshapes(self) -> dict[Slot, Slot]:
        """Outputs that have the numbers of another one, in another shape; of nodes outside of loops."""
        found = {}
        for name, node in self.nodes.items():
            if node.op in _RESHAPES and name not in self.nests:
                found[name, 0] = next(inputs(node))
        return found

    def stands_for(self, node: str, op_type: str) -> bool:
        """Whether a node puts out what the operation that it was, of this type, does.

        Not so for the machinery that a lowered loop became, whose nodes have names of their own. Of
        what the optimizer put in an operation's place, under its name, the first output does.
        """
        _, name = self.origin[node]
        called_so = self.names.get(node, node)
        return called_so == name or called_so.endswith(f"/{name}") or self.same(node, op_type)

    def constant(self, node: str) -> Any:
        """The value of a constant; None for any other node."""
        from tensorflow.python.framework import tensor_util

        definition = self.nodes.get(node)
        if definition is None or definition.op != "Const":
            return None
        return tensor_util.MakeNdarray(definition.attr["value"].tensor)

    def same(self, node: str, op_type: str) -> bool:
        """Whether a node still is of this type."""
        return bool(self.nodes[node].op == op_type)


def executable(
    partitions: Iterable[Any], graph: Any, names: Mapping[str, str] | None = None
) -> Executable:
    """Read from partition graphs of a graph that Python built.

    ``names``: of a function's graph, what its operations are called there and in Python.
    """
    found = Executable()
    other: dict[str, Mapping[str, str]] = {"": names or {}}
    for partition in partitions:
        for node in partition.node:
            function, name = origin_of(node)
            if function not in other:
                other[function] = renamed(graph, function)
            if function or name in other[""]:
                renamed_to, name = name, other[function].get(name, name)
                if f"/{node.name}".endswith(f"/{renamed_to}"):
                    found.names[node.name] = node.name.removesuffix(renamed_to) + name
            elif node.op == "_Arg":
                found.names[node.name] = name
            found.nodes[node.name] = node
            found.origin[node.name] = function, name
            found.origins.setdefault((function, name), []).append(node.name)
            found.opaque = found.opaque or bool(_functions(node))
    found.nests = nests(found.nodes)
    return found


def origin_of(node: Any) -> Origin:
    """The operation that a NodeDef says it was."""
    debug = node.experimental_debug_info
    if debug.original_func_names and debug.original_node_names:
        return debug.original_func_names[0], debug.original_node_names[0]
    if node.op == "_Arg" and node.name.startswith("_arg_"):
        # _arg_<operation>_<output>_<position of the feed>
        return "", node.name[len("_arg_") :].rsplit("_", 2)[0]
    return "", node.name


def why_unwatchable(found: Executable, graph: Any) -> str:
    """Why a run with watches might not compute the same as one without; empty where it does.

    - Kernels inside of a function that stayed one belong to one executor, and a run with watches has
      another: a random operation would start its stream anew there.
    - TensorFlow's debugger runs the iterations of loops one by one: random draws, or writes, of
      iterations that overlap otherwise would come in another order.
    """
    for node in found.nodes.values():
        if node.op in _CALLS:
            for function in _functions(node):
                if state := _state_of(graph, function, set()):
                    return f"{state} keeps a state of its own inside of a function"
    for name in _in_loops(found.nodes):
        op_type = found.nodes[name].op
        harmless = op_type in _READS or op_type.startswith(_STEP)
        if _is_stateful(op_type) and not harmless and _loops_overlap(graph, set()):
            return f"{name} has effects in a loop whose iterations overlap, unless they are watched"
    return ""


def why_uncopyable(found: Executable, graph: Any) -> str:
    """Why a copy of a compiled function might not compute the same; empty where it does.

    A copy has kernels of its own. Those of random operations with a seed would start their stream
    anew, and those that make a resource would make another.
    """
    for name, node in found.nodes.items():
        op_type = node.op
        for function in _functions(node):
            if op_type not in (*_CALLS, "StatelessWhile", "StatelessIf", "PartitionedCall"):
                return f"{op_type} runs functions on its own ({name})"
            if state := _state_of(graph, function, set()):
                return f"{state} keeps a state of its own inside of a function"
        if not _is_stateful(op_type) or op_type in ("_Arg", "_Retval"):
            continue
        seeds = [node.attr[seed].i for seed in ("seed", "seed2") if seed in node.attr]
        unseeded = bool(seeds) and not any(seeds)
        shared = op_type in _READS | _FREE or op_type in _PYTHON
        if not (unseeded or shared or op_type.startswith(_WRITES + _STEP)):
            return f"{op_type} keeps a state of its own ({name})"
        if "_XlaMustCompile" in node.attr:
            return f"XLA compiles it ({name})"
    return ""


def _functions(node: Any) -> list[str]:
    functions = [value.func for value in node.attr.values() if value.HasField("func")]
    functions += [item for value in node.attr.values() for item in value.list.func]
    return [item.name for item in functions]


def _state_of(graph: Any, function: str, seen: set[str]) -> str:
    """An operation of a function whose kernel keeps a state; empty for none."""
    seen.add(function)
    body = body_of(graph, function) or body_of(graph, function.partition("_specialized_for_")[0])
    if body is None:
        return function
    for operation in body.get_operations():
        op_type = operation.type
        shared = op_type in _READS or op_type in _PYTHON or op_type.startswith(_WRITES + _STEP)
        if _is_stateful(op_type) and not shared:
            return f"{function}/{operation.name}"
        for inner in called(operation):
            if inner not in seen and (state := _state_of(graph, inner, seen)):
                return state
    return ""


def _in_loops(nodes: Mapping[str, Any]) -> set[str]:
    """Nodes that run inside of loops."""
    consumers: dict[str, list[str]] = {}
    for name, node in nodes.items():
        for text in node.input:
            consumers.setdefault(text.lstrip("^").partition(":")[0], []).append(name)
    waiting = [name for name, node in nodes.items() if node.op in ("Enter", "RefEnter")]
    found: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name not in found and nodes[name].op not in ("Exit", "RefExit"):
            found.add(name)
            waiting += consumers.get(name, ())
    return found


def _loops_overlap(graph: Any, seen: set[str]) -> bool:
    """Whether iterations of any loop may overlap. (The nodes told beforehand say that none may.)"""
    for operation in graph.get_operations():
        if operation.type in _LOOPS and operation.get_attr("parallel_iterations") > 1:
            return True
        for name in called(operation):
            body = None if name in seen else body_of(graph, name)
            seen.add(name)
            if body is not None and _loops_overlap(body, seen):
                return True
    return False


def _is_stateful(op_type: str) -> bool:
    from tensorflow.python.framework import op_def_registry

    definition = op_def_registry.get(op_type)
    return definition is None or bool(definition.is_stateful)


class Untold(Exception):
    """TensorFlow doesn't make an executor; the message says why."""


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
        try:
            session._make_callable_from_options(options)
        except Exception as error:  # the run is going to say the same to the user
            raise Untold(f"TensorFlow didn't tell its executable graph ({error})") from error
        graphs = []
        for path in sorted(_files(directory)):
            if os.path.basename(path).startswith("_tfdbg_graph_"):
                with open(path, "rb") as file:
                    event = event_pb2.Event.FromString(file.read())
                graphs.append(graph_pb2.GraphDef.FromString(event.graph_def))
        return executable(graphs, session.graph)
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _files(directory: str) -> Iterable[str]:
    for parent, _, names in os.walk(directory):
        for name in names:
            yield os.path.join(parent, name)


def is_machinery(executable: Executable, node: str) -> bool:
    """Whether nobody wrote a node: it is what a loop or a branch is made of."""
    definition = executable.nodes[node]
    if definition.op in _MACHINERY:
        return True
    made_by = [
        (producer, executable.nodes[producer].op)
        for producer, _ in inputs(definition)
        if producer in executable.nodes
    ]
    if definition.op in ("Merge", "RefMerge"):
        return any(op in ("NextIteration", "RefNextIteration") for _, op in made_by)
    # The value of a loop's variable in its body; an Identity of the user's has a Switch of its own.
    return definition.op == "Identity" and any(
        op in ("Switch", "RefSwitch") and producer != f"{node}/Switch" for producer, op in made_by
    )


def inputs(definition: Any) -> Iterator[tuple[str, int]]:
    """The outputs that a NodeDef takes: a node's name and a position of each."""
    for text in definition.input:
        if not text.startswith("^"):
            name, _, slot = text.partition(":")
            yield name, int(slot or 0)


def is_watchable(executable: Executable, node: str, slot: int) -> bool:
    """Whether TensorFlow's debugger can hold an output: it has data, and is no old variable."""
    from tensorflow.python.framework import dtypes, op_def_registry

    definition = executable.nodes.get(node)
    known = None if definition is None else op_def_registry.get(definition.op)
    if definition is None or known is None or slot >= len(known.output_arg):
        return False
    output = known.output_arg[slot]
    if output.is_ref or output.number_attr or output.type_list_attr:
        return False
    dtype = output.type or definition.attr[output.type_attr].type
    return bool(dtype) and dtypes.as_dtype(dtype) not in (dtypes.resource, dtypes.variant)
