"""What is said of an error that an operation on tensors raised: its operands, their lines, a remedy.

Computed only where somebody looks: at a debugger's stop, or when an error has ended the program. The
frameworks' parts (``errors`` in each backend) say what; here is how it is written down. Used by ``boot``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from os.path import basename, dirname

from graphdebug.protocol.model import Source
from graphdebug.runtime.origins import Link


@dataclass(frozen=True)
class Operand:
    """What an operation was given."""

    name: str
    """In the user's words."""
    about: str
    """dtype, shape and device; empty where they aren't known any more."""
    made: Sequence[Link] = ()
    """The lines that made it, nearest first."""


@dataclass(frozen=True)
class Explanation:
    """Of one error."""

    operation: str
    """As the program calls it; empty where none is known."""
    source: Source | None
    """The user's line."""
    cause: str
    """What doesn't fit, as a sentence."""
    remedy: str = ""
    """The likely one, as a sentence; names code."""
    module: str = ""
    """The path of the module or layer, such as ``model.encoder.layers.0.linear1``."""
    operands: Sequence[Operand] = ()

    def text(self) -> str:
        """For a person, in lines."""
        where = "" if self.source is None else f"{place(self.source)} in {self.source.function}"
        what = (
            f"{self.operation} at {where}" if self.operation and where else self.operation or where
        )
        head = ", ".join(filter(None, (what, self.module and f"module {self.module}")))
        lines = [f"{head}: {self.cause}" if head else self.cause]
        for operand in self.operands:
            lines += ["  " + " is ".join(filter(None, (operand.name, operand.about)))]
            lines += _made(operand.made)
        if self.remedy:
            lines.append(f"Remedy: {self.remedy}")
        return "\n".join(lines)


def _made(links: Sequence[Link]) -> list[str]:
    if not links:
        return []
    wheres = [place(link.source) for link in links]
    wide = max(map(len, wheres))
    return [
        f"    {'from' if not at else '    '} {where:<{wide}}  {link.text}"
        + (f"  -> {link.about}" if link.about else "")
        + ("" if link.certain else "  (one of several ways here)")
        for at, (where, link) in enumerate(zip(wheres, links, strict=True))
    ]


def place(source: Source) -> str:
    """``model.py:17``; with its folder where the name alone says little."""
    name = basename(source.path)
    if name in ("__init__.py", "__main__.py"):
        name = f"{basename(dirname(source.path))}/{name}"
    return f"{name}:{source.line}"
