"""A transcript without what may differ from run to run, to compare whole sessions.

Ids are numbered by their first appearance, process ids and ports are replaced. Order is kept where
the protocol defines it: answers by request, events by kind and thread. How the program's output is
cut into events isn't defined, so it is joined by category.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from support.transcript import Message, Transcript

Normal = dict[str, Any]

_REPLACED = {"systemProcessId", "subProcessId", "processId", "pid", "ppid", "port"}
"""Numbers that the system hands out."""
_PROGRAM_OUTPUT = {"stdout", "stderr"}
_IDS = {
    "threadId": "thread",
    "frameId": "reference",  # pydevd counts frames and variables with one counter
    "variablesReference": "reference",
    "hitBreakpointIds": "breakpoint",
    "targetId": "target",
}
"""What an id of that key is an id of."""
_LISTS = {
    "threads": "thread",
    "stackFrames": "reference",
    "breakpoints": "breakpoint",
    "modules": "module",
    "targets": "target",
}
"""What ``id`` is an id of in the objects of a list of that key."""


class _Ids:
    """Numbers in the order in which they were first met, per kind."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str, int], int] = {}
        self._count: dict[str, int] = {}

    def __call__(self, kind: str, number: int) -> str | int:
        if kind == "reference" and number == 0:
            return 0  # "has no children", not an id
        if (kind, number) not in self._seen:
            self._count[kind] = self._count.get(kind, 0) + 1
            self._seen[kind, number] = self._count[kind]
        return f"<{kind} {self._seen[kind, number]}>"


def normal(transcript: Transcript, ours: Callable[[Message], Message | None] | None = None) -> Normal:
    """What an adapter said, comparable.

    ``ours`` gets each message and returns it without our documented additions, or None to leave it
    out.
    """
    requests: dict[int, Message] = {}
    answers: dict[int, Message] = {}
    events: list[Message] = []
    for entry in transcript.entries:
        message: Message | None = entry.message
        if entry.direction == "sent":
            if message["type"] == "request":
                requests[message["seq"]] = message
            continue
        message = ours(message) if ours is not None else message
        if message is None:
            continue
        if message["type"] == "response":
            answers[message["request_seq"]] = message
        elif message["type"] == "event":
            events.append(message)
    ids = _Ids()
    return {
        "answers": [_answer(requests[seq], answers.get(seq), ids) for seq in sorted(requests)],
        "events": _events(events, ids),
        "output": {name: transcript.output(name) for name in sorted(_PROGRAM_OUTPUT)},
    }


def _answer(request: Message, answer: Message | None, ids: _Ids) -> Any:
    if answer is None:
        return request["command"], "no answer"
    kept = {key: answer[key] for key in answer.keys() - {"seq", "request_seq", "type"}}
    return _plain(kept, ids)


def _events(events: list[Message], ids: _Ids) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for event in events:
        body = event.get("body", {})
        if event["event"] == "output" and body.get("category") in _PROGRAM_OUTPUT:
            continue
        plain = _plain(body, ids, event["event"])
        thread = f" {plain['threadId']}" if "threadId" in body else ""
        found.setdefault(event["event"] + thread, []).append(plain)
    return found


def _plain(value: Any, ids: _Ids, key: str = "") -> Any:
    if isinstance(value, dict):
        # Ids are numbered as they are met, so the order of keys may not matter.
        return {name: _field(value, name, ids, key) for name in sorted(value)}
    if isinstance(value, list):
        return [_plain(item, ids, key) for item in value]
    if isinstance(value, str):
        return re.sub(r"0x[0-9a-f]{6,}", "<address>", value)
    return value


def _field(holder: Message, name: str, ids: _Ids, key: str) -> Any:
    value = holder[name]
    if name in _REPLACED:
        return f"<{name}>"
    if name in _IDS:
        if isinstance(value, list):
            return [ids(_IDS[name], item) for item in value]
        return ids(_IDS[name], value)
    if name == "id" and key in {*_LISTS, "module", "breakpoint"}:
        return ids(_LISTS.get(key, key), value)
    return _plain(value, ids, name)
