"""NaN and Inf as they are followed: what made one, where, and what carried it on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from graphdebug.protocol.model import Source
from graphdebug.runtime.backends.torch.finite import Kind
from graphdebug.runtime.backends.torch.records import Event

WORDS = {"nan": "NaN", "inf": "Inf"}
_LINKS = 5

_REMEDIES = {
    "log": "keep its argument above 0, as with clamp(min=1e-8), or use log_softmax or logsigmoid",
    "sqrt": "keep its argument above 0, as with x + 1e-8: the derivative at 0 is infinite",
    "rsqrt": "keep its argument above 0, as with x + 1e-8",
    "norm": "add a small number under the root: the norm has no derivative at 0",
    "div": "keep the divisor away from 0, before the division and not by a mask after it",
    "reciprocal": "keep its argument away from 0",
    "pow": "a fractional power needs a base above 0, also for its derivative",
    "acos": "clamp its argument to within -1 and 1",
    "asin": "clamp its argument to within -1 and 1",
    "atanh": "clamp its argument to within -1 and 1",
    "exp": "subtract the largest argument first, or use softmax, logsumexp or expm1",
    "mean": "the mean of no element is NaN: look whether the selection before it is empty",
    "std": "it takes two elements at least: use unbiased=False or a larger batch",
    "var": "it takes two elements at least: use unbiased=False or a larger batch",
    "softmax": "a row that is masked whole has no softmax: leave one element of it in",
}
_ALIKE = {
    "log2": "log", "log10": "log", "log1p": "log", "logit": "log", "xlogy": "log",
    "truediv": "div", "rtruediv": "div", "itruediv": "div", "true_divide": "div", "divide": "div",
    "rpow": "pow", "ipow": "pow", "powtensor": "pow", "powscalar": "pow", "vector_norm": "norm",
    "linalgvectornorm": "norm", "cdist": "norm", "nanmean": "mean", "std_mean": "std", "arccos": "acos",
    "arcsin": "asin", "normalize": "div", "stdmean": "std", "var_mean": "var",
}  # fmt: skip


@dataclass(eq=False)
class Trouble:
    """A result that held NaN or Inf."""

    kind: Kind
    name: str
    """Of the operation, or of the autograd Node."""
    source: Source | None
    """The user's line that called it."""
    event: Event | None = None
    """The operation, or the backward pass."""
    seq: int = -1
    """Of a Node: its sequence number, counted from the step's first."""
    made: bool = True
    """Whether it came about here; else it came in."""
    why: str = ""
    """What the operation got."""
    parent: Trouble | None = None
    """What it came in with."""
    shown: dict[str, Any] = field(default_factory=dict)
    """What a stop shows; empty where nobody stops."""
    told: bool = False
    stopped: bool = False
    exploded: bool = False
    """Whether its inputs were as large as numbers get when training diverges."""

    @property
    def root(self) -> Trouble:
        """Where it began."""
        trouble = self
        while trouble.parent is not None:
            trouble = trouble.parent
        return trouble

    def way(self) -> str:
        """The operations that carried it on from the root, in words."""
        links: list[str] = []
        trouble: Trouble | None = self
        while trouble is not None and trouble.parent is not None:
            links.append(f"{trouble.name}{at(trouble.source)}")
            trouble = trouble.parent
        links = list(dict.fromkeys(reversed(links)))
        if len(links) > _LINKS:
            links[2:-2] = ["..."]
        return f" through {', '.join(links)}" if links else ""


def at(source: Source | None) -> str:
    """A place in words."""
    if source is None:
        return ""
    name = source.path.replace("\\", "/").rpartition("/")[2]
    return f" ({name}:{source.line})"


def remedy(trouble: Trouble) -> str:
    """What usually helps, as an end of a sentence; empty where nothing is known."""
    if trouble.exploded:
        return ". The values have exploded: lower the learning rate, clip gradients, or scale the inputs"
    plain = (
        trouble.name.removesuffix("0").removesuffix("1").removesuffix("Backward").strip("_").lower()
    )
    found = next((_REMEDIES[key] for key in _keys(plain)), "")
    return f". {found[0].upper()}{found[1:]}" if found else ""


def _keys(plain: str) -> Iterator[str]:
    for key in (plain, _ALIKE.get(plain, "")):
        if key in _REMEDIES:
            yield key
