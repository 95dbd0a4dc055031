"""Runs programs and prints what really happened on their lines, as JSON by program.

``ran``: lines that Python itself ran, as a debugger's line events see them; ``built``: lines that
nodes of a TensorFlow graph say they were built on. A script, started by ``test_ground_truth``.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from types import FrameType
from typing import Any

TRACERS = ("polymorphic_function", "structured_function", "iterator_ops", "control_flow_ops/pfor")

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"


def main() -> None:
    programs = {path: Path(path).read_text(encoding="utf-8") for path in sys.argv[1:]}
    tensorflow = any("import tensorflow" in text for text in programs.values())
    operations = _record_operations() if tensorflow else []
    found = {}
    for path, text in programs.items():
        operations.clear()
        ran = _run(path, text)
        built = {line for operation in operations for line in _line(operation, path)}
        found[path] = {"ran": sorted(ran), "built": sorted(built)}
    print("\n" + json.dumps(found))


def _record_operations() -> list[Any]:
    """A list that every operation of every graph is added to from now on."""
    from tensorflow.python.framework import ops

    made: list[Any] = []
    original = ops.Graph._create_op_internal

    def create(self: Any, *args: Any, **kwargs: Any) -> Any:
        made.append(original(self, *args, **kwargs))
        return made[-1]

    ops.Graph._create_op_internal = create
    return made


def _line(operation: Any, path: str) -> list[int]:
    """The innermost line of the program that built ``operation``.

    None where tracing built it by itself, such as a placeholder for an argument.
    """
    frames = list(operation.traceback)
    own = [index for index, frame in enumerate(frames) if frame.filename == path][-1:]
    inside = [frame.filename for index in own for frame in frames[index + 1 :]]
    if any(tracer in name for tracer in TRACERS for name in inside):
        return []
    return [frames[index].lineno for index in own]


def _run(path: str, text: str) -> set[int]:
    """Runs a program; the lines that Python ran of it."""
    lines: set[int] = set()

    def local(frame: FrameType, event: str, argument: Any) -> Any:
        if event == "line":
            lines.add(frame.f_lineno)
        return local

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        return local if frame.f_code.co_filename == path else None

    code = compile(text, path, "exec")
    sys.settrace(trace)
    try:
        exec(code, {"__name__": "__main__", "__file__": path})
    finally:
        sys.settrace(None)
    return lines


if __name__ == "__main__":
    main()
