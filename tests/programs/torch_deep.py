"""Steps whose graph is one chain: as many operations as the argument says."""

import sys

import torch

x = torch.ones(4, requires_grad=True)
optimizer = torch.optim.SGD([x], lr=0.1)
for _ in range(2):
    optimizer.zero_grad()
    y = x
    for _ in range(int(sys.argv[1])):
        y = y * 1.00001
    y.sum().backward()
    optimizer.step()
    print(x.sum().item().hex())
