"""Trains a multi-layer perceptron for a few steps; to step back through them."""

import hashlib

import torch
import torch.nn as nn
import torch.nn.functional as F


class MLP(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(3, 4)
        self.last = nn.Linear(4, 2)

    def forward(self, x):
        x = self.first(x)  # @first
        x = F.relu(x)  # @relu
        return self.last(x)  # @last


def main():
    torch.manual_seed(7)
    model = MLP()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    inputs, targets = torch.randn(2, 3), torch.tensor([0, 1])
    for epoch in range(5):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(inputs), targets)  # @loss
        loss.backward()  # @backward
        optimizer.step()  # @step
        print(epoch, loss.item().hex())  # @report
    weights = b"".join(item.detach().numpy().tobytes() for item in model.parameters())
    print(hashlib.sha256(weights).hexdigest())


main()
