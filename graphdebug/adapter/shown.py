"""What the client was shown: which frame, and which expression, a variable of it stands for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Frame:
    """A frame that the client knows."""

    thread: int
    path: str
    line: int
    function: str


class Shown:
    """Remembers answers on their way to the client, until the thread goes on."""

    def __init__(self) -> None:
        self.frames: dict[int, Frame] = {}
        """By their ids, the last one shown last."""
        self._frame_of: dict[int, int] = {}
        self._expressions: dict[tuple[int, str], str] = {}

    def stack(self, thread: int, frames: list[dict[str, Any]]) -> None:
        """The answer to ``stackTrace``."""
        for item in frames:
            path = (item.get("source") or {}).get("path") or ""
            self.frames[item["id"]] = Frame(thread, path, item["line"], item["name"])

    def scopes(self, frame: int, scopes: list[dict[str, Any]]) -> None:
        """The answer to ``scopes``."""
        for item in scopes:
            self._frame_of[item["variablesReference"]] = frame

    def variables(self, reference: int, variables: list[dict[str, Any]]) -> None:
        """The answer to ``variables``."""
        frame = self._frame_of.get(reference)
        if frame is None:
            return
        for item in variables:
            self.value(frame, item)
            if item.get("evaluateName"):
                self._expressions[reference, item["name"]] = item["evaluateName"]

    def value(self, frame: int, item: dict[str, Any]) -> None:
        """The answer to ``evaluate``, or one of those to ``variables``."""
        if item.get("variablesReference"):
            self._frame_of[item["variablesReference"]] = frame

    def variable(self, reference: int, name: str) -> tuple[int, str] | None:
        """The frame and the expression of a child of a reference; None for one never shown."""
        frame, expression = self._frame_of.get(reference), self._expressions.get((reference, name))
        return None if frame is None or expression is None else (frame, expression)

    def left(self, thread: int | None) -> None:
        """A thread goes on, or all do: what they were shown with is gone."""
        gone = {id for id, frame in self.frames.items() if thread in (None, frame.thread)}
        self.frames = {id: frame for id, frame in self.frames.items() if id not in gone}
        references = {ref for ref, frame in self._frame_of.items() if frame not in self.frames}
        for reference in references:
            del self._frame_of[reference]
        self._expressions = {
            key: text for key, text in self._expressions.items() if key[0] not in references
        }
