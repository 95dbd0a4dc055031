"""What ``launch`` and ``attach`` ask for: graphdebug's attributes, and what debugpy gets."""

from __future__ import annotations

import ast
import difflib
import os
import sys
import tokenize
from collections.abc import Mapping
from typing import Any

from graphdebug.protocol.dap import Configuration
from graphdebug.protocol.wire import WireError, camel, from_wire

OWN_RULE = {"module": "graphdebug", "include": False}
"""Keeps debugpy from stepping through graphdebug's own frames."""

OWN = frozenset(camel(name) for name in Configuration.__dataclass_fields__)
"""graphdebug's attributes."""

_OTHERS = """
args autoReload code connect consoleName console consoleTitle cwd debugAdapterHost
debugAdapterPath debugAdapterPython debugLauncherPath debugLauncherPython debugOptions debugpyArgs
django env envFile flask gevent guiEventLoop host jinja justMyCode linuxAttachPreferLldb listen
logToFile module name noDebug onTerminate pathMappings port processId processName program purpose
pyramid python pythonArgs pythonPath qt redirectOutput request restart rules showReturnValue
steppingResumesAllThreads stopOnEntry subProcess subProcessId endpoint connectionFile sudo type
terminalQuoteCharacter variablePresentation internalConsoleOptions postDebugTask preLaunchTask
presentation debugServer breakpointConfiguration clientOS pathFormat linux osx windows serverReadyAction
suppressMultipleSessionWarning workspaceFolder maxExceptionStackFrames isOutputRedirected
debugAdapterExecutable multiProcess waitOnNormalExit waitOnAbnormalExit
"""

KNOWN = OWN | frozenset(_OTHERS.split())
"""Attributes that debugpy, graphdebug and the editors know."""


class BadConfiguration(ValueError):
    """The configuration can't be used; the message names the cause and the remedy."""


def parse(arguments: Mapping[str, Any]) -> Configuration:
    """graphdebug's part. Raises BadConfiguration."""
    if not isinstance(arguments.get("backward", True), bool):
        given = arguments["backward"]
        raise BadConfiguration(f'"backward" is {given!r}, but true or false is expected')
    limit = arguments.get("recordLimit", 0)
    if isinstance(limit, int) and limit < 0:
        raise BadConfiguration(f'"recordLimit" is {limit}, but a number from 0 is expected')
    try:
        return from_wire(Configuration, {key: arguments[key] for key in OWN & arguments.keys()})
    except WireError as error:
        _, _, what = str(error).partition(".")
        raise BadConfiguration(f"the debug configuration can't be used: {what}") from None


def check_types(arguments: Mapping[str, Any]) -> None:
    """Raises BadConfiguration where what we look at ourselves has a type that debugpy refuses."""
    cwd, env = arguments.get("cwd"), arguments.get("env")
    if cwd is not None and not isinstance(cwd, str):
        raise BadConfiguration(f'"cwd" is {cwd!r}, but a path is expected')
    if cwd is not None and not os.path.isdir(cwd):
        raise BadConfiguration(f'"cwd" is {cwd!r}, but there is no such directory')
    if env is not None and not (
        isinstance(env, dict) and all(v is None or isinstance(v, str) for v in env.values())
    ):
        raise BadConfiguration(f'"env" is {env!r}, but an object of strings is expected')


def unknown(arguments: Mapping[str, Any]) -> list[str]:
    """A sentence for each attribute that nobody knows."""
    sentences = []
    for key in arguments:
        if key in KNOWN or key.startswith("_"):
            continue
        close = difflib.get_close_matches(key, KNOWN, n=1)
        hint = f'; did you mean "{close[0]}"?' if close else ""
        sentences.append(f'the debug configuration has an unknown attribute "{key}"{hint}')
    return sentences


def check_program(arguments: Mapping[str, Any]) -> None:
    """Raises BadConfiguration where the program to launch can't be run at all."""
    program = arguments.get("program")
    if not isinstance(program, str):
        return
    path = os.path.join(arguments.get("cwd") or os.getcwd(), program)
    if not os.path.exists(path):
        raise BadConfiguration(
            f'there is no program "{path}"; check "program" and "cwd" in the debug configuration'
        )
    if path.endswith(".py") and _runs_here(arguments):
        _check_syntax(path)


def _runs_here(arguments: Mapping[str, Any]) -> bool:
    """Whether the program runs under this very interpreter, whose syntax is then the program's."""
    python = arguments.get("python") or arguments.get("pythonPath") or sys.executable
    return (python[0] if isinstance(python, list) else python) == sys.executable


def _check_syntax(path: str) -> None:
    try:
        with tokenize.open(path) as file:
            ast.parse(file.read(), path)
    except SyntaxError as error:
        line = f", line {error.lineno}" if error.lineno else ""
        raise BadConfiguration(f'"{path}"{line}: {type(error).__name__}: {error.msg}') from None
    except ValueError as error:
        raise BadConfiguration(f'"{path}" can\'t be run: {error}') from None
    except OSError:
        pass  # the interpreter says it better


_ADDRESSES = frozenset({"connect", "host", "port", "processId", "subProcessId", "endpoint"})


def for_job(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Those of an attach to a job, whose debugpy comes to the adapter, wherever the job runs."""
    passed = {key: value for key, value in arguments.items() if key not in _ADDRESSES}
    return {**passed, "listen": {"host": "127.0.0.1", "port": 0}}


def for_debugpy(arguments: Mapping[str, Any], variables: Mapping[str, str]) -> dict[str, Any]:
    """The arguments without graphdebug's, with its rule and, for a launch, its variables."""
    passed = {key: value for key, value in arguments.items() if key not in OWN}
    passed["rules"] = [OWN_RULE, *(arguments.get("rules") or [])]
    if variables:
        passed["env"] = {**(arguments.get("env") or {}), **variables}
    return passed
