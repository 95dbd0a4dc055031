"""What observing costs a training step: graphdebug at each level and tier, the bare program, and peers.

Writes ``cost.md``, ``cost.json`` and ``cost.png``. How it is measured: ``turns.py``. Ratios are to the mean
of the two bare programs of the round; the control is one of them to the other.
"""

from __future__ import annotations

import importlib.util
import json
import os
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import turns
from turns import AGAIN, BARE, PROGRAMS, Blocks, Contender

from graphdebug.protocol.dap import Configuration

NODES, UNWATCHED = Configuration(), Configuration(nan_watch=False)
GONE = "`nodes`, the client has gone"
CONTROL = (Contender(BARE), Contender(AGAIN))
OFF = Contender("`off`", Configuration(capture="off"))
COUNTED = Configuration(capture="steps")
STEPS = Contender("`steps`", COUNTED)
ATTACHABLE = Contender("attachable, nobody there", tier="native", attachable=True)
DEBUGPY = Contender("debugpy, a breakpoint elsewhere", adapter="debugpy")
DEBUGGED = Contender("graphdebug as debugger, likewise", tier="native", adapter="graphdebug")
TORCH = (
    *CONTROL,
    OFF,
    Contender("`steps`, native tier", COUNTED, "native"),
    Contender("`steps`, Python tier", COUNTED),
    Contender("`nodes`, native tier", NODES, "native"),
    Contender("`nodes`, native tier, `nanWatch` off", UNWATCHED, "native"),
    Contender("`nodes`, Python tier", NODES),
    Contender("`nodes`, Python tier, `nanWatch` off", UNWATCHED),
    Contender(GONE, NODES, "native", client=False),
    Contender("`values`", Configuration(capture="values"), every=3),
    ATTACHABLE,
    DEBUGGED,
    DEBUGPY,
    Contender("TorchDispatchMode that does nothing", peer="dispatch_mode"),
    Contender("torch.autograd.detect_anomaly", peer="detect_anomaly", every=3),
    Contender("torch.profiler, with shapes", peer="profiler", every=3),
    Contender("DebugMode", peer="debug_mode", every=3),
    Contender("TorchLens, forward pass alone", peer="torchlens", every=5),
)
TENSORFLOW = (
    *CONTROL,
    OFF,
    STEPS,
    Contender("`nodes`", NODES),
    Contender("`nodes`, `nanWatch` off", UNWATCHED),
    Contender(GONE, NODES, client=False),
    Contender("`values`", Configuration(capture="values"), every=3),
    ATTACHABLE,
    DEBUGGED,
    DEBUGPY,
    Contender("`nodes`, filter `graphdebug.nan`", NODES, filters=("graphdebug.nan",), every=3),
    Contender("FULL_TRACE in each run", peer="full_trace"),
    Contender("tfdbg2, NO_TENSOR", peer="tfdbg2"),
    Contender("tf.profiler", peer="profiler", every=3),
)


@dataclass(frozen=True)
class Framework:
    """What is measured of it."""

    name: str
    program: Path
    contenders: Sequence[Contender]
    workloads: Mapping[str, str]


FRAMEWORKS = {
    "torch": Framework(
        "PyTorch",
        PROGRAMS / "torch_training.py",
        TORCH,
        {
            "W1": "W1, MLP",
            "W2": "W2, transformer",
            "W3": "W3, CNN",
            "W4": "W4, tiny transformer",
            "GPT": "GPT of characters",
        },
    ),
    "tensorflow": Framework(
        "TensorFlow",
        PROGRAMS / "tensorflow_training.py",
        TENSORFLOW,
        {
            "session": "MLP, Session",
            "function": "MLP, tf.function",
            "eager": "MLP, eager",
            "keras": "CNN, Keras fit",
        },
    ),
}


STARTS = 3
"""How often all are started: where its memory lies makes some percent of a difference to a process."""

_APART = 1_000
"""What the numbers of the rounds of two starts lie apart."""


def present(contender: Contender) -> bool:
    """Whether what it needs is installed."""
    return contender.peer != "torchlens" or importlib.util.find_spec("torchlens") is not None


