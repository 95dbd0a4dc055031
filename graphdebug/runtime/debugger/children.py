"""The processes that a debugged program starts: which of them debugpy goes into.

pydevd would go into each Python process, which then waits for a client before its first line. Whoever
waits for such a process (torch's inductor for its compilers, a DataLoader for its workers) would hang
where none comes. Called by ``mends`` when pydevd has been imported.
"""

from __future__ import annotations

import functools
import json
import os
import sys
from types import FrameType
from typing import Any, Literal

from graphdebug.protocol import launchers
from graphdebug.protocol.runtime import ENVIRONMENT_VARIABLE
from graphdebug.runtime import debugger

Kind = Literal["helper", "worker", "rank", "program"]

MARK = "graphdebug-rank"
"""The interpreter option (-X) of a process that was started to be a rank."""

ANSWER_SECONDS = 2.0

_POLICY = {"helper": None, "worker": "workers", "rank": "ranks", "program": "programs"}
_DEFAULT = {"ranks": "join", "workers": "observe", "programs": "session"}

_forked_kind: Kind = "program"


def choose() -> None:
    """Let pydevd go only into those children that ``children`` of the configuration wants debugged."""
    try:
        from _pydev_bundle import pydev_monkey

        asked, patch = pydev_monkey._get_apply_arg_patching, pydev_monkey.patch_args
        if asked.__code__.co_argcount or patch.__code__.co_varnames[:2] != ("args", "is_exec"):
            raise TypeError("_get_apply_arg_patching or patch_args takes other arguments")
    except Exception as error:
        return debugger.unfit("each process that the program starts waits for a debugger", error)
    policies = _policies()

    @functools.wraps(asked)
    def _get_apply_arg_patching() -> Any:
        global _forked_kind
        _forked_kind = kind(sys._getframe(1))
        policy = _POLICY[_forked_kind]
        return policy is not None and policies[policy] != "observe" and asked()

    @functools.wraps(patch)
    def patch_args(args: Any, is_exec: bool = False) -> Any:
        patched = patch(args, is_exec)
        if patched is args or kind(sys._getframe(1)) != "rank":
            return patched
        return [patched[0], "-X", MARK, *patched[1:]]

    pydev_monkey._get_apply_arg_patching = _get_apply_arg_patching
    pydev_monkey.patch_args = patch_args
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_forked)
    return None


def kind(frame: FrameType | None) -> Kind:
    """What a child process is for, by who starts it, from ``frame`` outwards.

    Helpers run none of the program: compilers, and what keeps count of shared memory.
    """
    while frame is not None:
        module, function = str(frame.f_globals.get("__name__")), frame.f_code.co_name
        if module.startswith("torch._inductor.") or module == "multiprocessing.resource_tracker":
            return "helper"
        if module == "torch.utils.data.dataloader" and function == "__init__":
            return "worker"
        if module == "torch.multiprocessing.spawn" and function == "start_processes":
            return "rank"
        frame = frame.f_back
    return "program"


def _policies() -> dict[str, str]:
    try:
        invitation = json.loads(os.environ[ENVIRONMENT_VARIABLE])
        return {**_DEFAULT, **invitation["configuration"].get("children", {})}
    except (KeyError, ValueError, TypeError):
        return _DEFAULT


def _forked() -> None:
    policy = _POLICY[_forked_kind]
    if policy is not None and _policies()[policy] != "observe":
        announce(_forked_kind == "rank")


def announce(rank: bool | None = None) -> None:
    """Say that this process may be a rank, before debugpy's adapter hears of it.

    ``rank``: whether it was started to be one; without it the interpreter's options tell.
    """
    told = (*launchers.RANK, *launchers.LOCAL_RANK)
    variables = {name: os.environ[name] for name in told if name in os.environ}
    marked = MARK in sys._xoptions if rank is None else rank
    text = os.environ.get(ENVIRONMENT_VARIABLE)
    if text and (marked or variables):
        try:
            _send(json.loads(text), variables, marked)
        except Exception as error:
            debugger.problems.append(f"this process can't tell its rank: {error!r}")


def _send(invitation: dict[str, Any], variables: dict[str, str], marked: bool) -> None:
    from graphdebug.transport.endpoint import connect
    from graphdebug.transport.framing import encode

    body = {
        "token": invitation["token"], "pid": os.getpid(), "variables": variables, "rank": marked
    }  # fmt: skip
    with connect(invitation["endpoint"], ANSWER_SECONDS) as link:
        link.settimeout(ANSWER_SECONDS)
        link.sendall(encode({"type": "event", "event": "child", "body": body}))
        while link.recv(4096):
            pass  # closed once it is known
