"""Checks every message of an adapter: the DAP's JSON schema, ours, and the rules schemas can't say.

What plain debugpy does wrong is listed here, by rule, and allowed to every adapter that passes
debugpy's messages through. Nothing else is.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from jsonschema import Draft4Validator, Draft202012Validator

Message = dict[str, Any]

_OURS = Path(__file__).resolve().parents[2] / "graphdebug" / "protocol" / "schema.json"
_DEBUGPY_EVENTS = {"debugpySockets", "debugpyAttach", "debugpyWaitingForServer"}
_DEBUGPY_REQUESTS = {"debugpySystemInfo", "pydevdSystemInfo", "setDebuggerProperty"}


ITEMS = 50
"""Items of a list that are looked at."""


def _debugpy_errors_have_no_body(message: Message) -> bool:
    return (
        message.get("type") == "response"
        and not message.get("success")
        and "body" not in message
        and bool(message.get("message"))
    )


@functools.cache
def _dap() -> dict[str, Any]:
    # Found, not imported: debugpy may not be imported into the test process.
    spec = find_spec("debugpy")
    assert spec is not None and spec.origin is not None
    pydevd = Path(spec.origin).parent / "_vendored" / "pydevd" / "_pydevd_bundle"
    return _load(pydevd / "_debug_adapter" / "debugProtocol.json")


def _load(path: Path) -> dict[str, Any]:
    schema: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return schema


@functools.cache
def _dap_validator(definition: str) -> Any:
    definitions = _dap()["definitions"]
    if definition not in definitions:
        return None
    return Draft4Validator({"$ref": f"#/definitions/{definition}", "definitions": definitions})


@functools.cache
def _our_validator(definition: str) -> Any:
    if not _OURS.exists():
        return None
    schema = _load(_OURS)
    key = "$defs" if "$defs" in schema else "definitions"
    if definition not in schema[key]:
        return None
    return Draft202012Validator({"$ref": f"#/{key}/{definition}", key: schema[key]})


def _capitalised(name: str) -> str:
    return name[:1].upper() + name[1:]


def _complaints(validator: Any, value: Any) -> Iterator[str]:
    for error in validator.iter_errors(value):
        where = "/".join(map(str, error.absolute_path)) or "(top)"
        yield f"{where}: {error.message}"


def _beginning(body: Any) -> Any:
    """A body without the rest of long lists, whose items are alike, and many."""
    if not isinstance(body, dict):
        return body
    cut = {key: value[:ITEMS] for key, value in body.items() if isinstance(value, list)}
    return {**body, **cut}


class Checker:
    """Follows one connection and collects what the adapter does against the protocol."""

    def __init__(self, strict: bool) -> None:
        """``strict`` asks for more than plain debugpy keeps: ``seq`` in steps of one."""
        self.strict = strict
        self.violations: list[str] = []
        self._requests: dict[int, str] = {}
        self._initialized = False
        self._seqs: set[int] = set()
        self._last = 0

    def sent(self, message: Message) -> None:
        """Note a message of the client."""
        if message.get("type") == "request":
            self._requests[message["seq"]] = message.get("command", "")

    def received(self, message: Message) -> None:
        """Check a message of the adapter."""
        for complaint in (*self._sequence(message), *self._check(message)):
            self.violations.append(f"{complaint}\n    in {json.dumps(message)[:800]}")

    @property
    def unanswered(self) -> dict[int, str]:
        """Requests that have no answer yet: ``seq`` and command."""
        return dict(self._requests)

    def _sequence(self, message: Message) -> Iterator[str]:
        seq = message.get("seq")
        if not isinstance(seq, int):
            return  # the schema says so
        if self.strict and seq != self._last + 1:
            yield f"seq {seq} follows {self._last}"
        elif seq in self._seqs:
            yield f"seq {seq} was used before"
        self._seqs.add(seq)
        self._last = seq

    def _check(self, message: Message) -> Iterator[str]:
        kind = message.get("type")
        if kind == "event":
            yield from self._event(message)
        elif kind == "response":
            yield from self._response(message)
        elif kind == "request":
            yield from self._named(message, _capitalised(message.get("command", "")) + "Request")
        else:
            yield f"type is {kind!r}"

    def _event(self, message: Message) -> Iterator[str]:
        name = message.get("event", "")
        if name.startswith("graphdebug"):
            if not self._initialized:
                yield "a custom event before the answer to initialize, where VS Code drops it"
            yield from _complaints(_dap_validator("Event"), message)
            yield from self._ours(message, _capitalised(name) + "Event")
        elif name in _DEBUGPY_EVENTS:
            yield from _complaints(_dap_validator("Event"), message)
        else:
            yield from self._named(message, _capitalised(name) + "Event")

    def _response(self, message: Message) -> Iterator[str]:
        asked = self._requests.pop(message.get("request_seq", 0), None)
        command = message.get("command", "")
        if asked is None:
            yield "answers no request, or one that was answered before"
        elif asked != command:
            yield f"answers {asked!r} as {command!r}"
        if command == "initialize":
            self._initialized = True
        if not message.get("success"):
            if not message.get("message"):
                yield "an error without a message"
            if not _debugpy_errors_have_no_body(message):
                yield from self._named(message, "ErrorResponse")
        elif command.startswith("graphdebug"):
            yield from _complaints(_dap_validator("Response"), message)
            yield from self._ours(message, _capitalised(command) + "Response")
        elif command in _DEBUGPY_REQUESTS:
            yield from _complaints(_dap_validator("Response"), message)
        else:
            yield from self._named(message, _capitalised(command) + "Response")

    def _named(self, message: Message, definition: str) -> Iterator[str]:
        validator = _dap_validator(definition)
        if validator is None:
            yield f"the DAP has no {definition}"
        else:
            yield from _complaints(validator, message)

    def _ours(self, message: Message, definition: str) -> Iterator[str]:
        validator = _our_validator(definition)
        if validator is not None:
            yield from _complaints(validator, _beginning(message.get("body", {})))
        elif _OURS.exists():
            yield f"{_OURS.name} has no {definition}"
