"""A frame full of torch's values, to look at."""

from collections import namedtuple
from dataclasses import dataclass

import torch

from graphdebug.runtime import presentation

presentation.install()


@dataclass
class Batch:
    """A user's class whose own repr holds a tensor."""

    inputs: torch.Tensor
    labels: list


Pair = namedtuple("Pair", "first second")


class MLP(torch.nn.Module):
    def __init__(self):
        layers = "not yet"  # @unready
        super().__init__()
        self.layers = torch.nn.Sequential(
            torch.nn.Linear(784, 256), torch.nn.ReLU(), torch.nn.Linear(256, 10)
        )
        self.note = layers

    def forward(self, inputs):
        return self.layers(inputs)


class Counting(torch.utils._python_dispatch.TorchDispatchMode):
    """Counts what is dispatched while a debugger looks."""

    count = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        Counting.count += 1
        return function(*args, **(kwargs or {}))


def show():
    torch.manual_seed(0)
    small = torch.tensor([0.0])
    scalar = torch.tensor(2.5)
    weight = torch.ones(2, 2, requires_grad=True)
    product = weight @ torch.zeros(2, 10)
    image = torch.arange(64 * 1000.0).reshape(64, 1000)
    huge = torch.zeros(1).expand(10**9)
    meta = torch.empty(10**5, 10**4, device="meta")
    parameter = torch.nn.Parameter(torch.zeros(64, 10))
    model = MLP()
    line = torch.nn.Linear(3, 4)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.1)
    model(torch.ones(1, 784)).sum().backward()
    optimizer.step()
    tensors = [image, small]
    named = {"image": image, image: "by tensor"}
    batch = Batch(image, [small])
    pair = Pair(image, small)
    storage = image.untyped_storage()
    print("ready", len(locals()))  # @stop
    with Counting():
        print("counting")  # @counting
    print("dispatched", Counting.count)


show()
globals().update({f"tensor_{at}": torch.full((100, 100), float(at)) for at in range(200)})
print("a frame of many")  # @many
