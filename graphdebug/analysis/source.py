"""Source text as chunks that are parsed one by one.

A chunk is a stretch of whole top-level statements that begins at a ``def``, a ``class`` or a
decorator. After an edit only its own chunk is parsed again, and a syntax error costs only the line
that it is on. Imported by ``scopes`` and ``analysis``.
"""

from __future__ import annotations

import ast
import re
import warnings
from dataclasses import dataclass
from functools import lru_cache

from graphdebug.analysis.collector import collect
from graphdebug.analysis.facts import Facts

_START = re.compile(r"^(@|(?:async[ \t]+def|def|class)\b)", re.MULTILINE)
_QUOTES = ('"""', "'''")
_REPAIRS = 10


@dataclass(frozen=True)
class Chunk:
    """One stretch of source."""

    offset: int
    """How many lines stand before it."""
    facts: Facts
    """What it says; its lines count from 1."""


def normalised(source: str) -> str:
    """``source`` with plain line ends, without what Python's parser takes from bytes only."""
    text = source.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    return text.encode("utf-8", "replace").decode("utf-8").replace("\0", " ")


def chunks(text: str) -> list[Chunk]:
    """The chunks of ``text``, which must be normalised."""
    found: list[Chunk] = []
    offset = 0
    pieces = _pieces(text)
    for index, piece in enumerate(pieces):
        facts, whole = _facts(piece)
        if not whole and piece is not pieces[-1]:
            # It was cut inside a string: where that ends, only the rest as a whole tells.
            found.append(Chunk(offset, _facts("".join(pieces[index:]))[0]))
            break
        found.append(Chunk(offset, facts))
        offset += piece.count("\n")
    return found


def _pieces(text: str) -> list[str]:
    """``text`` cut before each top-level definition that is outside of multi-line strings."""
    cuts = [0]
    decorated = False
    seen, quotes = 0, [0, 0]
    for match in _START.finditer(text):
        start = match.start()
        quotes = [n + text.count(q, seen, start) for n, q in zip(quotes, _QUOTES, strict=True)]
        seen = start
        if not decorated and start and not any(count % 2 for count in quotes):
            cuts.append(start)
        decorated = match[1] == "@"
    return [text[a:b] for a, b in zip(cuts, [*cuts[1:], len(text)], strict=True)]


@lru_cache(maxsize=8192)
def _facts(piece: str) -> tuple[Facts, bool]:
    """What ``piece`` says, and whether all strings in it end there."""
    lines = piece.split("\n")
    whole = True
    for _ in range(_REPAIRS):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return collect(ast.parse("\n".join(lines))), whole
        except SyntaxError as error:
            whole = whole and "unterminated triple-quoted" not in error.msg
            _drop(lines, error)
        except (ValueError, RecursionError, MemoryError):
            break
    return collect(ast.Module(body=[], type_ignores=[])), whole


def _drop(lines: list[str], error: SyntaxError) -> None:
    """Takes the line out that ``error`` is about: it counts as ``pass``."""
    header = re.search(r"expected an indented block after .* on line (\d+)", error.msg)
    number = int(header[1]) if header else error.lineno or 1
    index = min(max(number, 1), len(lines)) - 1
    indent = lines[index][: len(lines[index]) - len(lines[index].lstrip())]
    lines[index] = "" if isinstance(error, IndentationError) and not header else f"{indent}pass"
