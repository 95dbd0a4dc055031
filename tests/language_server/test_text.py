"""Text and where its lines moved: against the plain way to say it, on many random edits."""

from __future__ import annotations

import random

import pytest
from lsprotocol import types

from graphdebug.language_server.shift import COMPARED, Shift
from graphdebug.language_server.text import Text, split

PIECES = ("a", "é", "€", "🐍", "\ud800", "\n", "\r\n", "\r", "\x0c", "\u2028", " ", "")
CODECS = {"utf-8": ("utf-8", 1), "utf-16": ("utf-16-le", 2), "utf-32": ("utf-32-le", 4)}


def position(text: str, offset: int, encoding: str) -> types.Position:
    """Where ``offset`` is, counted in the plain way."""
    before = split(text[:offset])
    codec, width = CODECS[encoding]
    units = len(before[-1].encode(codec, "surrogatepass")) // width
    return types.Position(len(before) - 1, units)


@pytest.mark.parametrize("encoding", CODECS)
def test_changes_are_applied_where_the_client_means_them(encoding: str) -> None:
    random.seed(5)
    for _ in range(60):
        plain = "".join(random.choices(PIECES, k=30))
        text = Text(plain, encoding)
        for _ in range(10):
            begin, end = sorted(random.choices(range(len(plain) + 1), k=2))
            if any(plain[at - 1 : at + 1] == "\r\n" for at in (begin, end)):
                continue  # inside of a line's end there are no positions
            new = "".join(random.choices(PIECES, k=3))
            place = types.Range(position(plain, begin, encoding), position(plain, end, encoding))
            text.change(types.TextDocumentContentChangePartial(place, new))
            plain = plain[:begin] + new + plain[end:]
            assert text.lines == split(plain)


def test_positions_beyond_the_end_mean_the_end() -> None:
    text = Text("ab\ncd", "utf-16")
    for place in (types.Position(1, 99), types.Position(7, 3)):
        text.change(types.TextDocumentContentChangePartial(types.Range(place, place), "!"))
    assert text.lines == ["ab", "cd!!"]
    place = types.Position(0, 99)
    text.change(types.TextDocumentContentChangePartial(types.Range(place, place), "?"))
    assert text.lines == ["ab?", "cd!!"]


def test_lines_that_stayed_are_found_where_they_are_now() -> None:
    random.seed(6)
    for _ in range(200):
        before = [f"line {random.randrange(8)}" for _ in range(random.randrange(20))]
        after = list(before)
        for _ in range(random.randrange(4)):
            at = random.randrange(len(after) + 1)
            after[at : at + random.randrange(3)] = [f"new {random.random()}"] * random.randrange(3)
        shift = Shift(before, after)
        found = [shift.now(line) for line in range(1, len(before) + 1)]
        kept = [now for now in found if now is not None]
        assert kept == sorted(set(kept))
        for line, now in enumerate(found):
            assert now is None or before[line] == after[now - 1]
        assert len(kept) >= len(before) - 3 * 4 or len(after) < len(before)


def test_a_change_too_large_to_compare_keeps_what_is_around_it() -> None:
    before = ["first", *(f"{n}" for n in range(COMPARED + 1)), "last"]
    shift = Shift(before, ["first", *reversed(before[1:-1]), "new", "last"])
    assert (shift.now(1), shift.now(5), shift.now(len(before))) == (1, None, len(before) + 1)


def test_a_text_that_did_not_change_maps_onto_itself() -> None:
    lines = ["a", "b", "a"]
    assert [Shift(lines, lines).now(line) for line in (1, 2, 3)] == [1, 2, 3]
    assert [Shift(lines, []).now(line) for line in (1, 2, 3)] == [None] * 3
