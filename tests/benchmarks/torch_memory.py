"""What the runtime keeps in memory: bytes for each distinct graph, and for each step that repeats one.

``python tests/benchmarks/torch_memory.py [--steps N] [--output DIRECTORY]`` trains W1 and W4 of
``programs/torch_workloads.py`` in this process, first with a batch of another size in each step, so that
each makes a graph of its own, then in as many steps of one that is known, and writes ``torch_memory.md``.
Counted are the bytes that Python's allocator holds after a collection; what is sent is let go of, as it is
once the link has written it. It holds 50,000 events (``trail.EVENTS_LIMIT``); then it begins again.
"""

from __future__ import annotations

import argparse
import gc
import os
import sys
import tracemalloc
from pathlib import Path
from typing import Any

BENCHMARKS = Path(__file__).resolve().parent
sys.path.insert(0, str(BENCHMARKS.parent))
sys.path.insert(0, str(BENCHMARKS.parent / "runtime" / "torch"))
os.environ["GRAPHDEBUG_TORCH_TIER"] = "python"

import torch  # noqa: E402
import torch.nn.functional as F  # noqa: E402
from support.listening import Listening  # noqa: E402

from graphdebug.runtime.backends.torch import backend as make  # noqa: E402

sys.path.insert(0, str(BENCHMARKS / "programs"))


def held() -> int:
    """Bytes that Python's allocator holds."""
    gc.collect()
    return tracemalloc.get_traced_memory()[0]


def grown(step: Any, sizes: range | list[int], listening: Listening) -> float:
    """Bytes that stay of each step."""
    before = held()
    for size in sizes:
        step(size)
        listening.sent.clear()
    return (held() - before) / len(sizes)


def workloads() -> dict[str, Any]:
    """Their steps, each taking the size of its batch."""
    from torch_workloads import MLP, Transformer

    def stepping(model: Any, batch: Any) -> Any:
        optimizer = torch.optim.SGD(model.parameters(), lr=0.01)

        def step(size: int) -> None:
            inputs, targets = batch(size)
            optimizer.zero_grad()
            F.cross_entropy(model(inputs), targets).backward()
            optimizer.step()

        return step

    def pixels(size: int) -> Any:
        return torch.randn(size, 784), torch.randint(0, 10, (size,))

    def words(size: int) -> Any:
        return torch.randint(0, 100, (size, 4)), torch.randint(0, 100, (size, 4))

    return {
        "W1, MLP": lambda: stepping(MLP(), pixels),
        "W4, tiny transformer": lambda: stepping(Transformer(width=16, length=4), words),
    }


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--repeated", type=int, default=200)
    parser.add_argument("--output", type=Path, default=BENCHMARKS / "results")
    arguments = parser.parse_args()
    rows = [
        "| | nodes | bytes for a distinct graph | for a node of it | bytes for a step that repeats one |"
    ]
    rows.append("|---|---|---|---|---|")
    for name, made in workloads().items():
        listening = Listening()
        backend: Any = make(listening)  # type: ignore[arg-type]
        backend.install()
        step = made()
        for _ in range(5):
            step(1)
        nodes = sum(listening.last_step()[:2])
        tracemalloc.start()
        graph = grown(step, range(2, arguments.steps + 2), listening)
        again = grown(step, [2] * arguments.repeated, listening)
        tracemalloc.stop()
        backend.remove()
        rows.append(f"| {name} | {nodes} | {graph:,.0f} | {graph / nodes:,.0f} | {again:,.1f} |")
    text = "\n".join(rows) + f"\n\n{arguments.steps} graphs, {arguments.repeated} steps.\n"
    (arguments.output / "torch_memory.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
