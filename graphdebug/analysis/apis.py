"""What is known of the frameworks: which of their functions make graphs out of users' functions.

Each row was tried with debugpy on a small program (tensorflow 2.21, Keras 3.15, torch 2.13). Pure
data: imports nothing of this package, and never a framework.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal

Code = Literal["own", "autograph", "compiled"]
"""What Python runs while a graph is made of a function: its own lines; a copy that AutoGraph made,
from which library code leads back to own lines; or a compiler's output, with no way back."""


@dataclass(frozen=True)
class Construct:
    """Something that is handed functions and decides how their code runs."""

    name: str
    """As users spell it."""
    positions: tuple[int, ...]
    """Which positional arguments are the functions."""
    keywords: tuple[str, ...]
    """Their names as keyword arguments."""
    code: Code = "own"
    """What Python runs of them."""
    opens: bool = False
    """Whether it makes a graph of its own; else it goes by the place that it is called at."""
    wraps: bool = False
    """Whether it gives back something to call in the function's place, as a decorator does."""
    threaded: bool = False
    """Whether it runs them as plain Python, in threads of the framework's own."""
    runs: str = ""
    """Where the graph runs; ``{subject}`` stands for the function's name."""

    def given(self, call: ast.Call) -> list[ast.expr]:
        """The arguments of ``call`` that are its functions."""
        found = [call.args[i] for i in self.positions if i < len(call.args)]
        return found + [k.value for k in call.keywords if k.arg in self.keywords]


_CALL = "at each call of the compiled {subject}"
_TRACED = "at each call of the traced {subject}"
_ITERATED = "where the dataset is iterated"
_FIT = "at each batch of fit, evaluate and predict"

FUNCTION = "tensorflow.function"
COMPILE = "torch.compile"
UNCONVERTED = "tensorflow.autograph.experimental.do_not_convert"
DATASET = "tensorflow.data.Dataset"
FIT = "keras.Model.fit"


def _branch(name: str, positions: tuple[int, ...], *keywords: str) -> Construct:
    return Construct(name, positions, keywords)


def _dataset(method: str, positions: tuple[int, ...], *keywords: str) -> Construct:
    name = f"tf.data.Dataset.{method}"
    return Construct(name, positions, keywords, code="autograph", opens=True, runs=_ITERATED)


def _compiled(name: str, positions: tuple[int, ...], *keywords: str, wraps: bool) -> Construct:
    return Construct(name, positions, keywords, "compiled", opens=True, wraps=wraps, runs=_CALL)


def _traced(name: str, *keywords: str, runs: str = _TRACED, wraps: bool = True) -> Construct:
    return Construct(name, (0,), keywords, opens=True, wraps=wraps, runs=runs)


def _threaded(name: str, *keywords: str) -> Construct:
    return Construct(name, (0,), keywords, threaded=True)


COMPILE_METHOD = _compiled("torch.compile", (), wraps=False)
"""``torch.nn.Module.compile()``, whose function is the object that it is called on."""

FITTED = Construct(FIT, (1, 2), ("loss", "metrics", "weighted_metrics"), opens=True, runs=_FIT)
"""What Keras does with the functions that ``compile`` is given, and with methods of its classes."""

CONSTRUCTS: dict[str, Construct] = {
    "tensorflow.while_loop": _branch("tf.while_loop", (0, 1), "cond", "body"),
    "tensorflow.cond": _branch("tf.cond", (1, 2), "true_fn", "false_fn", "fn1", "fn2"),
    "tensorflow.case": _branch("tf.case", (0, 1), "pred_fn_pairs", "default"),
    "tensorflow.switch_case": _branch("tf.switch_case", (1, 2), "branch_fns", "default"),
    "tensorflow.scan": _branch("tf.scan", (0,), "fn"),
    "tensorflow.foldl": _branch("tf.foldl", (0,), "fn"),
    "tensorflow.foldr": _branch("tf.foldr", (0,), "fn"),
    "tensorflow.recompute_grad": Construct("tf.recompute_grad", (0,), ("f",), wraps=True),
    "tensorflow.make_template": Construct("tf.make_template", (1,), ("func_",), wraps=True),
    UNCONVERTED: Construct("do_not_convert", (0,), ("func",), wraps=True),
    "tensorflow.map_fn": Construct("tf.map_fn", (0,), ("fn",), code="autograph"),
    "tensorflow.vectorized_map": _traced(
        "tf.vectorized_map", "fn", runs="at each call of tf.vectorized_map", wraps=False
    ),
    "tensorflow.wrap_function": _traced("tf.compat.v1.wrap_function", "fn"),
    FUNCTION: Construct("tf.function", (0,), ("func",), "autograph", True, wraps=True, runs=_CALL),
    "tensorflow.py_function": _threaded("tf.py_function", "func"),
    "tensorflow.numpy_function": _threaded("tf.numpy_function", "func"),
    "tensorflow.py_func": _threaded("tf.py_func", "func"),
    f"{DATASET}.from_generator": replace(
        _threaded("tf.data.Dataset.from_generator", "generator"), opens=True
    ),
    f"{DATASET}.map": _dataset("map", (0,), "map_func"),
    f"{DATASET}.filter": _dataset("filter", (0,), "predicate"),
    f"{DATASET}.flat_map": _dataset("flat_map", (0,), "map_func"),
    f"{DATASET}.interleave": _dataset("interleave", (0,), "map_func"),
    f"{DATASET}.reduce": _dataset("reduce", (1,), "reduce_func"),
    f"{DATASET}.scan": _dataset("scan", (1,), "scan_func"),
    f"{DATASET}.take_while": _dataset("take_while", (0,), "predicate"),
    f"{DATASET}.group_by_window": _dataset(
        "group_by_window", (0, 1, 3), "key_func", "reduce_func", "window_size_func"
    ),
    f"{DATASET}.bucket_by_sequence_length": _dataset(
        "bucket_by_sequence_length", (0,), "element_length_func"
    ),
    COMPILE: _compiled("torch.compile", (0,), "model", wraps=True),
    "torch._dynamo.optimize": _compiled("torch.compile", (), wraps=True),
    "torch.cond": _compiled("torch.cond", (1, 2), "true_fn", "false_fn", wraps=False),
    "torch.while_loop": _compiled("torch.while_loop", (0, 1), "cond_fn", "body_fn", wraps=False),
    "torch.jit.script": _compiled("torch.jit.script", (0,), "obj", wraps=True),
    "torch.jit.trace": _traced("torch.jit.trace", "func"),
    "torch.jit.trace_module": _traced("torch.jit.trace_module", "mod"),
    "torch.export.export": _traced(
        "torch.export.export", "mod", runs="at each call of the exported {subject}", wraps=False
    ),
    "torch.fx.symbolic_trace": _traced("torch.fx.symbolic_trace", "root"),
    "torch.fx.make_fx": _traced("make_fx", "f"),
}

