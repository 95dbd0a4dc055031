"""A multi-layer perceptron with dropout, trained with momentum; clips its gradients."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch_training import digest


class MLP(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(20, 32)
        self.norm = nn.BatchNorm1d(32)
        self.drop = nn.Dropout(0.2)
        self.last = nn.Linear(32, 5)

    def forward(self, x):
        x = self.first(x)  # @first
        x = self.norm(x)  # @norm
        x = F.relu(x)  # @relu
        x = self.drop(x)  # @drop
        return self.last(x)  # @last


def main():
    torch.manual_seed(7)
    torch.set_num_threads(1)
    model = MLP()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    inputs = torch.randn(64, 20)
    targets = torch.randint(0, 5, (64,))
    for epoch in range(4):
        order = torch.randperm(64)
        for start in range(0, 64, 16):
            batch = order[start : start + 16]  # @batch
            x, y = inputs[batch], targets[batch]  # @index
            optimizer.zero_grad()
            loss = F.cross_entropy(model(x), y)  # @loss
            loss.backward()  # @backward
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)  # @clip
            optimizer.step()  # @step
            print(epoch, loss.item().hex())
    print(digest(model))


main()
