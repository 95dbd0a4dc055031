"""Modules, optimizers, autograd nodes and storages as they are shown: a line each, few children."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch

from graphdebug.runtime.backends.torch.tensors import describe, node_name
from graphdebug.runtime.tree import Child, Group, paged

_NAMES_LIMIT = 8
_LINE_LIMIT = 120
_TEXT_LIMIT = 1 << 16
_STORAGES = (torch.UntypedStorage, torch.TypedStorage)
_HOOKS = {
    "_forward_pre_hooks": "forward pre",
    "_forward_hooks": "forward",
    "_backward_pre_hooks": "backward pre",
    "_backward_hooks": "backward",
}
_INTERNAL = frozenset(vars(torch.nn.Module()))


def presents(kind: type) -> bool:
    """Whether values of this class are shown through this module."""
    return issubclass(
        kind,
        (torch.nn.Module, torch.optim.Optimizer, torch.autograd.graph.Node, *_STORAGES),
    )


def header(value: Any) -> str:
    """One line, such as ``MLP: 3 children, 269,322 parameters, float32 cpu``."""
    if isinstance(value, torch.nn.Module):
        return _module_line(value)
    if isinstance(value, torch.optim.Optimizer):
        return _optimizer_line(value)
    if isinstance(value, _STORAGES):
        return f"{value.nbytes():,} bytes {value.device}"
    return _node_line(value)


def text(value: Any) -> str | None:
    """What ``print`` shows, where that doesn't read data."""
    if isinstance(value, (torch.nn.Module, torch.optim.Optimizer)):
        full = repr(value)
        return full if len(full) <= _TEXT_LIMIT else full[:_TEXT_LIMIT] + "..."
    return None


def children(value: Any) -> list[Child]:
    """What it is made of."""
    if isinstance(value, torch.nn.Module):
        return _module_children(value)
    if isinstance(value, torch.optim.Optimizer):
        return _optimizer_children(value)
    if isinstance(value, _STORAGES):
        return [("nbytes", value.nbytes(), ".nbytes()"), ("device", str(value.device), ".device")]
    return _node_children(value)


def _module_line(module: Any) -> str:
    name = type(module).__name__
    inner = _held(module, "_modules")
    if not inner:
        line = f"{name}({module.extra_repr()})"
        if "\n" not in line and len(line) <= _LINE_LIMIT:
            return line
    kinds: set[str] = set()
    places: set[str] = set()
    elements = 0
    for _, parameter in _all_parameters(module):
        about = describe(parameter)
        kinds.add(about.dtype)
        places.add(about.device)
        elements += about.bytes // parameter.dtype.itemsize
    parts = [_counted(len(inner), "child", "children"), f"{elements:,} parameters"]
    if kinds:
        parts.append(f"{'+'.join(sorted(kinds))} {'+'.join(sorted(places))}")
    return f"{name}: {', '.join(parts)}"


def _module_children(module: Any) -> list[Child]:
    inner = [(name, item, _suffix(module, name)) for name, item in _held(module, "_modules")]
    own = [*_held(module, "_parameters"), *_held(module, "_buffers")]
    found = paged(inner) + paged([(name, item, _suffix(module, name)) for name, item in own])
    if inner:
        everything = Group("of all children", lambda: paged(_named_parameters(module)))
        found.append(("parameters()", everything, ""))
    for name, item in vars(module).items():
        if name not in _INTERNAL and not name.startswith("_"):
            found.append((name, item, f".{name}"))
    found.append(("training", getattr(module, "training", None), ".training"))
    hooks = [
        f"{len(table)} {said}" for field, said in _HOOKS.items() if (table := _held(module, field))
    ]
    return [*found, ("hooks", ", ".join(hooks), None)] if hooks else found


def _held(module: Any, field: str) -> list[tuple[str, Any]]:
    """A module's table of modules, parameters or hooks; empty before its ``__init__`` ran."""
    table = getattr(module, field, None)
    return (
        [] if table is None else [(name, item) for name, item in table.items() if item is not None]
    )


