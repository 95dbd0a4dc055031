"""NaN and Inf as they are followed through TensorFlow's operations: what made one, where, the way on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from graphdebug.protocol.model import Source
from graphdebug.runtime.backends.tensorflow.finite import Kind

WORDS = {"nan": "NaN", "inf": "Inf"}
_LINKS = 5

_LOG = "Keep its argument above 0, as with tf.maximum(x, 1e-8), or use a loss that takes logits"
_ROOT = "Keep its argument above 0, as with x + 1e-8: the derivative at 0 is infinite"
_QUOTIENT = "Keep the divisor away from 0, before the division and not by a mask after it, or use tf.math.divide_no_nan"  # noqa: E501
_ARC = "Clip its argument to within -1 and 1"
_REMEDIES = {
    "Log": _LOG,
    "Log1p": _LOG,
    "Xlogy": _LOG,
    "Sqrt": _ROOT,
    "Rsqrt": _ROOT,
    "SqrtGrad": _ROOT,
    "RsqrtGrad": _ROOT,
    "RealDiv": _QUOTIENT,
    "Div": _QUOTIENT,
    "Reciprocal": _QUOTIENT,
    "Inv": _QUOTIENT,
    "FloorMod": _QUOTIENT,
    "Pow": "A fractional power needs a base above 0, also for its derivative",
    "Acos": _ARC,
    "Asin": _ARC,
    "Atanh": _ARC,
    "Exp": "Subtract the largest argument first, or use tf.nn.softmax or tf.reduce_logsumexp",
    "Mean": "The mean of no element is NaN: look whether the selection before it is empty",
    "Softmax": "A row that is masked whole has no softmax: leave one element of it in",
    "LogSoftmax": "A row that is masked whole has no softmax: leave one element of it in",
}

EXPLODED = "The values have exploded: lower the learning rate, clip gradients, or scale the inputs"


@dataclass(eq=False)
class Trouble:
    """A result that held NaN or Inf."""

    kind: Kind
    name: str
    """Of the operation."""
    source: Source | None
    """The user's line that called it."""
    label: str = ""
    """What to call it, where that isn't its operation."""
    made: bool = True
    """Whether it came about here; else it came in."""
    why: str = ""
    """What the operation got."""
    parent: Trouble | None = None
    """What it came in with."""
    node: int | None = None
    """Which node of the step it is."""
    time: int = 0
    """When, on TensorFlow's clock, in a graph."""
    differentiated: str = ""
    """Of one in backward: the operation that it is the gradient of."""
    shown: dict[str, Any] | None = None
    """What a stop shows."""
    passes: bool = False
    """Whether it only handed it on, as what loops are made of does."""
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
            if not trouble.passes:
                links.append(f"{trouble.label or trouble.name}{at(trouble.source)}")
            trouble = trouble.parent
        links = list(dict.fromkeys(reversed(links)))
        if len(links) > _LINKS:
            links[2:-2] = ["..."]
        return f" through {', '.join(links)}" if links else ""

    def text(self, rest: str) -> str:
        """What happened, and the harm that it did, in words."""
        word, where = WORDS[self.kind or "nan"], f"{self.label or self.name}{at(self.source)}"
        if self.differentiated:
            where = f"{self.name}, of the gradient of {self.differentiated}{at(self.source)},"
        if not self.made:
            return f"{word} came in at {where}, which didn't make it: {self.why}{rest}"
        remedy = self.remedy()
        return f"{where} made {word} {self.why}{rest}" + (f". {remedy}" if remedy else "")

    def remedy(self) -> str:
        """What usually helps; empty where nothing is known."""
        if self.exploded:
            return EXPLODED
        return _REMEDIES.get(self.differentiated) or _REMEDIES.get(self.name, "")


def at(source: Source | None) -> str:
    """A place in words."""
    if source is None:
        return ""
    name = source.path.replace("\\", "/").rpartition("/")[2]
    return f" ({name}:{source.line})"
