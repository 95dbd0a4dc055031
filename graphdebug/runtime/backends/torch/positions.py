"""Where the program stands, and whether it has come round in a loop since it stood there.

A position is a code object and the offset of an instruction in it. Lines won't do: an expression over
several lines goes back to its first one at its end.
"""

from __future__ import annotations

import dis
import functools
import sys
from collections.abc import Iterator
from types import CodeType, FrameType
from typing import Any, NamedTuple

from graphdebug.runtime.frames import is_user_file

Position = tuple[CodeType, int]


class Place(NamedTuple):
    """Where an operation was called."""

    stack: tuple[Position, ...]
    """All frames, outermost first, from the first one of the user's on."""
    counts: bool
    """Whether a loop there may be the program's: neither a constructor nor a data loader is under way."""
    direct: bool
    """Whether the last instruction is the call of the operation itself, not of ``sum`` or the like."""

    @property
    def user(self) -> tuple[Position, ...]:
        """The user's frames alone."""
        return tuple(item for item in self.stack if USER_FILES[item[0].co_filename])


class Loop(NamedTuple):
    """A loop of the user's that the program went round in."""

    depth: int
    """Which frame of the stack it is in."""
    code: CodeType
    begin: int
    end: int
    """Its first instruction, and the one that jumps there."""

    def holds(self, now: Place) -> bool:
        """Whether the program is still within."""
        if len(now.stack) <= self.depth:
            return False
        code, offset = now.stack[self.depth]
        return code is self.code and self.begin <= offset <= self.end

    def tests(self, now: Place) -> bool:
        """Whether the program only looks if it goes round once more."""
        code, offset = now.stack[self.depth]
        return _canonical(code, offset) < _body(code, self.begin, self.end)


class _UserFiles(dict[str, bool]):
    """``is_user_file`` as fast as a look-up gets."""

    def __missing__(self, filename: str) -> bool:
        answer = self[filename] = is_user_file(filename)
        return answer


USER_FILES = _UserFiles()


def position(frame: FrameType | None) -> tuple[CodeType | None, int, int]:
    """The user's innermost position, from ``frame`` outwards, and how many frames away it is."""
    hops = 0
    while frame is not None:
        code = frame.f_code
        if USER_FILES[code.co_filename]:
            return code, frame.f_lasti, hops
        frame, hops = frame.f_back, hops + 1
    return None, 0, hops


def place(frame: FrameType | None, operation: str = "") -> Place:
    """Where the program stands, from ``frame``, which called ``operation``, outwards."""
    stack: list[Position] = []
    outermost, counts = 0, True
    direct = frame is None or _calls(frame.f_code, frame.f_lasti, operation)
    while frame is not None:
        code = frame.f_code
        stack.append((code, frame.f_lasti))
        if USER_FILES[code.co_filename]:
            outermost = len(stack)
        elif _is(code.co_filename, "torch/utils/data/"):
            counts = False
        if code.co_name == "__init__":
            counts = False
        frame = frame.f_back
    return Place(tuple(reversed(stack[:outermost])), counts, direct)


def comes_round(before: Place, now: Place) -> bool:
    """Whether the program went round in a loop of the user's between two operations.

    Loops of libraries and within modules are no loops of the program's: what could be one of their
    iterations is none of its.
    """
    within = repeats = False
    for (code, offset), (code_now, offset_now) in zip(before.stack, now.stack, strict=False):
        if code is not code_now:
            return False
        within = within or _calls_module(code)
        loops = bool(_loops_around(code, offset_now))
        if within or not USER_FILES[code.co_filename]:
            if loops or _loops_around(code, offset):
                return False
        else:
            repeats = loops
        origin, origin_now = _canonical(code, offset), _canonical(code, offset_now)
        if origin != origin_now:
            return origin_now < origin
    return repeats and len(before.stack) == len(now.stack) and before.direct and now.direct


def loop_around(now: Place) -> Loop | None:
    """The innermost loop of the program's; those within modules aren't."""
    found = None
    for depth, (code, offset) in enumerate(now.stack):
        if _calls_module(code):
            break
        loops = _loops_around(code, offset)
        if loops and USER_FILES[code.co_filename]:
            found = Loop(depth, code, *loops[-1])
    return found


