"""Makes a thousand quick steps a second, as near as it can, for as many seconds as its argument says."""

import sys
import time

import torch

torch.set_num_threads(1)
weight = torch.nn.Parameter(torch.ones(4))
optimizer = torch.optim.SGD([weight], lr=0.01)
began = time.perf_counter()
steps = 0
while time.perf_counter() - began < float(sys.argv[1]):
    optimizer.zero_grad()
    (weight * 2).sum().backward()
    optimizer.step()  # @step
    steps += 1
    ahead = began + steps / 1000 - time.perf_counter()
    if ahead > 0:
        time.sleep(ahead)
print("steps", steps)
