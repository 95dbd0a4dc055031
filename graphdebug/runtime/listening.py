"""``graphdebug.listen()``: a program that runs already is made attachable, by itself."""

from __future__ import annotations

import importlib.util
import json
import os
import shlex
import subprocess
import sys
import time

from graphdebug.protocol import runtime as messages
from graphdebug.protocol.hub import HubArguments, HubResponse
from graphdebug.protocol.wire import WireError, from_wire, to_wire
from graphdebug.runtime import boot

BOOTSTRAP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "bootstrap")
PACKAGE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

FRAMEWORKS = ("torch", "tensorflow", "keras")


class ListenError(RuntimeError):
    """The program can't be made attachable; says why. It runs on as before."""


def listen(address: str | None) -> str:
    """See ``graphdebug.listen``."""
    if boot.runtime is None:
        invitation = _invited()
        if invitation is None or not invitation.attachable:
            response = start_hub(
                HubArguments(
                    address or "",
                    os.getpid(),
                    shlex.join(sys.argv) or "python",
                    os.getcwd(),
                    time.time(),
                )
            )
            join(response.invitation)
            return response.endpoint
        join(invitation)
    if boot.runtime is None:
        raise ListenError("the hub of this program has gone")
    return boot.runtime.endpoint


def wait_for_client() -> None:
    """See ``graphdebug.wait_for_client``."""
    if boot.runtime is None:
        raise ListenError("graphdebug.listen() comes first")
    boot.runtime.attaching.wait_for_client()


def join(invitation: messages.Invitation) -> None:
    """Report to a hub from now on, and have the processes that are started do so.

    Called by the program, or by what was brought into it from outside.
    """
    os.environ[messages.ENVIRONMENT_VARIABLE] = json.dumps(
        to_wire(invitation), separators=(",", ":")
    )
    path = os.environ.get("PYTHONPATH")
    if BOOTSTRAP not in (path or "").split(os.pathsep):
        os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (BOOTSTRAP, path)))
        _hook_imports()
    boot.start(invitation)
    for name in FRAMEWORKS:
        if name in sys.modules:
            boot.framework_imported(name)


def _invited() -> messages.Invitation | None:
    text = os.environ.get(messages.ENVIRONMENT_VARIABLE)
    try:
        return from_wire(messages.Invitation, json.loads(text)) if text else None
    except (ValueError, WireError):
        return None


def _hook_imports() -> None:
    """See the frameworks that are imported from now on, as ``sitecustomize`` does for a new process."""
    file = os.path.join(BOOTSTRAP, "sitecustomize.py")
    spec = importlib.util.spec_from_file_location("graphdebug.runtime.bootstrap.late", file)
    assert spec is not None and spec.loader is not None
    spec.loader.exec_module(importlib.util.module_from_spec(spec))


def join_file(path: str) -> None:
    """The same, with an invitation that lies in a file of this user's own."""
    with open(path, encoding="utf-8") as file:
        join(from_wire(messages.Invitation, json.load(file)))


def start_hub(arguments: HubArguments) -> HubResponse:
    """Start one: a process that is nobody's child, so that no ``wait`` of the program's sees it.

    Raises ListenError.
    """
    environment = {k: v for k, v in os.environ.items() if k != messages.ENVIRONMENT_VARIABLE}
    environment["PYTHONPATH"] = os.pathsep.join(
        filter(None, (PACKAGE, environment.get("PYTHONPATH")))
    )
    try:
        done = subprocess.run(
            [sys.executable, "-m", "graphdebug", "hub"],
            input=json.dumps(to_wire(arguments)),
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
            start_new_session=True,
            check=False,
        )
        answer = json.loads(done.stdout or "{}")
        if "error" in answer:
            raise ListenError(answer["error"])
        return from_wire(HubResponse, answer)
    except (OSError, ValueError, WireError) as error:
        raise ListenError(f"the hub of this program didn't start: {error}") from None
