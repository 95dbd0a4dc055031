"""Many quick training steps, then a stop."""

import sys

import torch

torch.manual_seed(0)
layer = torch.nn.Linear(4, 3)
optimizer = torch.optim.SGD(layer.parameters(), lr=0.01)
inputs = torch.randn(8, 4)
for step in range(int(sys.argv[1])):
    optimizer.zero_grad()  # @zero
    output = layer(inputs)  # @forward
    loss = output.square().mean()  # @loss
    loss.backward()
    optimizer.step()  # @step
wide = torch.zeros(1).expand(10**9)
spread = torch.tensor([[0.0, 1.0, float("nan")], [2.0, float("inf"), 3.0]])
print("done")  # @done
