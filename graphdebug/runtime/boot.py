"""Starts the runtime in a process, when the program imports its first framework."""

from __future__ import annotations

import atexit
import json
import os
import sys
from typing import Any

from graphdebug.protocol import runtime as messages
from graphdebug.protocol.wire import WireError, from_wire, to_wire
from graphdebug.runtime import attachment, debugger
from graphdebug.runtime.replays import Missing
from graphdebug.runtime.runtime import Runtime

FRAMEWORKS = {"torch": ("torch",), "tensorflow": ("tensorflow",), "keras": ("tensorflow",)}
"""Modules, and the backends that observe what was imported with them."""


runtime: Runtime | None = None
"""This process's, once a framework was imported and an observer found."""

_tried = False


def start(invitation: messages.Invitation | None = None) -> None:
    """Start it where somebody invited this process; called by ``bootstrap``, once or more."""
    global runtime, _tried
    if runtime is None and (invitation is not None or not _tried):
        _tried = True
        runtime = invited() if invitation is None else _joined(invitation)
        if runtime is not None and invitation is None:
            runtime.attaching.wait_if_asked()


def framework_imported(module: str) -> None:
    """Called by ``bootstrap`` when the import of a framework is over."""
    start()
    if runtime is None:
        return
    for name in FRAMEWORKS[module]:
        if name in sys.modules:
            runtime.add(name)


def replace(started: Runtime | None) -> Runtime | None:
    """Let this one be the process's, and the one before it go, which is returned; no other comes."""
    global runtime, _tried
    before, runtime, _tried = runtime, started, True
    return before


def invited() -> Runtime | None:
    """For whoever invited this process through its environment."""
    text = os.environ.get(messages.ENVIRONMENT_VARIABLE)
    if not text or _of_a_compiler(sys.orig_argv) or _of_multiprocessing(sys.orig_argv):
        return None
    try:
        return run(from_wire(messages.Invitation, json.loads(text)))
    except (OSError, ValueError, WireError):
        return None  # whoever invited this process is gone


def _joined(invitation: messages.Invitation) -> Runtime | None:
    try:
        return run(invitation)
    except (OSError, ValueError):
        return None  # whoever invited this process is gone


def run(invitation: messages.Invitation) -> Runtime:
    """A runtime for this process. Raises OSError or ValueError where the one who invited is gone."""
    started = Runtime(invitation)
    atexit.register(started.finish)
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_forked)
    return started


def _of_a_compiler(command: list[str]) -> bool:
    """Whether torch's inductor started this process: to compile, to time, or to try what was compiled."""
    worker = any("torch/_inductor/" in part.replace("\\", "/") for part in command)
    return worker or ("-c" in command and "cdll.LoadLibrary(" in command[-1])


def _of_multiprocessing(command: list[str]) -> bool:
    """Whether this process keeps count of what others share, and runs none of the program."""
    return "-c" in command and "multiprocessing.resource_tracker" in command[-1]


def _forked() -> None:
    global runtime
    attachment.forget()
    if runtime is not None:
        runtime.abandon()
        runtime = None


def place() -> str:
    """What the adapter evaluates at a stop: the kind of place this thread stands at."""
    if runtime is not None:
        for backend in runtime.backends.values():
            if (found := backend.place()) != "eager":
                return found
    return "eager"


def past(key: str) -> None:
    """What the adapter evaluates to step back from a stop: what this thread ran last, published."""
    if runtime is None:
        return
    reasons = []
    for backend in runtime.backends.values():
        try:
            found = backend.past()
        except Exception as error:
            found = f"what this thread ran can't be shown: {error!r}"
        if not isinstance(found, str):
            kept = messages.Past(
                runtime.stops.replays.keep_live(found), os.getpid(), tuple(found.steps)
            )
            return runtime.publish(key, to_wire(kept))
        reasons.append(found)
    return runtime.publish(key, error="; ".join(filter(None, reasons)))


def node_stop() -> int | None:
    """What the adapter evaluates where threads stopped at nodes of one line: which stop this is."""
    return None if runtime is None else runtime.node_stops.here()


def explain(key: str) -> None:
    """What the adapter evaluates at a stop for an exception; the text, or None, travels on our link."""
    stopped = debugger.raised()
    if runtime is not None and stopped is not None:
        runtime.publish(key, runtime.explanation(*stopped))


def inspect(key: str, value: Any, mode: str, index: str | None) -> None:
    """What the adapter evaluates for ``graphdebugTensor``; the result travels on our link."""
    if runtime is None:
        return
    try:
        for backend in runtime.backends.values():
            if backend.owns(value):
                runtime.publish(key, backend.inspect(value, mode, index))
                return
        kind = f"not a tensor but a {type(value).__name__}"
        runtime.publish(key, error=value.text if isinstance(value, Missing) else kind)
    except Exception as error:
        runtime.publish(key, error=str(error) or type(error).__name__)
