"""The graphs that compilers made of the user's functions: their nodes and the lines that made them."""

from __future__ import annotations

import dis
import functools
import inspect
import itertools
import linecache
import math
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from types import CodeType
from typing import Any

import torch

from graphdebug.protocol.model import Node, Source, Tensor
from graphdebug.runtime.backends.torch import naming
from graphdebug.runtime.frames import absolute, is_user_file, qualified_name

SCRIPT = "TorchScript"
EXPORT = "torch.export"

Line = tuple[str, int]
"""A file, as breakpoints spell it, and a line of it."""

_numbers = itertools.count()
_FX = re.compile(r'File "(.+)", line (\d+), in (\S+)')
_SCRIPT = re.compile(r'File "(.+)", line (\d+)|^(.+)\((\d+)\): (\S+)', re.MULTILINE)
_RUNS = ("call_function", "call_method", "call_module")
_SILENT = ("prim::Constant", "prim::GetAttr", "prim::ListConstruct", "prim::TupleConstruct")


@dataclass
class Graph:
    """One graph, as it was compiled."""

    nodes: list[Node]
    """In the order in which they run; their ``step`` and ``index`` are those of the graph alone."""
    lines: dict[Line, list[int]]
    """The nodes that each of the user's lines leads to, by a call too."""
    unused: frozenset[int] = frozenset()
    """Nodes that nothing of the result depends on."""
    maker: str = ""
    """What compiled it, such as ``inductor``."""
    codes: frozenset[CodeType] = frozenset()
    """The functions that it was made of, where that is known."""
    number: int = field(default_factory=lambda: next(_numbers))

    @functools.cached_property
    def devices(self) -> tuple[str, ...]:
        """Where its nodes run."""
        return tuple(dict.fromkeys(node.device for node in self.nodes if node.device))


def joined(graphs: Sequence[Graph]) -> tuple[Node, ...]:
    """The nodes of graphs that ran one after the other, numbered throughout."""
    nodes: list[Node] = []
    seen: dict[tuple[int, int], int] = {}
    for graph in graphs:
        begin = len(nodes)
        for node in graph.nodes:
            key = graph.number, node.index
            seen[key] = seen.get(key, -1) + 1
            taken = tuple(begin + place for place in node.input_nodes)
            index, turn = len(nodes), seen[key]
            nodes.append(replace(node, index=index, iteration=turn, input_nodes=taken))
    return tuple(nodes)


# -- dynamo, export and other users of torch.fx


def of_fx(module: Any, maker: str, codes: Iterable[CodeType] = ()) -> Graph:
    """The graph of a ``torch.fx.GraphModule``, those of its branches and loops included."""
    graph = Graph([], {}, maker=maker, codes=frozenset(codes))
    unused: set[int] = set()
    _add_fx(module, graph, unused, ())
    return replace(graph, unused=frozenset(unused))


def _add_fx(module: Any, graph: Graph, unused: set[int], around: tuple[Source, ...]) -> None:
    dead: set[Any] = set()
    places: dict[Any, int] = {}
    for item in reversed(list(module.graph.nodes)):
        if item.op in _RUNS and not item.is_impure() and all(user in dead for user in item.users):
            dead.add(item)
    for item in module.graph.nodes:
        if item.op not in _RUNS or _guards(item):
            continue
        sources = _fx_sources(item) or around
        if item in dead:
            unused.add(len(graph.nodes))
        taken = _ordered(places.get(argument) for argument in item.all_input_nodes)
        places[item] = len(graph.nodes)
        _add(graph, _fx_node(module, item, len(graph.nodes), sources, taken), sources)
        for argument in item.all_input_nodes:
            inner = (
                getattr(module, str(argument.target), None) if argument.op == "get_attr" else None
            )
            if isinstance(inner, torch.fx.GraphModule):
                _add_fx(inner, graph, unused, sources)


def _guards(item: Any) -> bool:
    return bool(item.op == "call_module" and item.target == "_guards_fn")


def _add(graph: Graph, node: Node, sources: Sequence[Source]) -> None:
    graph.nodes.append(node)
    for source in sources:
        indices = graph.lines.setdefault((source.path, source.line), [])
        if node.index not in indices:
            indices.append(node.index)


def _fx_sources(item: Any) -> tuple[Source, ...]:
    """The user's lines that led to a node, outermost first."""
    trace = item.meta.get("stack_trace") or getattr(item, "stack_trace", None) or ""
    return tuple(
        Source(absolute(path), int(line), function)
        for path, line, function in _FX.findall(trace)
        if is_user_file(path)
    )


def _ordered(places: Iterable[int | None]) -> tuple[int, ...]:
    return tuple(sorted({place for place in places if place is not None}))


def _fx_node(
    module: Any, item: Any, index: int, sources: Sequence[Source], taken: tuple[int, ...]
) -> Node:
    inputs = [tensor for argument in item.all_input_nodes for tensor in _examples(argument)]
    outputs = list(_examples(item))
    return Node(
        index=index,
        step=0,
        name=item.name,
        op_type=_fx_type(module, item),
        phase="graph",
        iteration=0,
        device=next((tensor.device for tensor in (*outputs, *inputs)), ""),
        inputs=tuple(inputs),
        outputs=tuple(outputs),
        source=sources[-1] if sources else None,
        input_nodes=taken,
    )


def _fx_type(module: Any, item: Any) -> str:
    target = item.target
    if item.op == "call_module":
        return f"torch::{type(module.get_submodule(target)).__name__}"
    if item.op == "call_method":
        return naming.op_type(str(target))
    if isinstance(target, torch._ops.OpOverload):
        return str(target._schema.name)
    return naming.op_type(naming.name(target))


