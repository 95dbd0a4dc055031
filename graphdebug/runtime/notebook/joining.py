"""How a kernel that runs already comes to be observed: ``%load_ext graphdebug``."""

from __future__ import annotations

import json
import os
import re
import sys
from importlib import import_module
from typing import Any

from graphdebug.protocol import runtime as messages
from graphdebug.protocol.doors import JOIN, Door, JoinArguments, JoinResponse
from graphdebug.protocol.wire import WireError, from_wire, to_wire
from graphdebug.runtime import boot
from graphdebug.runtime.debugger import mends
from graphdebug.runtime.runtime import Runtime
from graphdebug.transport.endpoint import connect
from graphdebug.transport.framing import Parser, encode
from graphdebug.transport.registry import doors

ALONE = messages.Invitation("", "", own_breakpoints=True)
"""For a notebook that nobody observes but its own cells."""

ANSWER_SECONDS = 2.0

_ID = re.compile(r"kernel-([\w-]+)\.json")


def load(shell: Any) -> None:
    """Observe the kernel of this shell, for a server of this user's that has it, or for itself."""
    from graphdebug.runtime.notebook import shell as shells

    shells.equip(shell)
    import_module("graphdebug.runtime.bootstrap.sitecustomize")
    if "pydevd" in sys.modules:
        mends.mend()
    if boot.runtime is None or not boot.runtime.observed:
        _begin(_invited(shell))


def observing() -> Runtime:
    """The runtime, also before a framework is imported: that of whoever observes, or our own."""
    if boot.runtime is None:
        boot.replace(boot.invited())
    return boot.runtime or _begin(None)


def _begin(invitation: messages.Invitation | None) -> Runtime:
    """Observe what is imported already, and what will be."""
    try:
        started = boot.run(invitation or ALONE)
    except (OSError, ValueError):
        started = boot.run(ALONE)
    before = boot.replace(started)
    for backend in [] if before is None else before.active():
        backend.remove()
    for name in boot.FRAMEWORKS:
        if name in sys.modules:
            boot.framework_imported(name)
    return started


def _invited(shell: Any) -> messages.Invitation | None:
    """By the environment that the kernel was started with, or by a server that has it."""
    text = os.environ.get(messages.ENVIRONMENT_VARIABLE)
    if text:
        try:
            return from_wire(messages.Invitation, json.loads(text))
        except (ValueError, WireError):
            return None
    kernel = _id(shell)
    for door in doors() if kernel else []:
        try:
            return _ask(door, kernel)
        except (OSError, ValueError, LookupError):
            continue  # it hasn't this kernel, or has ended
    return None


def _id(shell: Any) -> str:
    """Jupyter's id of the kernel; empty where it has none."""
    file = getattr(getattr(shell, "config", None), "IPKernelApp", {}).get("connection_file") or ""
    match = _ID.fullmatch(os.path.basename(str(file)))
    return match[1] if match else ""


def _ask(door: Door, kernel: str) -> messages.Invitation:
    """What a server answers. Raises OSError, ValueError or LookupError."""
    with connect(door.endpoint, ANSWER_SECONDS) as socket:
        socket.settimeout(ANSWER_SECONDS)
        arguments = to_wire(JoinArguments(door.token, kernel))
        socket.sendall(
            encode({"type": "request", "seq": 1, "command": JOIN, "arguments": arguments})
        )
        parser = Parser()
        while data := socket.recv(65536):
            parser.feed(data)
            answer = parser.next()
            if answer is not None:
                if not answer.get("success"):
                    raise LookupError(answer.get("message"))
                return from_wire(JoinResponse, answer.get("body")).invitation
    raise LookupError("no answer")
