"""What graphdebug costs: ``python -m tests.benchmarks [PART ...] [--quick] [--output DIRECTORY]``.

Parts: ``cost`` (a training step, beside peers) and ``scale`` (how that grows), both where none is named, in
about 12 minutes; the others of this directory by their names, each in its own time; ``all``. Each writes
its tables in Markdown, its numbers in JSON, and ``cost`` and ``scale`` a picture. The machine should do
nothing else meanwhile.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

BENCHMARKS = Path(__file__).resolve().parent
sys.path[:0] = [str(BENCHMARKS), str(BENCHMARKS.parent)]

import cost  # noqa: E402
import scale  # noqa: E402

OTHERS = {
    "latencies": "--rounds 6",
    "cold_start": "--runs 2",
    "static_graphs": "--rounds 3",
    "backward": "--rounds 3",
    "attach": "--starts 2 --rounds 3",
    "parts": "--rounds 3",
    "torch_memory": "--steps 3 --repeated 20",
    "language_server": "--rounds 3",
}
"""Parts that are programs of their own, and what makes them quick."""

PARTS = ("cost", "scale", *OTHERS)


def run(part: str, arguments: argparse.Namespace) -> None:
    """One part."""
    quick, output = arguments.quick, arguments.output
    if part == "cost":
        minutes = 0.5 if quick else arguments.minutes * 0.75
        print(cost.run(output, minutes, 3 if quick else arguments.rounds, arguments.workload))
    elif part == "scale":
        lengths = (10, 100, 1_000) if quick else scale.LENGTHS
        steps = 2_000 if quick else scale.STEPS
        print(scale.run(output, 0.2 if quick else arguments.minutes * 0.1, lengths, steps))
    else:
        few = OTHERS[part].split() if quick else []
        program = BENCHMARKS / f"{part}.py"
        subprocess.run([sys.executable, program, "--output", output, *few], check=True)


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join((*PARTS, "all")))
    parser.add_argument("--quick", action="store_true", help="few rounds, to see that all works")
    parser.add_argument("--minutes", type=float, default=10, help="of cost and scale (%(default)s)")
    parser.add_argument("--rounds", type=int, default=30, help="of cost, at most (%(default)s)")
    parser.add_argument("--workload", action="append", default=[], help="of cost, instead of all")
    parser.add_argument("--output", type=Path, default=BENCHMARKS / "results")
    arguments = parser.parse_args()
    parts = arguments.parts or ["cost", "scale"]
    if unknown := set(parts) - {*PARTS, "all"}:
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    arguments.output.mkdir(parents=True, exist_ok=True)
    for part in PARTS if "all" in parts else parts:
        run(part, arguments)


if __name__ == "__main__":
    main()
