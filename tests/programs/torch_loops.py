"""Loops that neither train nor differentiate: each iteration is a step."""

import torch
from torch import nn


def seed():
    first = torch.Tensor([0])
    second = torch.Tensor([10])
    while (first < second)[0]:  # @seed
        first += 2
        second += 1
    return first


def advance(x):
    y = x * 2  # @called
    return y - 1


def called():
    x = torch.ones(2)
    for _ in range(6):
        x = advance(x)  # @caller
    return x


def one_line():
    x = torch.zeros(3)
    for _ in range(5):
        x += 1  # @one_line
    return x


def comprehension():
    rows = torch.arange(6.0).reshape(3, 2)
    return [row.exp() + 1 for row in rows]  # @comprehension


def summed():
    parts = [torch.ones(2), torch.ones(2), torch.ones(2)]
    return sum(parts)  # @summed


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(4, 4) for _ in range(3)])
        self.head = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 2))

    def forward(self, x):
        for layer in self.layers:
            x = torch.tanh(layer(x))  # @layer
        return self.head(x)


class Pairs(torch.utils.data.Dataset):
    def __len__(self):
        return 12

    def __getitem__(self, index):
        x = torch.full((4,), float(index)) * 2  # @item
        return x, x.sum() + 1


def evaluated():
    torch.manual_seed(0)
    net, total = Net().eval(), 0.0
    loader = torch.utils.data.DataLoader(Pairs(), batch_size=3)
    with torch.no_grad():
        for x, y in loader:
            scores = net(x)  # @evaluated
            total += (scores.sum(1) - y).abs().mean()
    return total


def inferred():
    net = nn.Linear(4, 2)
    out = None
    with torch.inference_mode():
        for _ in range(7):
            out = net(torch.ones(1, 4))  # @inferred
    return out


CELL = "while (a < b)[0]:\n    a += 2\n    b += 1\n"


def cells():
    names = {"a": torch.Tensor([0]), "b": torch.Tensor([10])}
    for cell in (1, 2):
        exec(compile(CELL, f"/tmp/cells/{cell}.py", "exec"), names)  # @cell
        names["b"] = names["b"] + 3
    return names["a"]


if __name__ == "__main__":
    for loop in (seed, called, one_line, comprehension, summed, evaluated, inferred, cells):
        loop()
        print(loop.__name__)
