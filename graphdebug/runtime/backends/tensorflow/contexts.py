"""What TensorFlow's eager context keeps private, touched here and nowhere else: the graph that it executes
for a function, and functions of ours that it is told of. Used for compiled functions alone.
"""

from __future__ import annotations

import functools
import itertools
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from graphdebug.runtime.backends import HookUnfit
from graphdebug.runtime.backends.tensorflow.taps import Untapped
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


def check() -> None:
    """Raise HookUnfit where this TensorFlow isn't as the module was written for."""
    from tensorflow.python.eager import cancellation, context, execute
    from tensorflow.python.ops import script_ops

    missing = [name for name in _CONTEXT if not hasattr(context.Context, name)]
    for module, name in (
        (execute, "execute"),
        (execute, "execute_with_cancellation"),
        (cancellation, "CancellationManager"),
        (context, "FunctionCallOptions"),
        (context.Context, "_set_device"),
        (script_ops, "_py_funcs"),
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
    name = register(context, definition)
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


def register(context: Any, definition: Any) -> str:
    """Make a function known to TensorFlow, under a new name; returns that."""
    made = type(definition)()
    made.CopyFrom(definition)
    made.signature.name = f"{definition.signature.name}_graphdebug_{next(_names)}"
    context.add_function_def(made)
    return str(made.signature.name)


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


class Place:
    """What of the eager context belongs to a thread, so that another can run in its stead."""

    def __init__(self, context: Any, options: Any) -> None:
        """That of the calling thread, with other call options. Raises Untapped where another thread
        can't stand in for it."""
        from tensorflow.python.eager import cancellation

        if cancellation.context() is not None:
            raise Untapped("the call can be cancelled")
        if context.is_async():
            raise Untapped("TensorFlow executes asynchronously")
        self._context = context
        self._options = options
        self._device = context.device_name, context.device_spec

    def enter(self) -> None:
        """Be it in the calling thread."""
        self._context.function_call_options = self._options
        self._context._set_device(*self._device)


class Registered:
    """Python functions that a graph calls by their tokens, as those of ``tf.numpy_function``."""

    def __init__(self, functions: Mapping[Slot, Callable[..., list[Any]]]) -> None:
        from tensorflow.python.ops import script_ops

        self._functions = functions  # TensorFlow only refers to them weakly
        insert = script_ops._py_funcs.insert
        self.tokens: dict[Slot, str] = {slot: insert(call) for slot, call in functions.items()}


def restore_name(error: object, copy: str, name: str) -> None:
    """Let an error of TensorFlow's say the name of the function in whose place a copy failed."""
    message = getattr(error, "_message", None)
    if isinstance(message, str):
        error._message = message.replace(copy, name)  # type: ignore[attr-defined]


def _attributes(options: Any) -> tuple[Any, ...]:
    return tuple(itertools.chain(*options.as_attrs().items()))


@functools.cache
def _summary() -> Any:
    from tensorflow.python.ops import summary_ops_v2

    return summary_ops_v2


def _user_collects() -> bool:
    return getattr(_summary(), "_current_trace_context", None) is not None