def measure(
    framework: Framework, workloads: Sequence[str], rounds: int, seconds: float
) -> tuple[dict[str, Blocks], list[str]]:
    """Blocks by workload, and what is to be said of contenders that aren't there."""
    contenders = [contender for contender in framework.contenders if present(contender)]
    notes = [
        f"{contender.name}: not installed."
        for contender in framework.contenders
        if contender not in contenders
    ]
    found: dict[str, Blocks] = {workload: {} for workload in workloads}
    absent: dict[str, None] = {}
    for start in range(STARTS):
        with turns.standing(contenders, framework.program) as started:
            for workload, blocks in found.items():
                part = turns.measure(started, workload, rounds // STARTS, seconds / STARTS)
                for name, by_round in part.items():
                    after = {start * _APART + number: block for number, block in by_round.items()}
                    blocks.setdefault(name, {}).update(after)
            absent |= {
                f"{one.contender.name}: {one.absent}.": None for one in started if one.absent
            }
    return found, [*notes, *absent]


def text(framework: Framework, results: Mapping[str, Blocks]) -> str:
    """Two tables in Markdown: CPU time, and wall time."""
    columns = [framework.workloads[name] for name in results]
    said = []
    for what, title in (("cpu", "CPU time, to bare"), ("wall", "Wall time, to bare")):
        bare = [turns.bare_mean(blocks, what).values() for blocks in results.values()]
        rows: dict[str, list[str]] = {
            "bare, a step": [f"{statistics.median(each) * 1e3:.2f} ms" for each in bare]
        }
        for contender in framework.contenders[1:]:
            rows[contender.name] = [
                turns.spread(turns.ratios(blocks, contender.name, what))
                for blocks in results.values()
            ]
        said.append(turns.table(f"{framework.name}: {title}", rows, columns))
    return "\n".join(said)


def plot(results: Mapping[str, Mapping[str, Blocks]], path: Path) -> str:
    """Bars of the CPU time, one picture; what to say where there is no matplotlib."""
    if importlib.util.find_spec("matplotlib") is None:
        return "No picture: that needs matplotlib, pip install 'graphdebug[benchmark]'.\n"
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    columns = max(map(len, results.values()))
    figure, axes = pyplot.subplots(
        len(results), columns, figsize=(3 + 2.2 * columns, 4 * len(results)), squeeze=False,
        sharey="row", layout="constrained",
    )  # fmt: skip
    for row, (key, each) in zip(axes, results.items(), strict=True):
        for axis, (workload, blocks) in zip(row, each.items(), strict=False):
            _panel(axis, FRAMEWORKS[key], workload, blocks)
        for axis in row[len(each) :]:
            axis.set_axis_off()
    figure.supxlabel("CPU time of a step to the bare program's (medians, quartiles; logarithmic)")
    figure.savefig(path, dpi=80)
    pyplot.close(figure)
    return ""


def _panel(axis: Any, framework: Framework, workload: str, blocks: Blocks) -> None:
    names = [item.name for item in framework.contenders[1:]]
    for place, name in enumerate(names):
        found = turns.ratios(blocks, name) if name in blocks else []
        if not found:
            continue
        middle = statistics.median(found)
        low, _, high = statistics.quantiles(found * 2, n=4, method="inclusive")
        ours = any(mark in name for mark in ("`", "graphdebug", "attachable"))
        axis.barh(place, middle - 1, left=1, color="tab:blue" if ours else "tab:gray")
        axis.plot((low, high), (place, place), color="black", linewidth=1)
        axis.text(max(middle, high) * 1.05, place, f"{middle:.2f}", va="center", fontsize=7)
    axis.axvline(1, color="black", linewidth=0.8)
    axis.set_xscale("log")
    axis.set_xlim(0.8, 4 * max(map(statistics.median, _all(blocks, names))))
    axis.xaxis.set_major_formatter("{x:g}")
    axis.xaxis.set_minor_formatter("")
    axis.set_yticks(range(len(names)), [name.replace("`", "") for name in names], fontsize=8)
    axis.set_ylim(len(names) - 0.5, -0.5)
    axis.set_title(framework.workloads[workload], fontsize=9)


def _all(blocks: Blocks, names: Sequence[str]) -> list[list[float]]:
    return [turns.ratios(blocks, name) for name in names if blocks.get(name)]


def run(output: Path, minutes: float, rounds: int, wanted: Sequence[str]) -> str:
    """Measure, and write all; ``wanted``: workloads, all where there are none."""
    chosen = {
        key: [name for name in framework.workloads if not wanted or name in wanted]
        for key, framework in FRAMEWORKS.items()
    }
    count = sum(map(len, chosen.values()))
    seconds = minutes * 60 / count
    before = os.getloadavg()[0]
    results, said = {}, []
    for key, workloads in chosen.items():
        if workloads:
            results[key], notes = measure(FRAMEWORKS[key], workloads, rounds, seconds)
            said += [text(FRAMEWORKS[key], results[key]), *(f"{note}\n" for note in notes)]
    said.append(plot(results, output / "cost.png"))
    numbers = {
        name: len(blocks[BARE]) for each in results.values() for name, blocks in each.items()
    }
    told = ", ".join(f"{name} {number}" for name, number in numbers.items())
    said.append(
        f"Medians of the ratios, with the quartiles; {STARTS} starts; rounds: {told}. "
        f"{turns.conditions(before)}\n"
    )
    written = "\n".join(filter(None, said))
    (output / "cost.md").write_text(written)
    load = [before, os.getloadavg()[0]]
    (output / "cost.json").write_text(json.dumps({"load": load, "blocks": results}) + "\n")
    return written