CONSTRUCT_NAMES = {"compile", *(path.rpartition(".")[2] for path in CONSTRUCTS)}
"""The last parts of their paths, by which a call is sieved."""

UNCOMPILED = {"torch.compiler.disable", "torch.jit.ignore", "torch.jit.unused"}
"""Decorators that keep a function out of compiled code: it runs as plain Python."""

_LEFT_ALONE = {
    UNCONVERTED,
    "tensorflow.custom_gradient",
    "functools.lru_cache",
    "functools.cache",
    "contextlib.contextmanager",
}

_TRANSPARENT = {
    "functools.partial",
    "builtins.dict",
    "builtins.enumerate",
    "builtins.list",
    "builtins.reversed",
    "builtins.set",
    "builtins.tuple",
    "builtins.zip",
    "keras.Sequential",
    "torch.nn.DataParallel",
    "torch.nn.ModuleDict",
    "torch.nn.ModuleList",
    "torch.nn.Sequential",
    "torch.nn.parallel.DistributedDataParallel",
}

PASSING_NAMES = {
    path.rpartition(".")[2]
    for path in (*_TRANSPARENT, *(path for path, c in CONSTRUCTS.items() if c.wraps))
}
"""The last parts of the paths of what gives back what it is given, or a wrapper of that."""

_ALIASES = {
    "torch._dynamo.disable": "torch.compiler.disable",
    "torch.ops.higher_order.cond": "torch.cond",
    "torch.ops.higher_order.while_loop": "torch.while_loop",
    "torch._higher_order_ops.cond": "torch.cond",
    "torch._higher_order_ops.cond.cond": "torch.cond",
    "torch._higher_order_ops.while_loop": "torch.while_loop",
    "torch._higher_order_ops.while_loop.while_loop": "torch.while_loop",
    "torch.fx.experimental.proxy_tensor.make_fx": "torch.fx.make_fx",
}


@lru_cache(maxsize=8192)
def canonical(path: str) -> str:
    """One spelling for what can be imported from several places."""
    parts = path.split(".")
    if parts[0] in ("tf_keras", "keras"):
        return _keras(parts[1:])
    if parts[0] != "tensorflow":
        return _ALIASES.get(path, path)
    parts = parts[1:]
    while parts[:2] in (["compat", "v1"], ["compat", "v2"]):
        parts = parts[2:]
    if parts[:1] == ["python"] and len(parts) > 2:
        parts = parts[parts.index("keras") :] if "keras" in parts else parts[-1:]
    if parts[:1] == ["keras"]:
        return _keras(parts[1:])
    if parts[:1] == ["data"] and len(parts) > 1 and parts[1].endswith("Dataset"):
        parts[1] = "Dataset"
    return ".".join(["tensorflow", *parts])


def makes_dataset(path: str) -> bool:
    """Whether calling ``path`` gives a ``tf.data.Dataset``."""
    named = path.endswith("dataset_from_directory") or path == "tensorflow_datasets.load"
    return named or path == DATASET or path.startswith(f"{DATASET}.")


def _keras(parts: list[str]) -> str:
    shown = [p for p in parts if p not in ("src", "engine", "models", "training", "python")]
    return ".".join(["keras", *shown])


def is_disabled(path: str, call: ast.Call) -> bool:
    """Whether this call of ``path`` asks for nothing to be compiled."""
    return path == COMPILE and option(call, "disable") is True


def option(call: ast.Call, name: str) -> object:
    """The constant that keyword ``name`` of a call is given; None where there is none."""
    values = [k.value for k in call.keywords if k.arg == name]
    return values[0].value if values and isinstance(values[0], ast.Constant) else None


def is_transparent(path: str) -> bool:
    """Whether calling ``path`` gives what it was given, for our purposes."""
    return path in _TRANSPARENT


def is_left_alone(path: str) -> bool:
    """Whether AutoGraph runs a function decorated with ``path`` as it was written."""
    return path in _LEFT_ALONE
