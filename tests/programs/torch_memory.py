"""Many tiny steps: nothing of them may stay alive, and memory may not grow."""

import gc
import sys
import weakref

import torch
from torch import nn

torch.manual_seed(0)
torch.set_num_threads(1)
steps = int(sys.argv[1])


def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096


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
    sizes = []
    for step in range(steps):
        # Shapes come and go.
        loss = (w - 1).pow(2).sum() + torch.ones(1 + step % 7).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % (steps // 10) == 0:
            sizes.append(resident())
    print("grown", sizes[-1] - sizes[len(sizes) // 2])
    print(w.sum().item().hex())


main()
