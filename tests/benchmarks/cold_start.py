"""Cold start: from launching the adapter to its first stop, graphdebug beside plain debugpy.

``python tests/benchmarks/cold_start.py [--runs N] [--output DIRECTORY]`` runs both in turn, with a
second plain debugpy as the control, and writes ``cold_start.md`` and ``cold_start.json``. Wall time,
since a person waits; medians, and the ratio of the medians of runs made side by side.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import statistics
import sys
import time
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTS))

from support.dap import Session  # noqa: E402
from support.markers import line  # noqa: E402

PROGRAMS = {
    "plain Python": TESTS / "benchmarks" / "programs" / "plain.py",
    "PyTorch": TESTS / "benchmarks" / "programs" / "torch_loop.py",
    "TensorFlow": TESTS / "benchmarks" / "programs" / "tensorflow_loop.py",
}
CONTENDERS = {"debugpy": "debugpy", "debugpy again": "debugpy", "graphdebug": "graphdebug"}


def first_stop(adapter: str, program: Path) -> float:
    """Seconds from starting the adapter to its first ``stopped`` event."""
    begin = time.perf_counter()
    transcript = io.StringIO()  # a session prints it when it ends
    with contextlib.redirect_stdout(transcript), Session(adapter, timeout=180) as session:
        session.launch(program=str(program), breakpoints={str(program): [line(program, "stop")]})
        session.wait_for_stop()
        return time.perf_counter() - begin


def measure(runs: int) -> dict[str, dict[str, list[float]]]:
    """Program to contender to seconds; contenders take turns, after one run that isn't counted."""
    results: dict[str, dict[str, list[float]]] = {}
    for name, program in PROGRAMS.items():
        seconds: dict[str, list[float]] = {contender: [] for contender in CONTENDERS}
        for contender, adapter in CONTENDERS.items():
            first_stop(adapter, program)
        for _ in range(runs):
            for contender, adapter in CONTENDERS.items():
                seconds[contender].append(first_stop(adapter, program))
        results[name] = seconds
    return results


def table(results: dict[str, dict[str, list[float]]]) -> str:
    """The results in Markdown."""
    rows = [
        "| program | debugpy | graphdebug | ratio | control (debugpy / debugpy) |",
        "|---|---|---|---|---|",
    ]
    for name, seconds in results.items():
        median = {contender: statistics.median(values) for contender, values in seconds.items()}
        rows.append(
            f"| {name} | {median['debugpy']:.2f} s | {median['graphdebug']:.2f} s "
            f"| {median['graphdebug'] / median['debugpy']:.2f} "
            f"| {median['debugpy again'] / median['debugpy']:.2f} |"
        )
    return "\n".join(rows) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=9)
    parser.add_argument("--output", type=Path, default=TESTS / "benchmarks" / "results")
    arguments = parser.parse_args()
    results = measure(arguments.runs)
    arguments.output.mkdir(parents=True, exist_ok=True)
    (arguments.output / "cold_start.json").write_text(json.dumps(results, indent=1) + "\n")
    text = table(results)
    (arguments.output / "cold_start.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
