"""A small network on a GPU, whose backward pass autograd runs in a thread of the device's."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch_training import digest

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


class Network(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(20, 32)
        self.last = nn.Linear(32, 5)

    def forward(self, x):
        x = F.gelu(self.first(x))
        x = x.cpu().tanh().to(DEVICE)  # one Node of another device
        return self.last(x)


def main():
    torch.manual_seed(11)
    model = Network().to(DEVICE)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    inputs, targets = torch.randn(16, 20).to(DEVICE), torch.randint(0, 5, (16,)).to(DEVICE)
    for _ in range(12):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(inputs), targets)
        scaled = loss * 2
        scaled.backward()
        optimizer.step()
        print(loss.item().hex())
    print(digest(model.cpu()))


main()
