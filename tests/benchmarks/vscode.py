"""VS Code while a program makes a thousand steps a second, with Steps and Nodes open.

``python tests/benchmarks/vscode.py [--seconds N] [--output DIRECTORY]`` installs the extension in an
empty profile of code-server, opens it in Chromium and runs the program there. Long tasks are those of
the page's main thread, webviews included, as the browser counts them: wall time, which other work on
the machine makes longer. Memory is what the extension host has resident. Writes ``vscode.md`` and
``vscode.json``.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTS))

from support.code_server import CodeServer, install, package  # noqa: E402
from support.streaming import Streamed, stream  # noqa: E402


def measure(seconds: float) -> Streamed:
    """In a profile of its own."""
    install()
    vsix = package()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        server = CodeServer(Path(name, "profile"), {"XDG_RUNTIME_DIR": name})
        server.install(vsix)
        server.start("--vscode-option", "enable-smoke-test-driver")
        try:
            return stream(server, Path(name, "folder"), seconds)
        finally:
            server.stop()


def report(seen: Streamed, seconds: float) -> str:
    """As a table."""
    load = os.getloadavg()[0]
    rows = {
        "seconds": f"{seconds:g}",
        "steps that the view counted, a second": f"{seen.steps / seconds:.0f}",
        "longest task of the page's main thread": f"{seen.longest_block:.0f} ms",
        "tasks over 50 ms": str(seen.blocks),
        "extension host, least of the first third": f"{min(_third(seen, 0)):.0f} MiB",
        "extension host, least of the last third": f"{min(_third(seen, 2)):.0f} MiB",
        "extension host, most": f"{max(seen.memory):.0f} MiB",
        "load of the machine (two cores)": f"{load:.1f}",
    }
    return "\n".join(["| | |", "|---|---|", *(f"| {k} | {v} |" for k, v in rows.items()), ""])


def _third(seen: Streamed, which: int) -> tuple[float, ...]:
    size = len(seen.memory) // 3
    return seen.memory[:size] if which == 0 else seen.memory[-size:]


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results")
    arguments = parser.parse_args()
    seen = measure(arguments.seconds)
    text = report(seen, arguments.seconds)
    print(text)
    arguments.output.mkdir(exist_ok=True)
    (arguments.output / "vscode.md").write_text(text)
    found = {"seconds": arguments.seconds, **asdict(seen)}
    (arguments.output / "vscode.json").write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
