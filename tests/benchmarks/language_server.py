"""The language server on a file of 10,000 lines that runs: how long each answer takes.

``python tests/benchmarks/language_server.py [--lines N] [--rounds N] [--output DIRECTORY]`` opens the
file in a real server while ``graphdebug run`` runs it, and asks for everything an editor asks for,
first with nothing else to do, then right after each of many keystrokes, when the text is being
analysed. Wall time is the client's, its own parsing included, since a person waits; CPU time is that of
the server's loop, which other work on the machine doesn't change (Linux only). Writes
``language_server.md`` and ``language_server.json``.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

TESTS = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTS))

from lsprotocol import types  # noqa: E402
from support.lsp import EVERYWHERE, Editor, editor  # noqa: E402

HEAD = """import torch
weight = torch.ones(3, requires_grad=True)
optimizer = torch.optim.SGD([weight], lr=0.1)
"""
FUNCTION = """
@torch.compile
def unused{n}(x):
    y = x + {n}
    for i in range(3):
        y = y * i
    return y

def used{n}(x):
    x = x * 2
    x = x + 1
    return x
"""
TAIL = """
def train():
    loss = weight
{calls}
    loss.sum().backward()
    optimizer.step()

while True:
    train()
"""
CALLED = 50
"""Functions that each step calls, three lines of tensors each."""


def text_of(lines: int) -> str:
    """A program of that many lines."""
    count = (lines - HEAD.count("\n") - TAIL.count("\n") - CALLED) // FUNCTION.count("\n")
    functions = "".join(FUNCTION.format(n=n) for n in range(count))
    calls = "\n".join(f"    loss = used{n}(loss)" for n in range(min(CALLED, count)))
    return HEAD + functions + TAIL.format(calls=calls)


Times = list[tuple[float, float]]
"""Of each answer: milliseconds that it took, and that the server's loop ran."""


async def measure(lines: int, rounds: int) -> dict[str, dict[str, Times]]:
    """By circumstance and request."""
    with tempfile.TemporaryDirectory() as name:
        path = Path(name, "program.py")
        path.write_text(text_of(lines))
        environment = {"XDG_RUNTIME_DIR": name}
        program = subprocess.Popen(
            [sys.executable, "-m", "graphdebug", "run", str(path)],
            env={**os.environ, **environment},
            stderr=subprocess.DEVNULL,
        )
        try:
            async with editor(Path(name), environment) as one:
                clock = Clock(one)
                uri = one.open(path)
                await one.diagnostics(uri)
                first = clock.read()
                hints = await one.hints_when(uri, lambda hints: len(hints) > CALLED)
                print(f"{len(one.texts[uri].splitlines())} lines, {len(hints)} with hints")
                return {
                    "opened": {"diagnostics": [first]},
                    "idle": await asked(one, uri, rounds, typing=False),
                    "typing": await asked(one, uri, rounds, typing=True),
                }
        finally:
            program.terminate()
            program.wait()


class Clock:
    """Milliseconds since it was made, and those that the server's loop ran meanwhile."""

    def __init__(self, one: Editor) -> None:
        server = one.client._server
        assert server is not None
        self._file = Path(f"/proc/{server.pid}/schedstat")
        self._begin = time.perf_counter(), self._cpu()

    def read(self) -> tuple[float, float]:
        """Both."""
        now = time.perf_counter(), self._cpu()
        return (now[0] - self._begin[0]) * 1e3, (now[1] - self._begin[1]) * 1e3

    def _cpu(self) -> float:
        return int(self._file.read_text().split()[0]) / 1e9 if self._file.exists() else 0.0


async def asked(one: Editor, uri: str, rounds: int, *, typing: bool) -> dict[str, Times]:
    """The times of each request, ``rounds`` times."""
    middle = one.texts[uri].count("\n") // 2
    page = types.Range(types.Position(middle, 0), types.Position(middle + 60, 0))
    document = types.TextDocumentIdentifier(uri)
    requests: dict[str, Callable[[], Awaitable[Any]]] = {
        "hover": lambda: one.hover(uri, middle),
        "inlay hints of a page": lambda: one.hints(uri, page),
        "inlay hints of the file": lambda: one.hints(uri, EVERYWHERE),
        "code lenses": lambda: one.lenses(uri),
        "code actions": lambda: one.actions(uri, middle),
        "inline values": lambda: one.client.text_document_inline_value_async(
            types.InlineValueParams(document, page, types.InlineValueContext(1, page))
        ),
    }
    found: dict[str, Times] = {name: [] for name in requests}
    for number in range(rounds):
        for name, request in requests.items():
            clock = Clock(one)
            if typing:  # an answer right after a keystroke waits for that too
                place = types.Position(middle, 0)
                new = "#\n" if number % 2 else "x = 1\n"
                one.change(
                    uri, types.TextDocumentContentChangePartial(types.Range(place, place), new)
                )
            await request()
            found[name].append(clock.read())
        # Longer than the server waits for quiet every few rounds, so that analyses run meanwhile.
        await asyncio.sleep(0.2 if number % 4 == 0 else 0)
    return found


def report(results: dict[str, dict[str, Times]]) -> str:
    """As a Markdown table."""
    rows = [
        "| | request | median | CPU: median | 99 % | longest |",
        "|---|---|---|---|---|---|",
    ]
    for circumstance, requests in results.items():
        for name, times in requests.items():
            wall, cpu = zip(*times, strict=True)
            high = statistics.quantiles(cpu, n=100)[98] if len(cpu) > 1 else cpu[0]
            numbers = statistics.median(wall), statistics.median(cpu), min(high, max(cpu)), max(cpu)
            cells = " | ".join(f"{number:.1f} ms" for number in numbers)
            rows.append(f"| {circumstance} | {name} | {cells} |")
    return "\n".join(rows) + "\n"


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lines", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results")
    arguments = parser.parse_args()
    results = asyncio.run(measure(arguments.lines, arguments.rounds))
    text = report(results)
    print(text)
    arguments.output.mkdir(parents=True, exist_ok=True)
    (arguments.output / "language_server.md").write_text(text)
    (arguments.output / "language_server.json").write_text(json.dumps(results))


if __name__ == "__main__":
    main()
