"""Training steps of three sizes: ``backward_steps.py mlp|transformer|cnn SOCKET [anomaly]``.

An MLP of about 1.3 ms a step, an encoder of four layers of about 46 ms, a CNN of eight of about 35 ms
(W1 to W3). Runs as many steps as it is asked for on the socket, and answers with the CPU time of the
whole process and the wall time that they took, in seconds a step, and the last loss. With ``anomaly``
under ``torch.autograd.detect_anomaly``.
"""

import sys
import time
import warnings
from multiprocessing.connection import Client

import torch
import torch.nn.functional as F
from torch import nn

kind, address, *options = sys.argv[1:]
torch.set_num_threads(1)
torch.manual_seed(0)
unlikely = False


class MLP(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(784, 256), nn.Linear(256, 256)
        self.last = nn.Linear(256, 10)

    def forward(self, x):
        if unlikely:
            x = x * 2  # @mlp_unreached
        x = F.relu(self.first(x))
        x = F.relu(self.second(x))  # @mlp_reached
        return self.last(x)


class Layer(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.norm_in, self.norm_out = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.heads = heads

    def forward(self, x):
        if unlikely:
            x = x * 2  # @transformer_unreached
        batch, length, width = x.shape
        parts = self.qkv(self.norm_in(x)).chunk(3, -1)
        shape = batch, length, self.heads, width // self.heads
        q, k, v = (part.view(shape).transpose(1, 2) for part in parts)
        scores = (q @ k.transpose(-2, -1)) * (width // self.heads) ** -0.5
        y = (scores.softmax(-1) @ v).transpose(1, 2).reshape(batch, length, width)
        x = x + self.proj(y)
        y = F.gelu(self.up(self.norm_out(x)))  # @transformer_reached
        return x + self.down(y)


class Encoder(nn.Module):
    def __init__(self, width=128, length=64, vocabulary=100):
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, width)
        self.position = nn.Parameter(torch.zeros(length, width))
        self.layers = nn.ModuleList([Layer(width, 4) for _ in range(4)])
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, vocabulary)

    def forward(self, tokens):
        x = self.embedding(tokens) + self.position
        for layer in self.layers:
            x = layer(x)
        return self.head(self.norm(x)).flatten(0, 1)


class CNN(nn.Module):
    def __init__(self, layers=8, width=16):
        super().__init__()
        sizes = [3, *[width] * layers]
        self.convs = nn.ModuleList(
            [nn.Conv2d(size, width, 3, padding=1) for size in sizes[:layers]]
        )
        self.norms = nn.ModuleList([nn.BatchNorm2d(width) for _ in range(layers)])
        self.last = nn.Linear(width, 10)

    def forward(self, x):
        if unlikely:
            x = x * 2  # @cnn_unreached
        for conv, norm in zip(self.convs, self.norms, strict=True):
            x = F.relu(norm(conv(x)))  # @cnn_reached
        return self.last(x.mean((2, 3)))


if kind == "mlp":
    model, inputs, targets = MLP(), torch.randn(64, 784), torch.randint(0, 10, (64,))
elif kind == "transformer":
    model, inputs = Encoder(), torch.randint(0, 100, (8, 64))
    targets = torch.randint(0, 100, (8, 64)).flatten()
else:
    model, inputs, targets = CNN(), torch.randn(16, 3, 32, 32), torch.randint(0, 10, (16,))
if kind == "transformer":
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
else:
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)


def step():
    optimizer.zero_grad()
    loss = F.cross_entropy(model(inputs), targets)
    loss.backward()
    optimizer.step()
    return loss


def now():
    return time.process_time(), time.perf_counter()


warnings.simplefilter("ignore")
torch.autograd.set_detect_anomaly("anomaly" in options)
for _ in range(5):
    step()
with Client(address, "AF_UNIX") as link:
    while count := link.recv():
        begin = now()
        for _ in range(count):
            loss = step()
        end = now()
        link.send(((end[0] - begin[0]) / count, (end[1] - begin[1]) / count, loss.item()))
