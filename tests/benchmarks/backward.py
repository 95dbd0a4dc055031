"""What breakpoints in backward cost while they aren't hit: training steps, beside the bare ones.

``python tests/benchmarks/backward.py [--rounds N] [--output DIRECTORY] [KIND ...]`` runs
an MLP's, a transformer's and a CNN's step (``programs/backward_steps.py``), and writes ``backward.md``
and ``backward.json``. As in ``static_graphs.py``, all contenders stand ready beside each other and run a
block each in turn, in each round; ratios are of the CPU time of blocks of one round: their medians, with
the quartiles. A contender that is to be compared is a line of ``CONTENDERS``.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, Listener
from pathlib import Path
from typing import Any

import turns
from static_graphs import TESTS, Block, between, mean, milliseconds, spread
from support.dap import Breakpoint, Session
from support.markers import line

PROGRAM = TESTS / "benchmarks" / "programs" / "backward_steps.py"
KINDS = {"mlp": "W1, MLP", "transformer": "W2, transformer", "cnn": "W3, CNN"}
STEPS = {"mlp": 40, "transformer": 3, "cnn": 3}
"""Steps of a block."""

NEVER = "phase == 'backward' and len(grad_outputs) > 9"
"""A condition that is looked at each time, and is never true."""


@dataclass(frozen=True)
class Contender:
    """One way to run the program."""

    name: str
    adapter: str = ""
    """Nothing where nobody debugs it."""
    observed: bool = False
    """Whether ``graphdebug run`` runs it, where nobody does."""
    options: Sequence[str] = ()
    """Of the program."""
    config: Mapping[str, Any] = field(default_factory=dict)
    mark: str = ""
    """The line with a breakpoint; ``reached`` or ``unreached``."""
    condition: str = ""
    """Of the breakpoint."""
    functions: Sequence[str] = ()
    """Function breakpoints."""

    def breakpoint(self, kind: str) -> Breakpoint:
        """Its breakpoint, where there is one."""
        at: Breakpoint = {"line": line(PROGRAM, f"{kind}_{self.mark}")}
        return {**at, **({"condition": self.condition} if self.condition else {})}


BARE, AGAIN = "bare", "bare again"
CONTENDERS = (
    Contender(BARE),
    Contender(AGAIN),
    Contender("graphdebug run, no debugger", observed=True),
    Contender("debugpy alone, no breakpoint", "debugpy"),
    Contender("debugpy alone, breakpoint that is not reached", "debugpy", mark="unreached"),
    Contender("no breakpoint", "graphdebug"),
    Contender(
        "breakpoint that is not reached, backward false", "graphdebug", mark="unreached",
        config={"backward": False},
    ),
    Contender("breakpoint that is not reached", "graphdebug", mark="unreached"),
    Contender("node breakpoint that no node matches", "graphdebug", functions=["node:NoSuch*"]),
    Contender(
        "debugpy alone, condition that is never true", "debugpy", mark="reached", condition=NEVER
    ),
    Contender("condition that is never true", "graphdebug", mark="reached", condition=NEVER),
    Contender("torch.autograd.detect_anomaly, no debugger", options=["anomaly"]),
)  # fmt: skip


class Running:
    """A contender, ready to run steps."""

    def __init__(self, contender: Contender, kind: str, directory: Path) -> None:
        self.contender = contender
        self.session: Session | None = None
        self.process: subprocess.Popen[bytes] | None = None
        address = str(directory / "socket")
        arguments = [kind, address, *contender.options]
        with Listener(address, "AF_UNIX") as listener:
            if contender.adapter:
                self.session = Session(contender.adapter, timeout=180)
                places = {str(PROGRAM): [contender.breakpoint(kind)]} if contender.mark else {}
                self.session.launch(
                    program=str(PROGRAM),
                    args=arguments,
                    breakpoints=places,
                    functions=contender.functions,
                    **contender.config,
                )
            else:
                ours = ["-m", "graphdebug", "run"] if contender.observed else []
                command = [sys.executable, *ours, str(PROGRAM), *arguments]
                self.process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
            self.link: Connection = listener.accept()

    def run(self, steps: int) -> tuple[Block, float]:
        """What a block of steps took, and the loss after it."""
        self.link.send(steps)
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


def measure(kind: str, rounds: int) -> dict[str, list[Block]]:
    """The blocks of each contender, after two rounds that aren't counted."""
    results: dict[str, list[Block]] = {contender.name: [] for contender in CONTENDERS}
    with contenders(kind) as started:
        for number in range(rounds + 2):
            losses = set()
            for running in turns.in_turn(started, number):
                block, loss = running.run(STEPS[kind])
                losses.add(loss.hex())
                if number >= 2:
                    results[running.contender.name].append(block)
            assert len(losses) == 1, f"the losses differ: {losses}"
    return results


def table(kind: str, results: Mapping[str, list[Block]]) -> str:
    """The results of one kind in Markdown."""
    bare = mean(results[BARE], results[AGAIN])

    def row(name: str, blocks: Sequence[Block]) -> str:
        cells = [spread(item.cpu for item in between(blocks, other)) for other in
                 (bare, results["debugpy alone, no breakpoint"], results["no breakpoint"])]  # fmt: skip
        return f"| {name} | {milliseconds(blocks)} | {' | '.join(cells)} |"

    control = spread(item.cpu for item in between(results[AGAIN], results[BARE]))
    rows = [
        f"| {KINDS[kind]} | CPU ms a step | to bare | to debugpy alone | to no breakpoint |",
        "|---|---|---|---|---|",
        f"| bare | {milliseconds(bare)} | 1 | | |",
        f"| control: bare / bare | | {control} | | |",
        *(row(name, blocks) for name, blocks in results.items() if name not in (BARE, AGAIN)),
    ]
    return "\n".join(rows) + "\n"


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kinds", nargs="*", default=list(KINDS), metavar="KIND")
    parser.add_argument("--rounds", type=int, default=33)
    parser.add_argument("--output", type=Path, default=TESTS / "benchmarks" / "results")
    arguments = parser.parse_args()
    told, tables = {}, []
    for kind in arguments.kinds:
        before = os.getloadavg()[0]
        results = measure(kind, arguments.rounds)
        load = before, os.getloadavg()[0]
        told[kind] = {"load": load, "seconds": results}
        tables.append(table(kind, results))
        tables.append(
            f"{arguments.rounds} rounds of {STEPS[kind]} steps; {os.cpu_count()} cores, load "
            f"{load[0]:.1f} before and {load[1]:.1f} after.\n"
        )
    arguments.output.mkdir(parents=True, exist_ok=True)
    (arguments.output / "backward.json").write_text(json.dumps(told) + "\n")
    text = "\n".join(tables)
    (arguments.output / "backward.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
