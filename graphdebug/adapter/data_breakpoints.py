"""Data breakpoints for the client: what can be watched, and what is."""

from __future__ import annotations

import ast
import itertools
from typing import Any

from graphdebug.adapter.records import Records
from graphdebug.adapter.references import FIRST
from graphdebug.adapter.session import Session
from graphdebug.adapter.shown import Shown
from graphdebug.adapter.walks import FIRST_FRAME
from graphdebug.observation.runtimes import Runtime, Runtimes
from graphdebug.protocol.runtime import (
    DataBreakpoint,
    DataBreakpointEvent,
    Datum,
    SetDataBreakpointsArguments,
)
from graphdebug.protocol.wire import from_wire
from graphdebug.transport.framing import Message

RUNTIME = "__import__('sys').modules['graphdebug.runtime.boot'].runtime.data_breakpoints"
"""What is evaluated in a stopped thread starts with it."""

FIRST_ID = 1 << 29
"""The first number of a data breakpoint; debugpy numbers its breakpoints from 0."""

KINDS = ("nan", "grad", "no grad", "shape", "dtype", "device")
"""What a condition may say instead of an expression."""

WRONG = (
    "{!r} is none of nan, grad, no grad, shape, dtype, device, and no expression either: {}. An "
    "expression sees value, grad, torch and the module's names"
)
UNOBSERVED = "no tensor can be watched: the program has imported no framework that is observed"
RECORDED = "a recorded value doesn't change; step out, to where the program stands"
UNKNOWN = (
    "it can be watched only at a stop, where its variable is shown, or by an expression and a frame"
)
FORGOTTEN = "it isn't known any more: its process has gone; set it anew"
WRITES = "only writes are seen, so that accessType has to be write"


class DataBreakpoints:
    """``dataBreakpointInfo`` and ``setDataBreakpoints``."""

    def __init__(self, session: Session, records: Records, runtimes: Runtimes) -> None:
        self._session = session
        self._records = records
        self._runtimes = runtimes
        self._shown = Shown()
        self._ids = itertools.count(FIRST_ID)
        self._known: dict[tuple[Any, ...], int] = {}
        self._answered: dict[int, dict[str, Any]] = {}

    # What the client is shown

    def stackTrace_answer(self, asked: dict[str, Any], body: dict[str, Any]) -> None:
        """Frames."""
        self._shown.stack(asked["threadId"], body.get("stackFrames", []))

    def scopes_answer(self, asked: dict[str, Any], body: dict[str, Any]) -> None:
        """Scopes."""
        self._shown.scopes(asked["frameId"], body.get("scopes", []))

    def variables_answer(self, asked: dict[str, Any], body: dict[str, Any]) -> None:
        """Variables."""
        self._shown.variables(asked["variablesReference"], body.get("variables", []))

    def evaluate_answer(self, asked: dict[str, Any], body: dict[str, Any]) -> None:
        """A value."""
        if asked.get("frameId") is not None:
            self._shown.value(asked["frameId"], body)

    def left(self, thread: int | None) -> None:
        """A thread goes on, or all do."""
        self._shown.left(thread)

    # What can be watched

    async def dataBreakpointInfo_request(self, request: Message) -> None:
        """The tensor of a variable, or of an expression in a frame."""
        arguments = request.get("arguments") or {}
        found = await self._datum(arguments)
        if isinstance(found, str) or found.data is None:
            description = found if isinstance(found, str) else found.description
            return self._session.reply(request, {"dataId": None, "description": description})
        body = {
            "dataId": f"{found.pid}:{found.data}",
            "description": found.description,
            "accessTypes": ["write"],
            "canPersist": False,
        }
        return self._session.reply(request, body)

    async def _datum(self, arguments: dict[str, Any]) -> Datum | str:
        reference, name = arguments.get("variablesReference"), arguments["name"]
        frame, expression = arguments.get("frameId"), name
        if reference:
            found = self._shown.variable(reference, name)
            if found is None:
                return RECORDED if reference >= FIRST else UNKNOWN
            frame, expression = found
        if not isinstance(frame, int):
            return UNKNOWN
        if frame >= FIRST_FRAME:
            return RECORDED
        if not self._runtimes.here:
            return UNOBSERVED
        at = self._shown.frames.get(frame)
        place = ("", 0, "") if at is None else (at.path, at.line, at.function)
        published = await self._records.publish(
            lambda key: f"{RUNTIME}.info({key!r}, {place!r}, {expression!r}, ({expression}))", frame
        )
        if isinstance(published, str):
            return _last_line(published)
        return from_wire(Datum, published.result)

    # What is watched

    async def setDataBreakpoints_request(self, request: Message) -> None:
        """All data breakpoints, of all processes."""
        asked = (request.get("arguments") or {}).get("breakpoints") or []
        wanted: dict[Runtime, list[DataBreakpoint]] = {one: [] for one in self._runtimes.here}
        answers: list[dict[str, Any]] = []
        for item in asked:
            runtime, breakpoint, wrong = await self._checked(item)
            answer = {"id": breakpoint.id, "verified": not wrong}
            answers.append({**answer, **({"message": wrong} if wrong else {})})
            if runtime is not None and not wrong:
                wanted[runtime].append(breakpoint)
        self._answered = {answer["id"]: answer for answer in answers}
        for runtime, breakpoints in wanted.items():
            arguments = SetDataBreakpointsArguments(tuple(breakpoints))
            await runtime.request("setDataBreakpoints", arguments)
        self._session.reply(request, {"breakpoints": answers})

    async def _checked(self, item: dict[str, Any]) -> tuple[Runtime | None, DataBreakpoint, str]:
        """Whose it is, what the runtime is told, and what is wrong with it."""
        pid, _, number = str(item["dataId"]).partition(":")
        condition = (item.get("condition") or "").strip() or None
        hits = item.get("hitCondition") or None
        key = (pid, number, condition, hits, item.get("accessType"))
        if key not in self._known:
            self._known[key] = next(self._ids)
        known = pid.isdigit() and number.isdigit()
        data = int(number) if known else 0
        breakpoint = DataBreakpoint(self._known[key], data, condition, hits)
        runtime = self._runtimes.of_process(int(pid)) if known else None
        if runtime is None:
            return None, breakpoint, FORGOTTEN
        if item.get("accessType") not in (None, "write"):
            return runtime, breakpoint, WRITES
        return runtime, breakpoint, await self._wrong(runtime, data, condition or "")

    async def _wrong(self, runtime: Runtime, data: int, condition: str) -> str:
        """Why a condition can't be asked; empty where it can, as far as that can be seen now."""
        if condition and condition not in KINDS:
            try:
                ast.parse(condition, mode="eval")
            except (SyntaxError, ValueError) as error:
                return WRONG.format(condition, error)
        live = [
            id
            for id in self._shown.frames
            if id < FIRST_FRAME and self._session.upstream.in_process(id, runtime)
        ]
        if not live:
            return ""
        published = await self._records.publish(
            lambda key: f"{RUNTIME}.trial({key!r}, {data}, {condition!r})", live[0]
        )
        if isinstance(published, str):
            return ""
        return published.error or ""

    def changed(self, event: DataBreakpointEvent) -> None:
        """A runtime says that one can't stop any more, or not as it is."""
        answer = self._answered.get(event.id)
        if answer is not None:
            answer.update(verified=False, message=event.message)
            self._session.event("breakpoint", {"reason": "changed", "breakpoint": dict(answer)})


def _last_line(text: str) -> str:
    """What went wrong, without the frames that led there."""
    return (text.strip().splitlines() or ["it can't be evaluated"])[-1].strip()
