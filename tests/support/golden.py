"""A transcript without what may differ from run to run, to compare whole sessions.

Ids are numbered by their first appearance, references anew at each stop, since pydevd makes them from
addresses. Process ids and ports are replaced. Order is kept where the protocol defines it: answers by
request, events by kind and thread. Not defined, and so not compared: how the program's output is cut
into events (it is joined by category), which thread ``continued`` names when all go on, and what
sockets are reported once the program is over.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Callable, Iterator
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


MAIN_THREAD = 1
"""debugpy's id for it."""


def difference(first: Normal, second: Normal) -> str:
    """What stands in one of them only, as a diff; empty where they are the same."""
    a, b = (json.dumps(side, indent=1, sort_keys=True).splitlines() for side in (first, second))
    return "\n".join(difflib.unified_diff(a, b, n=12, lineterm=""))


class _Ids:
    """Numbers in the order in which they were first met, per kind."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str, int], int] = {}
        self._count: dict[str, int] = {}

    def forget_references(self) -> None:
        """Those of a stop mean nothing at the next one."""
        self._seen = {key: seen for key, seen in self._seen.items() if key[0] != "reference"}
        self._count["reference"] = 0

    def __call__(self, kind: str, number: int) -> str | int:
        if kind == "reference" and number == 0:
            return 0  # "has no children", not an id
        if (kind, number) not in self._seen:
            self._count[kind] = self._count.get(kind, 0) + 1
            self._seen[kind, number] = self._count[kind]
        return f"<{kind} {self._seen[kind, number]}>"


def normal(
    transcript: Transcript, ours: Callable[[Message], Message | None] | None = None
) -> Normal:
    """What an adapter said, comparable.

    ``ours`` gets each message and returns it without our documented additions, or None to leave it
    out.
    """
    requests: dict[int, tuple[Message, int]] = {}
    answers: dict[int, Message] = {}
    events: list[Message] = []
    stops = 0
    for entry in transcript.entries:
        if entry.direction == "sent":
            if entry.message["type"] == "request":
                requests[entry.message["seq"]] = entry.message, stops
            continue
        stops += entry.message.get("event") == "stopped"
        message = ours(entry.message) if ours is not None else entry.message
        if message is None:
            continue
        if message["type"] == "response":
            answers[message["request_seq"]] = message
        elif message["type"] == "event":
            events.append(message)
    ids = _Ids()
    return {
        "answers": list(_answers(requests, answers, ids)),
        "events": _events(events, ids),
        "output": {name: transcript.output(name) for name in sorted(_PROGRAM_OUTPUT)},
    }


def _answers(
    requests: dict[int, tuple[Message, int]], answers: dict[int, Message], ids: _Ids
) -> Iterator[Any]:
    last = 0
    for seq, (request, stops) in sorted(requests.items()):
        if stops != last:
            ids.forget_references()
            last = stops
        if seq not in answers:
            yield request["command"], "no answer"
        else:
            answer = answers[seq]
            kept = {key: answer[key] for key in answer.keys() - {"seq", "request_seq", "type"}}
            yield _plain(kept, ids)


def _events(events: list[Message], ids: _Ids) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for event in events:
        body = event.get("body", {})
        name = event["event"]
        if name == "output" and body.get("category") in _PROGRAM_OUTPUT:
            continue
        if name == "thread" and body["reason"] == "exited" and body["threadId"] == MAIN_THREAD:
            continue  # since Python 3.12 debugpy says so only sometimes before the process is gone
        if name == "debugpySockets":
            # The adapter, the launcher and the server open and close theirs in no defined order.
            kinds = found.setdefault(name, [])
            kinds += [kind for kind in _socket_kinds(body) if kind not in kinds]
            kinds.sort()
            continue
        if name == "continued" and body.get("allThreadsContinued"):
            body = {key: value for key, value in body.items() if key != "threadId"}
        plain = _plain(body, ids, name)
        thread = f" {plain['threadId']}" if "threadId" in body else ""
        found.setdefault(name + thread, []).append(plain)
    return found


def _socket_kinds(body: Message) -> list[list[Any]]:
    return [[socket["host"], socket["internal"]] for socket in body["sockets"]]


def _plain(value: Any, ids: _Ids, key: str = "") -> Any:
    if isinstance(value, dict):
        # Ids are numbered as they are met, so the order of keys may not matter.
        return {name: _field(value, name, ids, key) for name in sorted(value)}
    if isinstance(value, list):
        return [_plain(item, ids, key) for item in value]
    if isinstance(value, str):
        return re.sub(r"0x[0-9a-f]{6,}|(?<='seq': )\d+", "<number>", value)
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
