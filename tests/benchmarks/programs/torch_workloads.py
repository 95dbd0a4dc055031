"""Training loops: W1 an MLP, W2 a transformer, W3 a CNN, W4 a transformer of tiny tensors.

Steps as often as its socket asks for.
"""

import sys
import time
from multiprocessing.connection import Client

import torch
import torch.nn.functional as F
from torch import nn


class MLP(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(784, 256), nn.Linear(256, 256), nn.Linear(256, 10)])

    def forward(self, x):
        first, second, third = self.layers
        return third(F.relu(second(F.relu(first(x)))))


class Block(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.first, self.second = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.heads = heads

    def forward(self, x):
        batch, length, width = x.shape
        parts = self.qkv(self.first(x)).chunk(3, -1)
        q, k, v = (p.view(batch, length, self.heads, -1).transpose(1, 2) for p in parts)
        scores = (q @ k.transpose(-2, -1)) * (width // self.heads) ** -0.5
        mixed = (scores.softmax(-1) @ v).transpose(1, 2).reshape(batch, length, width)
        x = x + self.out(mixed)
        return x + self.down(F.gelu(self.up(self.second(x))))


class Transformer(nn.Module):
    def __init__(self, width=128, length=64, words=100):
        super().__init__()
        self.embed, self.position = (
            nn.Embedding(words, width),
            nn.Parameter(torch.zeros(length, width)),
        )
        self.blocks = nn.Sequential(*[Block(width, 4) for _ in range(4)])
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, words)

    def forward(self, tokens):
        x = self.blocks(self.embed(tokens) + self.position)
        return self.head(self.norm(x)).transpose(1, 2)


class CNN(nn.Module):
    def __init__(self, width=16):
        super().__init__()
        self.layers = nn.ModuleList(
            [nn.Conv2d(width if i else 3, width, 3, padding=1) for i in range(8)]
        )
        self.norms = nn.ModuleList([nn.BatchNorm2d(width) for _ in range(8)])
        self.head = nn.Linear(width, 10)

    def forward(self, x):
        for layer, norm in zip(self.layers, self.norms, strict=True):
            x = F.relu(norm(layer(x)))
        return self.head(x.mean((2, 3)))


def workload(name):
    """A step, the model, and what it gets."""
    model, optimizer, inputs, targets = made(name)
    return classifier(model, optimizer, inputs, targets), model, inputs


def made(name):
    """A model, its optimizer, what it gets and what it should answer."""
    if name == "W1":
        model, inputs, targets = MLP(), torch.randn(64, 784), torch.randint(0, 10, (64,))
    elif name == "W2":
        model, inputs = Transformer(), torch.randint(0, 100, (8, 64))
        targets = torch.randint(0, 100, (8, 64))
    elif name == "W4":
        model, inputs = Transformer(width=16, length=4), torch.randint(0, 100, (1, 4))
        targets = torch.randint(0, 100, (1, 4))
    else:
        model, inputs, targets = CNN(), torch.randn(16, 3, 32, 32), torch.randint(0, 10, (16,))
    adam = torch.optim.Adam(model.parameters(), lr=1e-3) if name in ("W2", "W4") else None
    optimizer = adam or torch.optim.SGD(model.parameters(), lr=0.01)
    return model, optimizer, inputs, targets


def classifier(model, optimizer, inputs, targets):
    """A step of its training."""

    def step():
        optimizer.zero_grad()
        loss = F.cross_entropy(model(inputs), targets)
        loss.backward()
        optimizer.step()
        return loss

    return step


def main():
    name, address, *detect = sys.argv[1:]
    torch.manual_seed(0)
    torch.set_num_threads(1)
    step, _, _ = workload(name)
    with torch.autograd.set_detect_anomaly(bool(detect)), Client(address, "AF_UNIX") as link:
        for _ in range(5):
            step()
        while count := link.recv():
            cpu, wall = time.process_time(), time.perf_counter()
            for _ in range(count):
                loss = step()
            cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
            link.send((cpu / count, wall / count, loss.item()))


if __name__ == "__main__":
    main()
