"""Trains an MLP with DistributedDataParallel over gloo; rank 0 writes losses and weights to a file.

Arguments: the file, steps, the timeout of collectives in seconds, and files to wait for in steps 2 and 8.
"""

import os
import sys
import time
from datetime import timedelta
from pathlib import Path

import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel


def wait_at(gate):
    gate.with_name(f"{gate.name}-{dist.get_rank()}").touch()
    while not gate.exists():
        time.sleep(0.01)


def train(steps, timeout, *gates):
    dist.init_process_group("gloo", timeout=timedelta(seconds=timeout))  # @init
    torch.manual_seed(7)
    model = DistributedDataParallel(
        torch.nn.Sequential(torch.nn.Linear(8, 16), torch.nn.ReLU(), torch.nn.Linear(16, 4))
    )
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    generator = torch.Generator().manual_seed(dist.get_rank())
    losses = []
    for step in range(steps):  # @loop
        if step in (2, 8)[: len(gates)]:
            wait_at(gates[step // 8])
        x = torch.randn(16, 8, generator=generator)  # @batch
        loss = model(x).square().mean()  # @loss
        optimizer.zero_grad()
        loss.backward()  # @backward
        optimizer.step()
        losses.append(loss.detach().clone())  # @after
    total = torch.stack(losses)
    dist.all_reduce(total)
    parameters = [value.detach().numpy().tobytes().hex() for value in model.parameters()]
    dist.destroy_process_group()
    return [total.numpy().tobytes().hex(), *parameters]


if __name__ == "__main__":
    torch.set_num_threads(1)
    place, steps, timeout = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
    result = train(steps, timeout, *map(Path, sys.argv[4:]))
    if os.environ["RANK"] == "0":
        Path(place).write_text("\n".join(result))
