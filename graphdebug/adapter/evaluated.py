"""What debugpy evaluates for expressions at recorded places, and what comes of it. Used by ``replay``."""

from __future__ import annotations

from typing import Any

from graphdebug.adapter.walks import Walk

REPLAYS = "__import__('sys').modules['graphdebug.runtime.boot'].runtime.stops.replays"
"""What is evaluated in the stopped thread starts with it."""

NAMES = ("value", "outputs", "inputs", "node", "iteration", "iterations")
"""What an expression sees at each place, whatever the user's line calls it."""


class Evaluated:
    """What was evaluated while threads stand at recorded places."""

    def __init__(self) -> None:
        self.references: set[int] = set()
        """debugpy's numbers of what opens there, which can't be changed."""
        self._asked: dict[str, str] = {}

    def clear(self) -> None:
        """All threads went on."""
        self.references.clear()
        self._asked.clear()

    def expression(self, walk: Walk, index: int, expression: str) -> str:
        """What debugpy evaluates for an expression at a place.

        It ends with a line break, so that where it stands in the names of children can be told.
        """
        where = f"{walk.event.boundary}, {index}, {expression!r}, globals(), locals()"
        asked = f"({REPLAYS}.evaluate({where}))\n"
        self._asked[asked] = expression if expression.isidentifier() else f"({expression})"
        return asked

    def mark(self, body: dict[str, Any]) -> None:
        """Say in a list of variables that they can't be changed, and what they are called there."""
        for item in body.get("variables", []):
            hint = item.setdefault("presentationHint", {})
            hint["attributes"] = [*hint.get("attributes", []), "readOnly"]
            if item.get("variablesReference"):
                self.references.add(item["variablesReference"])
            name = item.get("evaluateName", "")
            asked = name[: name.find("\n") + 1]
            if asked in self._asked:
                item["evaluateName"] = self._asked[asked] + name[len(asked) :]
