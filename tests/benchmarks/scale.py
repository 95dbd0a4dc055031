"""How the cost grows: with the operations of a step, and with the number of steps, each up to 100,000.

Writes ``scale.md``, ``scale.json`` and ``scale.png``. How it is measured: ``turns.py``. A step here is a
chain of tiny operations, its backward pass and an optimizer's step; ``nodes`` streams to a client. The
line is fitted to the steps that are recorded whole: those of more than 16,384 Nodes aren't.
"""

from __future__ import annotations

import importlib.util
import json
import os
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path

import turns
from cost import NODES
from turns import AGAIN, BARE, PROGRAMS, Block, Blocks, Contender, Running

PROGRAM = PROGRAMS / "torch_training.py"
PYTHON, NATIVE = "`nodes`, Python tier", "`nodes`, native tier"
CONTENDERS = (
    Contender(BARE),
    Contender(AGAIN),
    Contender(PYTHON, NODES),
    Contender(NATIVE, NODES, "native"),
)
OURS = (PYTHON, NATIVE)
LENGTHS = (10, 100, 1_000, 10_000, 100_000)
NODES_LIMIT = 16_384
"""As in the torch backend's trail."""
STEPS = 100_000
SHORT = "chain-10"
BLOCKS_OF_STEPS = 20

Points = Mapping[float, float]


def line(points: Points) -> tuple[float, float, float]:
    """Least squares of the relative errors: what is fixed, the slope, and the largest error of a point."""
    weighted = [(x, y, 1 / y**2) for x, y in points.items()]
    total = sum(w for _, _, w in weighted)
    mean_x = sum(x * w for x, _, w in weighted) / total
    mean_y = sum(y * w for _, y, w in weighted) / total
    above = sum(w * (x - mean_x) * (y - mean_y) for x, y, w in weighted)
    slope = above / sum(w * (x - mean_x) ** 2 for x, _, w in weighted)
    fixed = mean_y - slope * mean_x
    worst = max(abs(fixed + slope * x - y) / y for x, y in points.items())
    return fixed, slope, worst


def of_operations(
    started: Sequence[Running], lengths: Sequence[int], seconds: float
) -> dict[int, Blocks]:
    """Blocks by the number of operations."""
    return {
        length: turns.measure(started, f"chain-{length}", 15, seconds / len(lengths))
        for length in lengths
    }


def added(blocks: Blocks, name: str) -> float:
    """CPU microseconds that a contender adds to a step: the median."""
    bare = turns.bare_mean(blocks, "cpu")
    found = [(block.cpu - bare[at]) * 1e6 for at, block in blocks.get(name, {}).items()]
    return statistics.median(found) if found else float("nan")


def of_steps(started: Sequence[Running], steps: int) -> dict[str, list[Block]]:
    """As many steps of each contender in blocks, in turn."""
    count = steps // BLOCKS_OF_STEPS
    found: dict[str, list[Block]] = {}
    for _ in range(BLOCKS_OF_STEPS):
        for running in started:
            answer = None if running.absent else running.run(SHORT, count)
            if answer is not None:
                found.setdefault(running.contender.name, []).append(answer[0])
    return found


def told_of_operations(results: Mapping[int, Blocks]) -> str:
    """A table, and the line that fits it."""
    names = [name for name in OURS if all(name in blocks for blocks in results.values())]
    rows: dict[str, list[str]] = {}
    for length, blocks in results.items():
        bare = statistics.median(turns.bare_mean(blocks, "cpu").values())
        rows[f"{length:,}"] = [f"{bare * 1e3:.3f} ms", turns.spread(turns.ratios(blocks, AGAIN))]
        for name in names:
            per = added(blocks, name) / length
            rows[f"{length:,}"] += [turns.spread(turns.ratios(blocks, name)), f"{per:.2f} µs"]
    columns = ["bare, a step", "control"]
    for name in names:
        columns += [f"{name}, to bare", "added, an operation"]
    said = turns.table("operations of a step", rows, columns)
    for name in names:
        points = {
            float(length): added(blocks, name)
            for length, blocks in results.items()
            if length < NODES_LIMIT
        }
        if len(points) > 2 and min(points.values()) > 0:
            fixed, slope, worst = line(points)
            said += (
                f"\n{name}: {fixed:.0f} µs a step and {slope:.2f} µs an operation (forward and "
                f"backward); no point is further than {worst:.0%} from that line.\n"
            )
    return said


def told_of_steps(results: Mapping[str, Sequence[Block]], steps: int) -> str:
    """Time and memory at the beginning and the end."""
    part = BLOCKS_OF_STEPS // 4
    rows = {}
    for name, blocks in results.items():
        begin, end = (
            statistics.median(block.cpu for block in some) * 1e6
            for some in (blocks[:part], blocks[-part:])
        )
        grown = (blocks[-1].held - blocks[part - 1].held) / (steps * 3 // 4)
        total = sum(block.cpu for block in blocks) * (steps // BLOCKS_OF_STEPS)
        rows[name] = [f"{total:.1f} s", f"{begin:.0f} µs", f"{end:.0f} µs"]
        rows[name] += [f"{end / begin:.2f}", f"{grown:.0f} bytes"]
    columns = [
        "CPU time",
        "a step, first quarter",
        "last quarter",
        "ratio",
        "memory, a step of the last three",
    ]
    return turns.table(f"{steps:,} steps of 10 operations", rows, columns)


def plot(
    operations: Mapping[int, Blocks], steps: Mapping[str, Sequence[Block]], count: int, path: Path
) -> str:
    """Two panels: added time against operations, and summed time against steps."""
    if importlib.util.find_spec("matplotlib") is None:
        return "No picture: that needs matplotlib, pip install 'graphdebug[benchmark]'.\n"
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, (left, right) = pyplot.subplots(1, 2, figsize=(10, 4), layout="constrained")
    for name in OURS:
        points = {length: added(blocks, name) for length, blocks in operations.items()}
        left.loglog(points.keys(), points.values(), marker="o", label=name.replace("`", ""))
    left.set_xlabel("operations of a step")
    left.set_ylabel("µs added to a step, CPU")
    left.legend(fontsize=8)
    for name, blocks in steps.items():
        total, sums = 0.0, [0.0]
        for block in blocks:
            total += block.cpu * count / BLOCKS_OF_STEPS
            sums.append(total)
        places = [at * count / BLOCKS_OF_STEPS for at in range(len(sums))]
        right.plot(places, sums, label=name.replace("`", ""))
    right.set_xlabel("steps of 10 operations")
    right.set_ylabel("CPU seconds")
    right.legend(fontsize=8)
    figure.savefig(path, dpi=120)
    pyplot.close(figure)
    return ""


def run(output: Path, minutes: float, lengths: Sequence[int] = LENGTHS, steps: int = STEPS) -> str:
    """Measure, and write all."""
    before = os.getloadavg()[0]
    with turns.standing(CONTENDERS, PROGRAM) as started:
        by_steps = of_steps(started, steps)
        by_operations = of_operations(started, lengths, minutes * 60)
        absent = [f"{one.contender.name}: {one.absent}.\n" for one in started if one.absent]
    said = [told_of_operations(by_operations), told_of_steps(by_steps, steps), *absent]
    said.append(plot(by_operations, by_steps, steps, output / "scale.png"))
    said.append(f"Medians, with the quartiles. {turns.conditions(before)}\n")
    written = "\n".join(filter(None, said))
    (output / "scale.md").write_text(written)
    found = {"load": before, "operations": by_operations, "steps": by_steps}
    (output / "scale.json").write_text(json.dumps(found) + "\n")
    return written
