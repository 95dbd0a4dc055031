"""What being attachable costs, and being attached to, on the workloads W1 to W4.

``python tests/benchmarks/attach.py [--starts N] [--rounds N] [--workload W4] [--output DIRECTORY]``
writes ``attach.md`` and ``attach.json``. All contenders are processes that stand ready beside each other;
in each round every one runs a block of steps, in an order of that round's own. Its CPU time, of all
threads of the program, is held against the mean of the two bare programs in the same round. A process
keeps the place in memory that it happens to get, which makes as much of a difference as what is measured
here, and so does whether it was among the first to start: all are started several times, each time in
another order. Given are the median over the starts of the medians of their rounds, with the least and the
most. The losses are the same to the bit.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection, Listener
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTS))

import turns  # noqa: E402
from support.jobs import Job, debugging  # noqa: E402

from graphdebug.commands.finding import target  # noqa: E402

PROGRAM = TESTS / "benchmarks" / "programs" / "torch_workloads.py"
STEPS = {"W1": 100, "W2": 3, "W3": 4, "W4": 40}
"""In a block."""
BARE, AGAIN = "bare", "control: bare again"
UNATTACHED, LEFT = "attachable, nobody there", "attached to and left"
WATCHED, IDLE = "graphdebug attach looks on", "an editor is attached, capture off, and idle"
STEPPED = "an editor is attached, capture steps, and idle"
Blocks = dict[str, list[float]]
"""CPU seconds a step of each contender, in each round."""
NAMES = (BARE, UNATTACHED, LEFT, WATCHED, IDLE, STEPPED, AGAIN)


class Running:
    """A contender, ready to run steps."""

    def __init__(self, name: str, workload: str, directory: Path) -> None:
        address = str(directory / "socket")
        self._clients = contextlib.ExitStack()
        self._process: subprocess.Popen[bytes] | None = None
        self._job: Job | None = None
        with Listener(address, "AF_UNIX") as listener:
            if name in (BARE, AGAIN):
                command = [sys.executable, str(PROGRAM), workload, address]
                self._process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
            else:
                self._job = Job("--listen", str(PROGRAM), workload, address)
            self._link: Connection = listener.accept()
        if self._job is not None:
            self._attach(name, self._job)

    def _attach(self, name: str, job: Job) -> None:
        if name == WATCHED:
            client = target(job.session).observe("steps")
            self._clients.callback(client.close)
        elif name in (IDLE, STEPPED):
            capture = "off" if name == IDLE else "steps"
            self._clients.enter_context(debugging(job.session, capture=capture))
        elif name == LEFT:
            with debugging(job.session) as client:
                client.request("disconnect", terminateDebuggee=False)

    def run(self, steps: int) -> tuple[float, float]:
        """CPU seconds a step, and the last loss."""
        self._link.send(steps)
        cpu, _, loss = self._link.recv()
        return cpu, loss

    def close(self) -> None:
        """End it."""
        self._clients.close()
        self._link.send(0)
        self._link.close()
        if self._process is not None:
            assert self._process.wait(60) == 0
        if self._job is not None:
            assert self._job.process.wait(60) == 0
            self._job.end()


def measure(workload: str, rounds: int, turn: int) -> Blocks:
    """One start of all, in an order of its own, after two rounds that aren't counted."""
    seconds: Blocks = {name: [] for name in NAMES}
    with tempfile.TemporaryDirectory() as directory:

        def start(name: str) -> Running:
            place = Path(directory) / str(NAMES.index(name))
            place.mkdir()
            return Running(name, workload, place)

        with ThreadPoolExecutor(os.cpu_count()) as pool:
            order = turns.in_turn(NAMES, turn)
            started = dict(zip(order, pool.map(start, order), strict=True))
        for number in range(rounds + 2):
            losses = set()
            for name in turns.in_turn(NAMES, number):
                cpu, loss = started[name].run(STEPS[workload])
                losses.add(loss.hex())
                if number >= 2:
                    seconds[name].append(cpu)
            assert len(losses) == 1, f"the losses differ: {losses}"
        for running in started.values():
            running.close()
    return seconds


def ratio(name: str, seconds: Blocks) -> float:
    """To the mean of the bare ones in the same round; of the control to the other bare one."""
    bare = seconds[BARE]
    if name != AGAIN:
        bare = [(one + other) / 2 for one, other in zip(bare, seconds[AGAIN], strict=True)]
    return statistics.median(a / b for a, b in zip(seconds[name], bare, strict=True))


def spread(name: str, starts: list[Blocks]) -> str:
    """Median over the starts, the least and the most."""
    found = [ratio(name, seconds) for seconds in starts]
    return f"{statistics.median(found):.3f} ({min(found):.3f} to {max(found):.3f})"


def table(results: dict[str, list[Blocks]]) -> str:
    """All results in Markdown."""
    rows = [f"| CPU, to bare | {' | '.join(results)} |", "|---" * (len(results) + 1) + "|"]
    bare = [[second for start in starts for second in start[BARE]] for starts in results.values()]
    cells = [f"{statistics.median(each) * 1e3:.2f} ms" for each in bare]
    rows.append(f"| {BARE} | {' | '.join(cells)} |")
    for name in NAMES[1:]:
        cells = [spread(name, starts) for starts in results.values()]
        rows.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(rows) + "\n"


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--starts", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--workload", choices=STEPS, action="append", help="instead of all")
    parser.add_argument("--output", type=Path, default=TESTS / "benchmarks" / "results")
    arguments = parser.parse_args()
    before = os.getloadavg()[0]
    results = {}
    for workload in arguments.workload or STEPS:
        starts = range(arguments.starts)
        results[workload] = [measure(workload, arguments.rounds, turn) for turn in starts]
        print(table({workload: results[workload]}), flush=True)
    load = before, os.getloadavg()[0]
    text = table(results) + (
        f"\n{arguments.starts} starts, {arguments.rounds} rounds of "
        f"{', '.join(str(STEPS[name]) for name in results)} steps each; one thread, "
        f"{os.cpu_count()} cores, load {load[0]:.1f} before and {load[1]:.1f} after.\n"
    )
    arguments.output.mkdir(parents=True, exist_ok=True)
    (arguments.output / "attach.json").write_text(json.dumps({"load": load, "cpu": results}) + "\n")
    (arguments.output / "attach.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
