"""A process that was not prepared is made attachable: code is brought in from outside.

By Python itself where it can (``sys.remote_exec``, Python 3.14), else by gdb or lldb, as debugpy does.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from graphdebug.commands import finding
from graphdebug.commands.errors import CommandError
from graphdebug.commands.finding import Target
from graphdebug.protocol.hub import HubArguments, HubResponse
from graphdebug.protocol.wire import to_wire
from graphdebug.runtime.listening import PACKAGE, ListenError, start_hub
from graphdebug.transport.processes import lives
from graphdebug.transport.registry import private_directory

SECONDS = 60.0
"""How long gdb may take: it reads the symbols of all libraries."""

JOIN_SECONDS = 20.0
"""How long the process may take then to come to its hub; it may hold the interpreter for a while."""

SCRIPT = """
import _thread
def join(package, path):
    import sys
    try:
        if "graphdebug" not in sys.modules:
            import importlib.util
            spec = importlib.util.spec_from_file_location(
                "graphdebug", package + "/graphdebug/__init__.py",
                submodule_search_locations=[package + "/graphdebug"])
            sys.modules["graphdebug"] = module = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
        from graphdebug.runtime.listening import join_file
        join_file(path)
    except BaseException as error:
        with open(path, "w") as file:
            file.write("error: " + repr(error))
_thread.start_new_thread(join, ({package!r}, {path!r}))
"""
"""Runs while the process is held, and so only starts a thread."""


def injected(pid: int) -> Target:
    """The hub of a process that had none. Raises CommandError: why it can't be, and what helps."""
    _check(pid)
    hub = _hub(pid)
    file = Path(private_directory()) / f"{os.getpid()}-0.join"
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with open(descriptor, "w", encoding="utf-8") as output:
            json.dump(to_wire(hub.invitation), output)
        _bring_in(
            pid, SCRIPT.replace("{package!r}", repr(PACKAGE)).replace("{path!r}", repr(str(file)))
        )
        return _joined(pid, file)
    except BaseException:
        with contextlib.suppress(ProcessLookupError):
            os.kill(hub.pid, signal.SIGTERM)
        raise
    finally:
        with contextlib.suppress(FileNotFoundError):
            file.unlink()


def _check(pid: int) -> None:
    if not lives(pid):
        raise CommandError(f"there is no process {pid}", "`graphdebug ps` lists what is attachable")
    try:
        owner = os.stat(f"/proc/{pid}").st_uid
        maps = Path(f"/proc/{pid}/maps").read_text(errors="replace")
    except FileNotFoundError:
        return  # a system without /proc
    except PermissionError:
        raise CommandError(
            f"process {pid} belongs to another user", "attach as that user"
        ) from None
    if owner != os.geteuid() and os.geteuid() != 0:
        raise CommandError(f"process {pid} belongs to another user", "attach as that user")
    if "python" not in maps:
        raise CommandError(f"process {pid} isn't a Python program", "give the process id of one")


def _hub(pid: int) -> HubResponse:
    program = f"process {pid}"
    with contextlib.suppress(OSError):
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[1:-1]
        program = shlex.join(word.decode(errors="replace") for word in words) or program
    try:
        return start_hub(HubArguments("", pid, program, os.getcwd(), _started(pid)))
    except ListenError as error:
        raise CommandError(str(error), "see that the runtime directory is yours alone") from None


def _started(pid: int) -> float:
    try:
        return os.stat(f"/proc/{pid}").st_mtime
    except OSError:
        return time.time()


def _bring_in(pid: int, script: str) -> None:
    remote_exec = getattr(sys, "remote_exec", None)
    if remote_exec is not None:
        path = Path(private_directory()) / f"{os.getpid()}-0.code"
        path.write_text(script)
        try:
            remote_exec(pid, str(path))
            return
        except (OSError, RuntimeError):
            pass  # another Python: a debugger can
    if shutil.which("gdb") is None and shutil.which("lldb") is None:
        raise CommandError(
            f"process {pid} wasn't started to be attached to, and there is neither gdb nor lldb",
            "install gdb, or start it with `graphdebug run --listen`",
        )
    code = f"exec(bytes({list(script.encode())}))".replace(" ", "")
    environment = dict(os.environ)
    if shutil.which("gdb") is None:
        environment["PYDEVD_ATTACH_PREFER_LLDB"] = "1"
    try:
        done = subprocess.run(
            [sys.executable, _injector(), str(pid), code],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, env=environment, timeout=SECONDS, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise CommandError(
            f"gdb didn't come into process {pid} within {SECONDS:g} s",
            "PYDEVD_GDB_SCAN_SHARED_LIBRARIES=libdl,libc has it read fewer libraries",
        ) from None
    if refusal := _refusal(done.stdout):
        raise CommandError(f"process {pid} can't be attached to: {refusal}", _remedy(pid))


def _injector() -> str:
    spec = importlib.util.find_spec("debugpy")
    assert spec is not None and spec.origin is not None
    vendored = Path(spec.origin).parent / "_vendored" / "pydevd" / "pydevd_attach_to_process"
    return str(vendored / "add_code_to_python_process.py")


_REFUSALS = (
    "Operation not permitted", "ptrace", "Could not attach", "No symbol", "not allowed",
    "RuntimeError", "error:",
)  # fmt: skip


def _refusal(output: str) -> str:
    """The line in which the debugger says that it can't."""
    for text in output.splitlines():
        if any(word in text for word in _REFUSALS) and "PYDEVD_GDB" not in text:
            return text.strip()[:200]
    return ""


def _remedy(pid: int) -> str:
    if tracer := _tracer(pid):
        return f"process {tracer} debugs or traces it already: end that first"
    scope = ""
    with contextlib.suppress(OSError):
        scope = Path("/proc/sys/kernel/yama/ptrace_scope").read_text().strip()
    if scope not in ("", "0"):
        return (
            f"kernel.yama.ptrace_scope is {scope}: only root may (sudo), until it is 0; or start the "
            "program with `graphdebug run --listen`"
        )
    if os.path.exists("/.dockerenv") or os.path.exists("/run/.containerenv"):
        return (
            "a container needs the capability SYS_PTRACE (--cap-add=SYS_PTRACE), or root outside it"
        )
    return "attach as the process's user or as root"


def _tracer(pid: int) -> str:
    """The process that traces this one, where one does."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            name, _, value = line.partition(":")
            if name == "TracerPid" and value.strip() != "0":
                return value.strip()
    return ""


def _joined(pid: int, file: Path) -> Target:
    end = time.monotonic() + JOIN_SECONDS
    while time.monotonic() < end and lives(pid):
        found = finding.of_process(pid, joined=True)
        if found is not None:
            return found
        text = file.read_text() if file.exists() else ""
        if text.startswith("error: "):
            raise CommandError(
                f"process {pid} runs no graphdebug: {text[7:]}", "Python 3.10 is needed"
            )
        time.sleep(0.1)
    raise CommandError(
        f"process {pid} hasn't come within {JOIN_SECONDS:g} s",
        "a long call into C may hold the interpreter: try again",
    )
