"""What is known of the program's threads, so that the client's question never waits."""

from __future__ import annotations

from typing import Any


class Threads:
    """debugpy's last answer, kept up to date with its events."""

    def __init__(self) -> None:
        self._names: dict[int, str] = {}

    @property
    def known(self) -> bool:
        """Whether there is an answer."""
        return bool(self._names)

    def answered(self, body: dict[str, Any]) -> None:
        """debugpy answered ``threads``."""
        self._names = {item["id"]: item["name"] for item in body.get("threads", [])}

    def changed(self, body: dict[str, Any]) -> None:
        """debugpy's ``thread`` event."""
        if body.get("reason") == "exited":
            self._names.pop(body["threadId"], None)
        else:
            self._names.setdefault(body["threadId"], f"Thread-{body['threadId']}")

    def body(self) -> dict[str, Any]:
        """The body of an answer."""
        return {"threads": [{"id": id, "name": name} for id, name in self._names.items()]}
