"""What observing PyTorch costs: each capture level and tier beside the bare program, on W1 to W4.

``python tests/benchmarks/torch_cost.py [--rounds N] [--output DIRECTORY] [WORKLOAD ...]`` writes
``torch_cost.md`` and ``torch_cost.json``. All contenders are processes that stand ready beside each other;
in each round every one runs a block of steps, in turn, whose CPU time, of all threads, is held against the
mean of the two bare programs' in the same round. Given are medians of the ratios, with the quartiles.
Observed programs stream all they see to a client that reads it, unless it has gone. The losses are the
same to the bit.
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
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, Listener
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTS))

from support.observer import Observation  # noqa: E402

from graphdebug.protocol.dap import Configuration  # noqa: E402

PROGRAM = TESTS / "benchmarks" / "programs" / "torch_workloads.py"
WORKLOADS = {
    "W1": "W1, MLP",
    "W2": "W2, transformer",
    "W3": "W3, CNN",
    "W4": "W4, tiny transformer",
}
STEPS = {"W1": 100, "W2": 3, "W3": 4, "W4": 40}
"""In a block."""
BARE, AGAIN = "bare", "control: bare again"


@dataclass(frozen=True)
class Contender:
    """One way to run the program."""

    name: str
    configuration: Configuration | None = None
    """None where nobody observes it."""
    tier: str = "python"
    detect: bool = False
    """Whether under ``detect_anomaly``."""
    client: bool = True
    """Whether the client stays."""


NODES, QUIET = Configuration(), Configuration(nan_watch=False)
CONTENDERS = (
    Contender(BARE),
    Contender(AGAIN),
    Contender("`off`", Configuration(capture="off")),
    Contender("`nodes`, the client has gone", NODES, client=False),
    Contender("`steps`", Configuration(capture="steps")),
    Contender("`nodes`, native tier, `nanWatch` off", QUIET, "native"),
    Contender("`nodes`, native tier", NODES, "native"),
    Contender("`nodes`, Python tier, `nanWatch` off", QUIET),
    Contender("`nodes`, Python tier", NODES),
    Contender("`values`", Configuration(capture="values")),
    Contender("torch.autograd.detect_anomaly", detect=True),
)


class Running:
    """A contender, ready to run steps."""

    def __init__(self, contender: Contender, workload: str, directory: Path) -> None:
        address = str(directory / "socket")
        arguments = [workload, address, *(["detect"] if contender.detect else [])]
        self._process: subprocess.Popen[bytes] | None = None
        self._thread: threading.Thread | None = None
        with Listener(address, "AF_UNIX") as listener:
            if contender.configuration is not None:
                self._thread = threading.Thread(
                    target=_observe, args=(contender, arguments), daemon=True
                )
                self._thread.start()
            else:
                command = [sys.executable, str(PROGRAM), *arguments]
                self._process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
            self._link: Connection = listener.accept()

    def run(self, steps: int) -> tuple[float, float]:
        """CPU seconds a step, and the last loss."""
        self._link.send(steps)
        cpu, _, loss = self._link.recv()
        return cpu, loss

    def close(self) -> None:
        """End it."""
        self._link.send(0)
        self._link.close()
        if self._process is not None:
            assert self._process.wait(60) == 0
        if self._thread is not None:
            self._thread.join()


class _Gone(Observation):
    """A client that hangs up after the first step."""

    def _reaction(self, name: str, event: object) -> dict[str, object] | None:
        if name == "step":
            raise ConnectionError
        return super()._reaction(name, event)

    def _listen(self, connection: object) -> None:
        try:
            super()._listen(connection)
        finally:
            self._errors.clear()
            connection.close()  # type: ignore[attr-defined]


def _observe(contender: Contender, arguments: Sequence[str]) -> None:
    kind = Observation if contender.client else _Gone
    kind(
        PROGRAM, *arguments, configuration=contender.configuration, timeout=3600,
        env={"GRAPHDEBUG_TORCH_TIER": contender.tier},
    )  # fmt: skip


def measure(workload: str, rounds: int) -> dict[str, list[float]]:
    """CPU seconds a step of each contender in each round, after two that aren't counted."""
    names = [contender.name for contender in CONTENDERS]
    seconds: dict[str, list[float]] = {name: [] for name in names}
    with tempfile.TemporaryDirectory() as directory:
        started = {}
        for number, contender in enumerate(CONTENDERS):
            place = Path(directory) / str(number)
            place.mkdir()
            started[contender.name] = Running(contender, workload, place)
        for number in range(rounds + 2):
            losses, turn = set(), number % len(names)
            for name in (*names[turn:], *names[:turn]):
                cpu, loss = started[name].run(STEPS[workload])
                losses.add(loss.hex())
                if number >= 2:
                    seconds[name].append(cpu)
            assert len(losses) == 1, f"the losses differ: {losses}"
        for running in started.values():
            running.close()
    return seconds


def spread(one: Sequence[float], other: Sequence[float]) -> str:
    """Median and quartiles of the ratios."""
    ratios = [a / b for a, b in zip(one, other, strict=True)]
    low, middle, high = statistics.quantiles(ratios, n=4)
    return f"{middle:.2f} ({low:.2f} to {high:.2f})"


def table(results: Mapping[str, Mapping[str, Sequence[float]]]) -> str:
    """All results in Markdown."""
    bare = {
        workload: [(a + b) / 2 for a, b in zip(each[BARE], each[AGAIN], strict=True)]
        for workload, each in results.items()
    }
    rows = [f"| CPU, to bare | {' | '.join(WORKLOADS[name] for name in results)} |"]
    rows.append("|---" * (len(results) + 1) + "|")
    times = [f"{statistics.median(each) * 1e3:.2f} ms" for each in bare.values()]
    rows.append(f"| bare, a step | {' | '.join(times)} |")
    for contender in CONTENDERS[1:]:
        against = {
            name: each[BARE] if contender.name == AGAIN else bare[name]
            for name, each in results.items()
        }
        cells = [spread(each[contender.name], against[name]) for name, each in results.items()]
        rows.append(f"| {contender.name} | {' | '.join(cells)} |")
    return "\n".join(rows) + "\n"


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("workloads", nargs="*", default=list(WORKLOADS), metavar="WORKLOAD")
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--output", type=Path, default=TESTS / "benchmarks" / "results")
    arguments = parser.parse_args()
    before = os.getloadavg()[0]
    results = {workload: measure(workload, arguments.rounds) for workload in arguments.workloads}
    load = before, os.getloadavg()[0]
    blocks = ", ".join(f"{STEPS[name]}" for name in results)
    text = table(results) + (
        f"\n{arguments.rounds} rounds of {blocks} steps; one thread, {os.cpu_count()} cores, load "
        f"{load[0]:.1f} before and {load[1]:.1f} after.\n"
    )
    arguments.output.mkdir(parents=True, exist_ok=True)
    (arguments.output / "torch_cost.json").write_text(
        json.dumps({"load": load, "cpu": results}) + "\n"
    )
    (arguments.output / "torch_cost.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
