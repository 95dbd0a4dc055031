"""Dynamo's failed guards in plain words."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

_PREFIX = re.compile(r"^\d+/\d+: ")
_LOCAL = re.compile(r"L\[['\"](\w+)['\"]\]")
_EQUALS = re.compile(r"^([\w.\[\]'\"]+) == (.+)$")
_NEW = re.compile(r"^not ___dict_contains\(['\"](\w+)['\"], ([\w.]+)\.__dict__\)$")
_NAMED = re.compile(r"[A-Za-z_]\w*")
_DYNAMIC = "torch.compile(dynamic=True), or torch._dynamo.mark_dynamic, makes one graph for sizes that vary"
_STATES = {
    "grad_mode": "whether gradients are recorded (no_grad, set_grad_enabled)",
    "inference_mode": "inference mode",
    "autocast_state": "autocast",
    "default_dtype": "the default dtype",
    "num_threads": "the number of threads",
    "deterministic_algorithms": "deterministic algorithms",
}
_RESUMED = re.compile(r"torch_dynamo_resume_in_(.+)_at_(\d+)")


def plain(name: str) -> str:
    """The name of a function, or of the part that dynamo cut it into."""
    match = _RESUMED.fullmatch(name)
    return f"{match[1]} (from line {match[2]} on)" if match else name


def told(
    reasons: Sequence[str],
    known: Sequence[Mapping[str, Any]],
    now: Mapping[str, Any],
    locals: Mapping[str, Any],
) -> str:
    """Why no version fits: the arguments that a guard names, as they were and as they are.

    ``known`` are the arguments at earlier compilations, ``now`` those of this one.
    """
    guards = [_guard(reason) for reason in reasons]
    named = {name for guard in guards for name in _NAMED.findall(guard)}
    nearest: list[str] = []
    for was in reversed(known):
        found = [name for name in now if name in was and was[name].key != now[name].key]
        chosen = [name for name in found if name in named] or []
        if chosen and (not nearest or len(chosen) < len(nearest)):
            nearest, before = chosen, was
    if nearest:
        words = [
            f"argument '{name}' was {before[name].text} and is {now[name].text}" for name in nearest
        ]
        return "; ".join(words) + _advice(nearest, before, now)
    return _of_guard(guards[0], locals) if guards else "dynamo doesn't say why"


def _advice(names: Sequence[str], was: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    keys = [(was[name].key, now[name].key) for name in names]
    if all(_sized(one) and _sized(other) and one[2:] == other[2:] for one, other in keys):
        if all(len(one[1]) == len(other[1]) for one, other in keys):
            return f". {_DYNAMIC}"
        return ""
    if any(isinstance(key[0][0], type) and key[0][0] in (int, float, bool, str) for key in keys):
        return ". Each Python value is compiled on its own; pass a tensor where it varies"
    return ""


def _sized(key: Any) -> bool:
    return isinstance(key, tuple) and key[0] == "tensor"


def _guard(reason: str) -> str:
    """The guard alone: without its number, and without where it comes from."""
    text = _PREFIX.sub("", reason.split("\n")[0])
    text = text.split("  #")[0].strip()
    return _LOCAL.sub(r"\1", text)


def _of_guard(guard: str, locals: Mapping[str, Any]) -> str:
    if guard.startswith("GLOBAL_STATE changed:"):
        states = guard.partition(":")[2].split()
        return "; ".join(f"{_STATES.get(state, state)} changed" for state in states)
    match = _NEW.match(guard)
    if match:
        return f"{match[2]} has got an attribute '{match[1]}' of its own"
    match = _EQUALS.match(guard)
    if match:
        value = _value(match[1], locals)
        now = "" if value is _MISSING else f" and is {value!r}"
        if value is _MISSING or isinstance(value, (bool, int, float, str, type(None))):
            return f"{match[1]} was {match[2]}{now}"
    return f"dynamo had relied on this, which no longer holds: {guard}"


_MISSING = object()


def _value(path: str, locals: Mapping[str, Any]) -> Any:
    """What ``a.b`` is now, read from the objects' own attributes, so that nothing of the user's runs."""
    first, *rest = path.split(".")
    value = locals.get(first, _MISSING)
    for name in rest:
        if value is _MISSING:
            break
        value = getattr(value, "__dict__", {}).get(name, _MISSING)
    return value