def _calls_module(code: CodeType) -> bool:
    return code.co_name == "_call_impl" and _is(code.co_filename, "torch/nn/modules/module.py")


def _canonical(code: CodeType, offset: int) -> int:
    """The offset of the instruction that this one is a copy of, or its own.

    The compiler puts the test of a ``while`` loop before its body and once more behind it.
    """
    start = _start(code, offset)
    return _copies(code).get(start, start)


@functools.lru_cache(maxsize=4096)
def _start(code: CodeType, offset: int) -> int:
    """The instruction that an offset is in: a frame that calls Python points behind the call."""
    return max(at for at in _offsets(code) if at <= offset)


@functools.lru_cache(maxsize=1024)
def _offsets(code: CodeType) -> tuple[int, ...]:
    return tuple(item.offset for item in dis.get_instructions(code))


@functools.lru_cache(maxsize=4096)
def _loops_around(code: CodeType, offset: int) -> tuple[tuple[int, int], ...]:
    """The loops that an instruction is in, the innermost last."""
    return tuple(sorted((begin, end) for begin, end in _loops(code) if begin <= offset <= end))


@functools.lru_cache(maxsize=4096)
def _calls(code: CodeType, offset: int, name: str) -> bool:
    """Whether the instruction is the operation ``name`` itself, not a function that goes on to it."""
    opcode = code.co_code[_start(code, offset)]
    return not dis.opname[opcode].startswith("CALL") or name in code.co_names


@functools.lru_cache(maxsize=4096)
def _loops(code: CodeType) -> tuple[tuple[int, int], ...]:
    """The loops of a function: where each begins, and the instruction that jumps there.

    From Python 3.12 on exception handlers stand at the end of a function's code, whatever loop they
    belong to, so what jumps from there into a loop isn't its end.
    """
    aside = len(code.co_code)
    if sys.version_info >= (3, 12):
        aside = min((item.target for item in dis.Bytecode(code).exception_entries), default=aside)
    return tuple(
        (item.argval, item.offset)
        for item in dis.get_instructions(code)
        if item.opcode in _JUMPS
        and item.argval <= item.offset
        and (item.argval < aside) == (item.offset < aside)
    )


@functools.lru_cache(maxsize=1024)
def _body(code: CodeType, begin: int, end: int) -> int:
    """Where the body of a loop begins.

    Since Python 3.14 a ``while`` loop has its test once, before its body: on the line where it begins.
    """
    if sys.version_info >= (3, 14):
        loop = [item for item in dis.get_instructions(code) if begin <= item.offset <= end]
        for item in loop:
            if item.line_number != loop[0].line_number:
                break
            if item.opcode in _JUMPS and item.argval > end:
                return item.offset
    return begin


@functools.lru_cache(maxsize=4096)
def _copies(code: CodeType) -> dict[int, int]:
    loops = _loops(code)
    if not loops:
        return {}
    instructions = list(_instructions(code))
    alike: dict[Any, list[int]] = {}
    for offset, key in instructions:
        alike.setdefault(key, []).append(offset)
    copies = {}
    for offset, key in instructions:
        begin = max((begin for begin, _ in _loops_around(code, offset)), default=0)
        earlier = [other for other in alike[key] if other < begin]
        if earlier:
            copies[offset] = earlier[-1]
    return copies


def _instructions(code: CodeType) -> Iterator[tuple[int, Any]]:
    """Each instruction's offset, and what its copies have in common with it."""
    if sys.version_info >= (3, 11):
        positions = list(code.co_positions())
        for item in dis.get_instructions(code):
            where = positions[item.offset // 2]
            if None not in where:
                yield item.offset, (where, item.opname)
    else:
        line, begins = None, {begin for begin, _ in _loops(code)}
        opened: set[int | None] = set()
        for item in dis.get_instructions(code):
            line = item.starts_line or line
            if item.offset in begins:
                opened.add(line)
            if line not in opened:  # a whole loop on one line can't be told from its test
                yield item.offset, (line, item.opname, item.arg)


@functools.cache
def _is(filename: str, part: str) -> bool:
    return part in filename.replace("\\", "/")


_JUMPS = frozenset(dis.hasjrel) | frozenset(dis.hasjabs)
