"""What breakpoints in static graphs cost: an MLP's training step under the debugger, beside the bare one.

``python tests/benchmarks/static_graphs.py [--rounds N] [--steps N] [--output DIRECTORY]`` runs the
step as a TensorFlow 1 session and as a tf.function, and writes ``static_graphs.md`` and
``static_graphs.json``. All contenders are processes that stand ready beside each other; in each round
every one runs a block of steps, in turn, so that a ratio is one of blocks made within seconds. Ratios
are to the mean of the two bare programs of the round, or to the program under debugpy alone: their
medians, with the quartiles.

CPU time is that of the whole debuggee, all its threads. A step that stops is measured in two ways:
until it is recorded and about to stop, so without the stop; and whole, less what a whole step costs
that stops at every boundary (``graphdebug.boundary``) without a record, which is the stop alone.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, Listener
from pathlib import Path
from typing import Any, NamedTuple

TESTS = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTS))

from support.dap import Breakpoint, Session  # noqa: E402
from support.markers import line  # noqa: E402

PROGRAM = TESTS / "benchmarks" / "programs" / "static_mlp.py"
OTHER = TESTS / "benchmarks" / "programs" / "tensorflow_loop.py"
ENVIRONMENT = {"TF_CPP_MIN_LOG_LEVEL": "2"}
KINDS = {"session": "Session.run", "function": "tf.function"}
NEVER = "value.max() > 1e9"
"""A condition that looks at the values, and is never true."""


class Block(NamedTuple):
    """What one block of steps took, a step."""

    cpu: float
    wall: float


@dataclass(frozen=True)
class Contender:
    """One way to run the program."""

    name: str
    adapter: str = ""
    """Nothing where nobody debugs it."""
    observed: bool = False
    """Whether ``graphdebug run`` runs it, where nobody does."""
    config: Mapping[str, Any] = field(default_factory=dict)
    breakpoints: Mapping[Path, Breakpoint] = field(default_factory=dict)
    """One in each of these files."""
    filters: Sequence[str] = ()
    stops: bool = False
    """Whether each step stops."""
    until_stop: bool = False
    """Whether a step is measured but until then."""


HIDDEN = line(PROGRAM, "hidden")
BARE, AGAIN, FREE = "bare", "bare again", "no breakpoint"
DEBUGPY, OBSERVED = "debugpy alone, no breakpoint", "graphdebug run"
STOPPED, WHOLE, STOP = "stops, until it does", "stops, whole", "stops without a record, whole"
CONTENDERS = (
    Contender(BARE),
    Contender(AGAIN),
    Contender(OBSERVED, observed=True),
    Contender(DEBUGPY, "debugpy"),
    Contender(FREE, "graphdebug"),
    Contender(
        "breakpoint in another graph", "graphdebug",
        breakpoints={PROGRAM: line(PROGRAM, "elsewhere")},
    ),
    Contender("breakpoint in another file", "graphdebug", breakpoints={OTHER: line(OTHER, "stop")}),
    Contender(
        "breakpoint whose condition is never true", "graphdebug",
        breakpoints={PROGRAM: {"line": HIDDEN, "condition": NEVER}},
    ),
    Contender(
        "the same with staticGraphs node", "graphdebug", config={"staticGraphs": "node"},
        breakpoints={PROGRAM: {"line": HIDDEN, "condition": NEVER}},
    ),
    Contender(
        STOPPED, "graphdebug", breakpoints={PROGRAM: HIDDEN}, stops=True, until_stop=True
    ),
    Contender(WHOLE, "graphdebug", breakpoints={PROGRAM: HIDDEN}, stops=True),
    Contender(STOP, "graphdebug", filters=["graphdebug.boundary"], stops=True),
)  # fmt: skip
SHOWN = {STOPPED: "unconditional breakpoint, until the stop"}
LESS = "unconditional breakpoint, whole less a stop"


class Running:
    """A contender, ready to run steps."""

    def __init__(self, contender: Contender, kind: str, directory: Path) -> None:
        self.contender = contender
        self.session: Session | None = None
        self.process: subprocess.Popen[bytes] | None = None
        address = str(directory / "socket")
        arguments = [kind, address, *(["stops"] if contender.until_stop else [])]
        with Listener(address, "AF_UNIX") as listener:
            if contender.adapter:
                self.session = Session(contender.adapter, environment=ENVIRONMENT, timeout=180)
                config = dict(contender.config)
                self.session.launch(program=str(PROGRAM), args=arguments, **config)
            else:
                environment = {**os.environ, **ENVIRONMENT}
                ours = ["-m", "graphdebug", "run"] if contender.observed else []
                command = [sys.executable, *ours, str(PROGRAM), *arguments]
                self.process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
            self.link: Connection = listener.accept()
        if self.session is not None:
            # Not before, so that it doesn't stop where the graph is built.
            for path, breakpoint in contender.breakpoints.items():
                self.session.set_breakpoints(str(path), [breakpoint])
            if contender.filters:
                self.session.request("setExceptionBreakpoints", filters=contender.filters)

    def run(self, steps: int) -> tuple[Block, float]:
        """What a block of steps took, and the loss after it."""
        self.link.send(steps)
        if self.contender.stops:
            assert self.session is not None
            for _ in range(steps):
                self.session.wait_for_stop()
                self.session.cont()
        cpu, wall, loss = self.link.recv()
        if self.session is not None:
            assert not self.session.client.pending_events("stopped"), self.contender.name
        return Block(cpu, wall), loss

    def close(self) -> None:
        """End it."""
        self.link.send(0)
        self.link.close()
        if self.process is not None:
            assert self.process.wait(60) == 0
        if self.session is not None:
            assert self.session.wait_for_exit() == 0
            self.session.close()


@contextlib.contextmanager
def contenders(kind: str) -> Iterator[list[Running]]:
    """All of them, side by side."""
    with contextlib.ExitStack() as stack:
        stack.enter_context(contextlib.redirect_stdout(io.StringIO()))  # sessions print what passed
        started = []
        for contender in CONTENDERS:
            directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            running = Running(contender, kind, directory)
            stack.callback(running.close)
            started.append(running)
        yield started


def measure(kind: str, rounds: int, steps: int) -> dict[str, list[Block]]:
    """The blocks of each contender, after two rounds that aren't counted."""
    results: dict[str, list[Block]] = {contender.name: [] for contender in CONTENDERS}
    with contenders(kind) as started:
        for number in range(rounds + 2):
            losses = set()
            # Whoever is first after a pause would always be the same.
            turn = number % len(started)
            for running in (*started[turn:], *started[:turn]):
                block, loss = running.run(steps)
                losses.add(loss.hex())
                if number >= 2:
                    results[running.contender.name].append(block)
            assert len(losses) == 1, f"the losses differ: {losses}"
    return results