def _all_parameters(module: Any) -> Iterator[tuple[str, Any]]:
    """Its own and its children's, each once, by name; without any method that a user overrides."""
    waiting = [("", module)]
    seen: set[int] = set()
    while waiting:
        path, each = waiting.pop()
        if id(each) in seen:
            continue
        seen.add(id(each))
        for name, parameter in _held(each, "_parameters"):
            if id(parameter) not in seen:
                seen.add(id(parameter))
                yield path + name, parameter
        inner = [(f"{path}{name}.", item) for name, item in _held(each, "_modules")]
        waiting.extend(reversed(inner))


def _named_parameters(module: Any) -> list[Child]:
    return [
        (name, parameter, f".get_parameter({name!r})")
        for name, parameter in _all_parameters(module)
    ]


def _suffix(module: Any, name: str) -> str:
    if name.isidentifier():
        return f".{name}"
    if name.isdecimal() and hasattr(type(module), "__getitem__"):
        return f"[{name}]"
    return f".get_submodule({name!r})"


def _optimizer_line(optimizer: Any) -> str:
    groups = getattr(optimizer, "param_groups", [])
    parameters = sum(len(group["params"]) for group in groups)
    parts = [_counted(len(groups), "group"), _counted(parameters, "parameter")]
    rates = [_rate(group["lr"]) for group in groups[:_NAMES_LIMIT] if "lr" in group]
    if rates:
        parts.append("lr " + ", ".join(dict.fromkeys(rates)))
    return f"{type(optimizer).__name__}: {', '.join(parts)}"


def _rate(rate: Any) -> str:
    return f"a tensor on {rate.device}" if isinstance(rate, torch.Tensor) else f"{rate:g}"


def _optimizer_children(optimizer: Any) -> list[Child]:
    found: list[Child] = []
    for at, group in enumerate(getattr(optimizer, "param_groups", [])):
        line = _counted(len(group["params"]), "parameter")
        opened = Group(line, lambda group=group: _settings(group))  # type: ignore[misc]
        found.append((f"group {at}", opened, f".param_groups[{at}]"))
    found = paged(found)
    state = Group(_counted(len(optimizer.state), "parameter"), lambda: paged(_state(optimizer)))
    return [*found, ("state", state, ".state"), ("defaults", optimizer.defaults, ".defaults")]


def _settings(group: Any) -> list[Child]:
    found: list[Child] = [
        (name, item, f"[{name!r}]") for name, item in group.items() if name != "params"
    ]
    parameters = [(f"[{at}]", item, f"[{at}]") for at, item in enumerate(group["params"])]
    line = _counted(len(parameters), "parameter")
    return [*found, ("params", Group(line, lambda: paged(parameters)), "['params']")]


def _state(optimizer: Any) -> list[Child]:
    return [
        (f"group {at}, parameter {position}", optimizer.state[parameter], None)
        for at, group in enumerate(optimizer.param_groups)
        for position, parameter in enumerate(group["params"])
        if parameter in optimizer.state
    ]


def _node_line(node: Any) -> str:
    names = [node_name(each) for each, _ in node.next_functions if each is not None]
    if len(names) > _NAMES_LIMIT:
        names[_NAMES_LIMIT:] = ["..."]
    return f"{node_name(node)}({', '.join(names)})"


def _node_children(node: Any) -> list[Child]:
    # Not ``_saved_...``: reading these runs the unpack hooks of whoever saved them.
    following: list[Child] = [
        (f"next_functions[{at}]", each, f".next_functions[{at}][0]")
        for at, (each, _) in enumerate(node.next_functions)
        if each is not None
    ]
    found = paged(following)
    if hasattr(node, "variable"):
        found.append(("variable", node.variable, ".variable"))
    if isinstance(node, torch.autograd.function.FunctionCtx):
        found += [(name, item, f".{name}") for name, item in vars(node).items()]
        found.append(("needs_input_grad", node.needs_input_grad, ".needs_input_grad"))
    return found


def _counted(number: int, one: str, many: str = "") -> str:
    return f"{number:,} {one if number == 1 else many or one + 's'}"
