"""Where the time of an observed training step goes, part by part, on the workloads W1 to W4.

``python -m tests.benchmarks parts`` writes ``parts.md`` and ``parts.json``.
Each part of a step is timed in the calling thread, the threads beside it by their CPU time, in processes
that take turns (``turns.py``); given is what a part takes longer than in the bare program of the same
round. The floors are what any way to see as much takes that does nothing with it.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS), str(TESTS / "benchmarks")]

import turns  # noqa: E402
from turns import BARE, PROGRAMS, Contender  # noqa: E402

from graphdebug.protocol.dap import Configuration  # noqa: E402

STEPS = {"W1": 100, "W2": 4, "W3": 5, "W4": 30}
"""In a block."""
PARTS = ("zero_grad", "forward", "loss", "backward", "optimizer", "other threads")
CONTENDERS = (
    Contender(BARE),
    Contender(turns.AGAIN),
    Contender("floor: hooks that do nothing", peer="hooks"),
    Contender("floor: hooks, and a TorchFunctionMode that does nothing", peer="function_mode"),
    Contender("TorchDispatchMode that does nothing", peer="dispatch_mode"),
    Contender("`steps`, native tier", Configuration(capture="steps"), "native"),
    Contender("`steps`, Python tier", Configuration(capture="steps")),
    Contender("`nodes`, native tier", Configuration(), "native"),
    Contender("`nodes`, native tier, `nanWatch` off", Configuration(nan_watch=False), "native"),
    Contender("`nodes`, Python tier", Configuration()),
    Contender("`nodes`, Python tier, `nanWatch` off", Configuration(nan_watch=False)),
)

Rounds = dict[str, list[list[float]]]
"""Contender to the parts of each round, in seconds."""


def measure(workload: str, rounds: int) -> Rounds:
    """All contenders' rounds, after two that aren't counted."""
    found: Rounds = {}
    with turns.standing(CONTENDERS, PROGRAMS / "torch_parts.py") as started:
        for number in range(rounds + 2):
            losses = set()
            for running in turns.in_turn(started, number):
                parts, loss = running.ask(workload, STEPS[workload])
                losses.add(loss)
                if number >= 2 and not running.absent:
                    found.setdefault(running.contender.name, []).append(parts)
            assert len(losses) == 1, f"the losses differ: {losses}"
    return found


def table(workload: str, found: Rounds) -> str:
    """In Markdown, in microseconds; the last column is the ratio of the whole."""
    bare = found[BARE]
    lines = [
        f"| {workload}, \u00b5s | {' | '.join(PARTS)} | all | ratio |",
        "|---" * (len(PARTS) + 3) + "|",
    ]
    for contender in CONTENDERS:
        rounds = found.get(contender.name)
        if rounds is None:
            continue
        own = contender.name == BARE
        cells = [
            statistics.median(
                one[at] - (0 if own else other[at]) for one, other in zip(rounds, bare, strict=True)
            )
            for at in range(len(PARTS))
        ]
        whole = statistics.median(
            sum(one) - (0 if own else sum(other)) for one, other in zip(rounds, bare, strict=True)
        )
        ratio = statistics.median(
            sum(one) / sum(other) for one, other in zip(rounds, bare, strict=True)
        )
        told = [f"{cell * 1e6:.0f}" if own else f"{cell * 1e6:+.0f}" for cell in (*cells, whole)]
        lines.append(f"| {contender.name} | {' | '.join(told)} | {ratio:.3f} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--workload", action="append", default=[], help="instead of all")
    parser.add_argument("--output", type=Path, default=TESTS / "benchmarks" / "results")
    arguments = parser.parse_args()
    before = os.getloadavg()[0]
    results, said = {}, []
    for workload in arguments.workload or STEPS:
        results[workload] = measure(workload, arguments.rounds)
        said.append(table(workload, results[workload]))
        print(said[-1], flush=True)
    said.append(f"{arguments.rounds} rounds; medians. {turns.conditions(before)}\n")
    arguments.output.mkdir(parents=True, exist_ok=True)
    (arguments.output / "parts.md").write_text("\n".join(said))
    (arguments.output / "parts.json").write_text(
        json.dumps({"load": before, "parts": results}) + "\n"
    )


if __name__ == "__main__":
    main()
