"""The logs of adapters that a test doesn't drive itself, held against the protocol."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from support.schema import Checker

LOG_DIR = "DEBUGPY_LOG_DIR"
"""Where the adapters of all processes that inherit it leave their logs."""


def entries(directory: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each line of our adapters' logs, with the process and the session that it belongs to."""
    for path in sorted(directory.glob("graphdebug.adapter-*.log")):
        for text in path.read_text(encoding="utf-8").splitlines():
            entry = json.loads(text)
            yield f"{path.name}:{entry['session']}", entry


def check(directory: Path, sessions: int) -> None:
    """AssertionError unless so many sessions were logged there and all of them kept the protocol."""
    checkers: dict[str, Checker] = {}
    received: set[str] = set()
    faults: list[str] = []
    for session, entry in entries(directory):
        checker = checkers.setdefault(session, Checker(strict=True))
        if "fault" in entry:
            faults.append(f"{session}: {entry['fault']}")
        elif entry["from"] == "client":
            checker.sent(entry["message"])
        else:
            checker.received(entry["message"])
            received.add(session)
    violations = [text for checker in checkers.values() for text in checker.violations]
    assert not violations and not faults, "\n".join([*violations, *faults])
    assert len(received) == sessions, f"the adapters of {sorted(received)} said something"
