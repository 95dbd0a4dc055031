"""What observing costs in TensorFlow, and in it the watch for NaN: an MLP's step in three forms.

``python tests/benchmarks/nan_watch_tensorflow.py [--rounds N] [--output DIRECTORY]`` writes
``nan_watch_tensorflow.md`` and ``.json``. All contenders are processes that stand ready beside each other;
in each round every one runs a block of steps, in turn, whose CPU time, of all threads, is held against that
of the bare program in the same round. Given are medians of the ratios, with the quartiles. The losses are
the same to the bit.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
from multiprocessing.connection import Connection, Listener
from pathlib import Path

from nan_watch import spread

TESTS = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTS))

from support.observer import Observation  # noqa: E402

from graphdebug.protocol.dap import Configuration  # noqa: E402

PROGRAM = TESTS / "benchmarks" / "programs" / "static_mlp.py"
KINDS = ("eager", "function", "session")
STEPS = 60
QUIET = {"TF_CPP_MIN_LOG_LEVEL": "2"}
BARE, AGAIN, OFF = "bare", "control: bare again", "graphdebug, capture steps"
WATCHED, UNWATCHED = "graphdebug, with the watch", "graphdebug, nanWatch off"
FILTERED = "graphdebug, filter graphdebug.nan"
CONFIGURATIONS = {
    OFF: Configuration(capture="steps"),
    UNWATCHED: Configuration(nan_watch=False),
    WATCHED: Configuration(),
    FILTERED: Configuration(),
}
NAMES = (BARE, *CONFIGURATIONS, AGAIN)


class Running:
    """A contender, ready to run steps."""

    def __init__(self, name: str, kind: str, directory: Path) -> None:
        address = str(directory / "socket")
        self._process: subprocess.Popen[bytes] | None = None
        self._thread: threading.Thread | None = None
        filters = ("graphdebug.nan",) if name == FILTERED else ()
        with Listener(address, "AF_UNIX") as listener:
            if name in CONFIGURATIONS:
                observe = lambda: Observation(  # noqa: E731
                    PROGRAM, kind, address, configuration=CONFIGURATIONS[name], filters=filters,
                    env=QUIET, timeout=3600,
                )  # fmt: skip
                self._thread = threading.Thread(target=observe)
                self._thread.start()
            else:
                command = [sys.executable, str(PROGRAM), kind, address]
                self._process = subprocess.Popen(
                    command, env={**os.environ, **QUIET}, stderr=subprocess.DEVNULL
                )
            self._link: Connection = listener.accept()

    def run(self, steps: int) -> tuple[float, float, float]:
        """CPU and wall seconds a step, and the last loss."""
        self._link.send(steps)
        cpu, wall, loss = self._link.recv()
        return cpu, wall, loss

    def close(self) -> None:
        """End it."""
        self._link.send(0)
        self._link.close()
        if self._process is not None:
            assert self._process.wait(60) == 0
        if self._thread is not None:
            self._thread.join()


def measure(kind: str, rounds: int) -> dict[str, list[float]]:
    """CPU seconds a step of each contender in each round, after two that aren't counted."""
    seconds: dict[str, list[float]] = {name: [] for name in NAMES}
    with tempfile.TemporaryDirectory() as directory:
        started = {}
        for number, name in enumerate(NAMES):
            place = Path(directory) / str(number)
            place.mkdir()
            started[name] = Running(name, kind, place)
        for number in range(rounds + 2):
            losses, turn = set(), number % len(NAMES)
            for name in (*NAMES[turn:], *NAMES[:turn]):
                cpu, _, loss = started[name].run(STEPS)
                losses.add(loss.hex())
                if number >= 2:
                    seconds[name].append(cpu)
            assert len(losses) == 1, f"the losses differ: {losses}"
        for running in started.values():
            running.close()
    return seconds


def table(results: dict[str, dict[str, list[float]]]) -> str:
    """All results in Markdown."""
    rows = [f"| CPU, to bare | {' | '.join(results)} |", "|---" * (len(results) + 1) + "|"]
    bare = [f"{statistics.median(each[BARE]) * 1e3:.2f} ms" for each in results.values()]
    rows.append(f"| {BARE} | {' | '.join(bare)} |")
    for name in NAMES[1:]:
        cells = [spread(each[name], each[BARE]) for each in results.values()]
        rows.append(f"| {name} | {' | '.join(cells)} |")
    cells = [spread(each[WATCHED], each[UNWATCHED]) for each in results.values()]
    rows.append(f"| the watch alone: with it / without | {' | '.join(cells)} |")
    return "\n".join(rows) + "\n"


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--output", type=Path, default=TESTS / "benchmarks" / "results")
    arguments = parser.parse_args()
    before = os.getloadavg()[0]
    results = {kind: measure(kind, arguments.rounds) for kind in KINDS}
    load = before, os.getloadavg()[0]
    text = table(results) + (
        f"\n{arguments.rounds} rounds of {STEPS} steps; {os.cpu_count()} cores, load {load[0]:.1f} "
        f"before and {load[1]:.1f} after.\n"
    )
    arguments.output.mkdir(parents=True, exist_ok=True)
    path = arguments.output / "nan_watch_tensorflow"
    path.with_suffix(".json").write_text(json.dumps({"load": load, "cpu": results}) + "\n")
    path.with_suffix(".md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
