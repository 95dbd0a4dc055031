"""Requests that concern more than one process, and the one answer that the client gets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphdebug.adapter.debugged import Debugged
from graphdebug.adapter.upstream import Answered
from graphdebug.transport.framing import Message

CONFIGURING = frozenset(
    (
        "setBreakpoints",
        "setFunctionBreakpoints",
        "setExceptionBreakpoints",
        "setDebuggerProperty",
        "setPydevdSourceMap",
    )
)
"""What holds for all processes, and for those that come later."""

ASKED_OF_ALL = frozenset(("threads", "modules"))
"""What is answered with what each process has."""

Answers = Sequence[tuple[Debugged, Message]]


def key(message: Message) -> tuple[str, str]:
    """A later request with the same key takes the place of this one."""
    source = (message.get("arguments") or {}).get("source") or {}
    return message["command"], str(source.get("path") or source.get("sourceReference") or "")


def concerned(message: Message, all: Sequence[Debugged]) -> list[Debugged]:
    """Those that a request for all processes means.

    ``continue``: those that stand. ``pause``: the ranks of a job, whose launcher has to look after them.
    """
    if message["command"] == "continue":
        return [one for one in all if one.stopped]
    if message["command"] == "pause":
        return [one for one in all if one.rank is not None] or list(all)
    return list(all)


def nobody_stands(message: Message) -> Message:
    """The answer to ``continue`` where all run."""
    body = {"allThreadsContinued": True}
    return {"type": "response", "command": message["command"], "success": True, "body": body}


def of_one(command: str, answered: Answered) -> Answered:
    """What takes the answer to a request that went to one of several processes."""
    if command != "continue":
        return answered

    def take(response: Message) -> None:
        answered({**response, "body": {"allThreadsContinued": False}})

    return take


def merged(message: Message, answers: Answers) -> Message:
    """One answer: the first that succeeded, with what the others have to add."""
    first = next((answer for _, answer in answers if answer.get("success")), answers[0][1])
    if len(answers) < 2 or not first.get("success"):
        return first
    command = message["command"]
    body = dict(first.get("body") or {})
    if command == "threads":
        body["threads"] = [
            {**thread, "name": f"{one.label} {thread['name']}"}
            for one, answer in sorted(answers, key=_order)
            for thread in _list(answer, "threads")
        ]
    elif command == "modules":
        body["modules"] = [item for _, answer in answers for item in _list(answer, "modules")]
        body["totalModules"] = len(body["modules"])
    elif command == "continue":
        body["allThreadsContinued"] = True
    elif "breakpoints" in body:
        body["breakpoints"] = _breakpoints(answers)
    return {**first, **({"body": body} if body else {})}


def _order(answer: tuple[Debugged, Message]) -> tuple[int, int]:
    """Processes without a rank first, such as the launcher."""
    one, _ = answer
    return (-1 if one.rank is None else one.rank), one.number


def _list(answer: Message, name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (answer.get("body") or {}).get(name) or []
    return found


def _breakpoints(answers: Answers) -> list[dict[str, Any]]:
    """Each as the first process has it that took it; the number is the first one's."""
    lists = [_list(answer, "breakpoints") for _, answer in answers if answer.get("success")]
    found = []
    for told in zip(*lists, strict=False):
        taken = next((item for item in told if item.get("verified")), told[0])
        found.append({**taken, "id": told[0]["id"]} if "id" in told[0] else taken)
    return found


def numbers(answer: Message) -> list[int]:
    """The numbers of the breakpoints in an answer, in order."""
    return [item.get("id", -1) for item in _list(answer, "breakpoints")]
