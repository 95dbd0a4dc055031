"""Trains in rounds of 50 steps; before each it says how it stands and waits for a line on stdin."""

import json
import os
import sys
import threading

import torch
import torch.nn.functional as F
from torch import nn


def stand(number):
    """What a debugger that left may have left behind."""
    print(
        json.dumps(
            {
                "round": number,
                "traced": sys.gettrace() is not None or threading.gettrace() is not None,
                "debugpy": "debugpy" in sys.modules,
                "threads": len(os.listdir("/proc/self/task")),
                "files": len(os.listdir("/proc/self/fd")),
            }
        ),
        flush=True,
    )


def step(model, optimizer, x, y):
    optimizer.zero_grad()
    loss = F.cross_entropy(model(x), y)
    loss.backward()  # @backward
    optimizer.step()
    return loss


def main(rounds):
    torch.manual_seed(0)
    torch.set_num_threads(1)
    model = nn.Sequential(nn.Linear(16, 16), nn.ReLU(), nn.Dropout(0.1), nn.Linear(16, 4))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    x, y = torch.randn(8, 16), torch.randint(0, 4, (8,))
    for number in range(rounds):
        stand(number)
        if not sys.stdin.readline():
            return
        for _ in range(50):
            loss = step(model, optimizer, x, y)
    stand(rounds)
    print(loss.item().hex(), flush=True)


main(int(sys.argv[1]))
