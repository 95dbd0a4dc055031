"""The whole conversation with graphdebug is the one with debugpy, but for a short list."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
from support.dap import Session, Start
from support.golden import Normal, difference, normal
from support.markers import line, program
from support.transcript import Message, Transcript

LOOP = program("loop.py")
ERRORS = program("errors.py")
THREADS = program("threads.py")

ADDED_CAPABILITIES: dict[str, object] = {"supportsStepBack": True, "supportsDataBreakpoints": True}
"""Capabilities that graphdebug has and debugpy hasn't."""
ADDED_FILTERS = {"graphdebug.nan", "graphdebug.boundary", "graphdebug.retrace"}
"""Exception filters that graphdebug has and debugpy hasn't."""


def additions_removed(message: Message) -> Message | None:
    """The message as debugpy would have sent it; None for one that is ours alone.

    The documented additions, and no other: capabilities and exception filters of ours, events named
    ``graphdebug*``, and the binding in the message of a breakpoint that stops on its line.
    """
    message = copy.deepcopy(message)
    if message.get("event", "").startswith("graphdebug"):
        return None
    body = message.get("body") or {}
    if message.get("command") == "initialize":
        for name, value in ADDED_CAPABILITIES.items():
            assert body.pop(name) == value
        filters = body["exceptionBreakpointFilters"]
        filters[:] = [item for item in filters if item["filter"] not in ADDED_FILTERS]
    if message.get("command") == "setBreakpoints":
        for breakpoint in body.get("breakpoints", []):
            assert breakpoint.pop("message").startswith("line:")
    return message


def look_around(s: Session) -> None:
    """What an editor asks at each stop."""
    s.request("threads")
    s.locals(s.stack()[0])


def plain_loop(s: Session) -> None:
    """Breakpoints of all kinds, steps, and changes."""
    s.launch(
        program=LOOP,
        breakpoints={
            LOOP: [
                {"line": line(LOOP, "call"), "hitCondition": "<= 2"},
                {"line": line(LOOP, "second"), "condition": "first == 8"},
                {"line": line(LOOP, "return"), "logMessage": "returns {first}"},
            ]
        },
    )
    s.wait_for_stop("breakpoint")
    for frame in s.stack():
        for scope in s.scopes(frame).values():
            for variable in s.variables(scope["variablesReference"]).values():
                if variable["variablesReference"]:
                    s.variables(variable["variablesReference"])
    s.evaluate("__name__", "watch")
    for command in ("stepIn", "next", "stepOut"):
        s.step(command)
    look_around(s)
    s.cont()
    s.wait_for_stop("breakpoint")
    s.cont()
    s.wait_for_stop("breakpoint")
    look_around(s)
    frame = s.frame()["id"]
    s.request("setExpression", expression="second", value="1", frameId=frame)
    s.request("completions", text="fir", column=4, frameId=frame)
    s.request("gotoTargets", source={"path": LOOP}, line=line(LOOP, "return"))
    s.request("stepInTargets", frameId=frame)
    s.refused("evaluate", expression="nothing", frameId=frame, context="watch")
    s.refused("noSuchRequest")
    s.set_breakpoints(LOOP, [])
    s.cont()
    assert s.wait_for_exit() == 0


def exceptions(s: Session) -> None:
    """Every filter of debugpy's."""
    s.launch(program=ERRORS, filters=["raised", "uncaught", "userUnhandled"])
    while s.stops_again():
        s.request("exceptionInfo", threadId=s.thread)
        look_around(s)
        s.cont()
    assert s.wait_for_exit() == 1


def threads(s: Session) -> None:
    """Workers that come and go, one at a time."""
    s.launch(program=THREADS, breakpoints={THREADS: [line(THREADS, "work")]}, functions=["main"])
    s.wait_for_stop("function breakpoint")
    s.cont()
    for _ in range(5):
        s.wait_for_stop("breakpoint")
        s.request("threads")
        s.stack()
        s.cont()
    assert s.wait_for_exit() == 0


Script = Callable[[Session], None]
scripts = pytest.mark.parametrize("script", [plain_loop, exceptions, threads])


def played(start: Start, adapter: str, script: Script) -> Transcript:
    """What passed while ``script`` was played against ``adapter``, to the very end."""
    s = start(adapter)
    script(s)
    s.request("disconnect")
    s.close()
    transcript: Transcript = s.transcript
    return transcript


@pytest.fixture(scope="module")
def plain(start_shared: Start) -> Callable[[Script], Transcript]:
    """The transcripts of plain debugpy, each made once."""
    made: dict[Script, Transcript] = {}

    def transcript(script: Script) -> Transcript:
        if script not in made:
            made[script] = played(start_shared, "debugpy", script)
        return made[script]

    return transcript


@scripts
def test_control_debugpy_is_like_itself(
    plain: Callable[[Script], Transcript], start: Start, script: Script
) -> None:
    again = normal(played(start, "debugpy", script))
    different = difference(normal(plain(script)), again)
    assert not different, different


@scripts
def test_graphdebug_is_like_debugpy(
    plain: Callable[[Script], Transcript], start: Start, graphdebug_adapter: str, script: Script
) -> None:
    ours = normal(played(start, graphdebug_adapter, script), additions_removed)
    different = difference(normal(plain(script)), ours)
    assert not different, different


def drop(name: str, count: int = 1) -> Callable[[Message], Message | None]:
    """Leaves out the first ``count`` events ``name``."""
    left = [count]

    def alter(message: Message) -> Message | None:
        if message.get("event") == name and left[0]:
            left[0] -= 1
            return None
        return message

    return alter


def change(command: str, **fields: object) -> Callable[[Message], Message]:
    """Changes the body of the answers to ``command``."""

    def alter(message: Message) -> Message:
        if message.get("command") == command:
            return {**message, "body": {**(message.get("body") or {}), **fields}}
        return message

    return alter


@pytest.mark.parametrize(
    "alter",
    [
        drop("stopped"),
        drop("module"),
        drop("terminated"),
        change("threads", threads=[]),
        change("continue", allThreadsContinued=False),
        change("initialize", supportsSomething=True),
        change("configurationDone", extra=1),
    ],
)
def test_control_a_difference_shows(
    plain: Callable[[Script], Transcript], alter: Callable[[Message], Message | None]
) -> None:
    untouched: Normal = normal(plain(plain_loop))
    assert difference(normal(plain(plain_loop), alter), untouched)
