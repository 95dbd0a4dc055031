"""Many tiny steps: nothing of them may stay alive, and memory may not grow."""

import gc
import sys
import threading
import time
import weakref

import torch
from torch import nn

torch.manual_seed(0)
torch.set_num_threads(1)
steps = int(sys.argv[1])

QUIET = 1.0
"""Seconds without a block less, after which no more are expected to go."""
DEADLINE = 30.0


def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096


def settled(wanted=None):
    """Blocks that Python holds, once what waited to be sent is sent: no block more is let go of.

    Where ``wanted`` are enough, it is waited for them instead.
    """
    turn, until = threading.Event(), time.monotonic() + DEADLINE
    least, fell = sys.maxsize, time.monotonic()
    while time.monotonic() < until:
        gc.collect()
        blocks = sys.getallocatedblocks()
        if blocks < least:
            least, fell = blocks, time.monotonic()
        if time.monotonic() > fell + QUIET if wanted is None else least <= wanted:
            break
        turn.wait(0.02)
    return least


def lives():
    """What stays alive of one step's tensors, without the help of the garbage collector."""
    model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1))
    optimizer = torch.optim.Adam(model.parameters())
    dead = []
    for _ in range(3):
        x = torch.randn(5, 4)
        y = model(x)
        loss = y.pow(2).mean()
        watched = [x, y, loss]
        optimizer.zero_grad()
        loss.backward()
        watched += [p.grad for p in model.parameters()]
        optimizer.step()
        dead += [weakref.ref(t) for t in watched]
        del watched, x, y, loss
    optimizer.zero_grad()
    parameters = [weakref.ref(p) for p in model.parameters()]
    alive = sum(ref() is not None for ref in dead)
    del model, optimizer
    gc.collect()
    return alive, sum(ref() is not None for ref in parameters)


def main():
    gc.disable()
    print("alive", *lives())
    gc.enable()
    w = torch.zeros(3, requires_grad=True)
    optimizer = torch.optim.SGD([w], lr=0.1)
    for step in range(steps):
        # Shapes come and go.
        loss = (w - 1).pow(2).sum() + torch.ones(1 + step % 7).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step + 1 == steps // 2:
            blocks, size = settled(), resident()
    more = settled(wanted=blocks + steps // 40) - blocks
    print("grown", more, resident() - size)
    print(w.sum().item().hex())


main()