def _examples(item: Any) -> Iterator[Tensor]:
    """What the compiler knows of a node's results."""
    found = item.meta.get("example_value", item.meta.get("val"))
    for value in found if isinstance(found, (tuple, list)) else (found,):
        if isinstance(value, torch.Tensor):
            yield _example(value)


def _example(value: Any) -> Tensor:
    with torch._C.DisableTorchFunction():
        shape = tuple(size if type(size) is int else -1 for size in value.shape)
        dtype, device, follows = value.dtype, value.device, value.requires_grad
    size = 0 if -1 in shape else math.prod(shape) * dtype.itemsize
    return Tensor(shape, str(dtype).removeprefix("torch."), str(device), size, follows)


# -- TorchScript


def of_script(graph: Any, maker: str) -> Graph:
    """The graph of a scripted or traced function, its own calls inlined.

    Scripts don't know shapes before they run; traces know those of the example.
    """
    inlined = graph.copy()
    torch._C._jit_pass_inline(inlined)
    made = Graph([], {}, maker=maker)
    _add_calls(graph, made)
    _add_script(inlined.nodes(), made, {})
    return made


def _add_calls(graph: Any, made: Graph) -> None:
    """Lines that only call other functions: their nodes, inlined, don't know of them."""
    for item in graph.nodes():
        if item.kind() in ("prim::CallMethod", "prim::CallFunction"):
            for source in _script_sources(item):
                made.lines.setdefault((source.path, source.line), [])


def _add_script(items: Iterable[Any], made: Graph, places: dict[str, int]) -> None:
    """``places`` tells which node makes a value, by the value's name."""
    for item in items:
        sources = _script_sources(item)
        if item.kind() not in _SILENT:
            taken = _ordered(places.get(value.debugName()) for value in item.inputs())
            places.update((value.debugName(), len(made.nodes)) for value in item.outputs())
            _add(made, _script_node(item, len(made.nodes), sources, taken), sources[:1])
        for block in item.blocks():
            _add_script(block.nodes(), made, places)


def _script_sources(item: Any) -> tuple[Source, ...]:
    """The user's lines of a node, innermost first."""
    found = []
    for match in _SCRIPT.finditer(item.sourceRange()):
        path, line = match[1] or match[3], int(match[2] or match[4])
        if is_user_file(path):
            found.append(Source(absolute(path), line, match[5] or ""))
    return tuple(found)


def _script_node(item: Any, index: int, sources: Sequence[Source], taken: tuple[int, ...]) -> Node:
    outputs = tuple(_typed(value.type()) for value in item.outputs() if _is_tensor(value))
    inputs = tuple(_typed(value.type()) for value in item.inputs() if _is_tensor(value))
    kind = item.kind()
    return Node(
        index=index,
        step=0,
        name=next((value.debugName() for value in item.outputs()), kind),
        op_type=kind,
        phase="graph",
        iteration=0,
        device=next((tensor.device for tensor in outputs if tensor.device), ""),
        inputs=inputs,
        outputs=outputs,
        source=sources[0] if sources else None,
        input_nodes=taken,
    )


def _is_tensor(value: Any) -> bool:
    return bool(value.type().isSubtypeOf(torch._C.TensorType.get()))


def _typed(kind: Any) -> Tensor:
    """What a type says; without a shape, one open dimension stands for it."""
    sizes, dtype, device = kind.sizes(), kind.dtype(), kind.device()
    shape = (-1,) if sizes is None else tuple(-1 if size is None else int(size) for size in sizes)
    name = "tensor" if dtype is None else str(dtype).removeprefix("torch.")
    size = 0 if -1 in shape or dtype is None else math.prod(shape) * dtype.itemsize
    return Tensor(shape, name, "" if device is None else str(device), size)


# -- code


def with_codes(graph: Graph) -> Graph:
    """The graph with the functions that its lines are in, as their files have them now."""
    found: set[CodeType] = set()
    for path in {path for path, _ in graph.lines}:
        lines = {line for file, line in graph.lines if file == path}
        found.update(code for code in _functions(path) if not lines_of(code).isdisjoint(lines))
    return replace(graph, codes=frozenset(found))


def _functions(path: str) -> list[CodeType]:
    """The functions of a file."""
    try:
        module = compile("".join(linecache.getlines(path)), path, "exec", dont_inherit=True)
    except (SyntaxError, ValueError):
        return []
    found, pending = [], [module]
    while pending:
        inner = [item for item in pending.pop().co_consts if isinstance(item, CodeType)]
        found += [code for code in inner if code.co_flags & inspect.CO_NEWLOCALS]
        pending += inner
    return [code for code in found if code.co_flags & inspect.CO_OPTIMIZED]


@functools.lru_cache(maxsize=4096)
def lines_of(code: CodeType) -> frozenset[int]:
    """The lines of a function's own that run when it is called, its ``def`` not among them."""
    lines = {line for _, line in dis.findlinestarts(code) if line}
    if len(lines) > 1 and code.co_name != "<lambda>":
        lines -= set(range(code.co_firstlineno, min(lines - {code.co_firstlineno})))
    return frozenset(lines)


def source_of_code(code: CodeType) -> str:
    """The file of a function, as breakpoints spell it; empty where it isn't the user's."""
    return absolute(code.co_filename) if is_user_file(code.co_filename) else ""


def name_of(code: CodeType) -> str:
    """A function's name, for a person."""
    return qualified_name(code).rpartition("<locals>.")[2]