def between(one: Sequence[Block], other: Sequence[Block]) -> list[Block]:
    """The ratios of blocks of the same rounds."""
    return [Block(a.cpu / b.cpu, a.wall / b.wall) for a, b in zip(one, other, strict=True)]


def whole_less_stop(results: Mapping[str, list[Block]]) -> list[Block]:
    """Steps that stop, each less what the stop alone takes."""
    return [
        Block(a.cpu - b.cpu + c.cpu, a.wall - b.wall + c.wall)
        for a, b, c in zip(results[WHOLE], results[STOP], results[FREE], strict=True)
    ]


def mean(one: Sequence[Block], other: Sequence[Block]) -> list[Block]:
    """The means of blocks of the same rounds."""
    return [
        Block((a.cpu + b.cpu) / 2, (a.wall + b.wall) / 2) for a, b in zip(one, other, strict=True)
    ]


def spread(values: Iterable[float]) -> str:
    """Median and quartiles."""
    low, middle, high = statistics.quantiles(values, n=4)
    return f"{middle:.2f} ({low:.2f} to {high:.2f})"


def table(kind: str, results: Mapping[str, list[Block]]) -> str:
    """The results of one kind in Markdown."""
    bare = mean(results[BARE], results[AGAIN])
    shown = {SHOWN.get(name, name): blocks for name, blocks in results.items()}
    for name in (BARE, AGAIN, WHOLE, STOP):
        del shown[name]
    shown[LESS] = whole_less_stop(results)
    rows = [
        f"| {KINDS[kind]} | CPU ms a step | CPU, to bare | wall, to bare | CPU, to debugpy |",
        "|---|---|---|---|---|",
        f"| {BARE} | {milliseconds(bare)} | 1 | 1 | |",
    ]
    control = between(results[AGAIN], results[BARE])
    rows.append(f"| control: bare / bare | | {ratios(control)} | |")
    for name, blocks in shown.items():
        under = spread(block.cpu for block in between(blocks, results[DEBUGPY]))
        rows.append(
            f"| {name} | {milliseconds(blocks)} | {ratios(between(blocks, bare))} "
            f"| {under if name not in (DEBUGPY, OBSERVED) else ''} |"
        )
    return "\n".join(rows) + "\n"


def milliseconds(blocks: Sequence[Block]) -> str:
    """The median of the CPU time."""
    return f"{statistics.median(block.cpu for block in blocks) * 1e3:.2f}"


def ratios(blocks: Sequence[Block]) -> str:
    """The cells of CPU and wall."""
    return f"{spread(block.cpu for block in blocks)} | {spread(block.wall for block in blocks)}"


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=33)
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--output", type=Path, default=TESTS / "benchmarks" / "results")
    arguments = parser.parse_args()
    told, tables = {}, []
    for kind in KINDS:
        before = os.getloadavg()[0]
        results = measure(kind, arguments.rounds, arguments.steps)
        load = before, os.getloadavg()[0]
        told[kind] = {"load": load, "seconds": results}
        tables.append(table(kind, results))
        tables.append(
            f"{arguments.rounds} rounds of {arguments.steps} steps; {os.cpu_count()} cores, load "
            f"{load[0]:.1f} before and {load[1]:.1f} after.\n"
        )
    arguments.output.mkdir(parents=True, exist_ok=True)
    (arguments.output / "static_graphs.json").write_text(json.dumps(told) + "\n")
    text = "\n".join(tables)
    (arguments.output / "static_graphs.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
