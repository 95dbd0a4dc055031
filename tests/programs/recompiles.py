"""Each line that is marked compiles a function again, for a reason of its own."""

import logging

import torch
from torch import nn

logging.disable(logging.WARNING)


@torch.compile(backend="eager")
def function(a, n=1):
    return a * (n if isinstance(n, int) else 2)


class Layer(nn.Module):
    def __init__(self):
        super().__init__()
        self.factor = 1

    def forward(self, a):
        return a * self.factor


def main(n=1):
    a = torch.ones(3)
    function(a)  # @first
    function(torch.ones(4))  # @size
    function(a.double())  # @dtype
    function(torch.ones(2, 3))  # @rank
    function(a, 2)  # @value
    function(a, "x")  # @type
    with torch.no_grad():
        function(a)  # @grad
    layer = Layer()
    compiled = torch.compile(layer, backend="eager")
    compiled(a)
    layer.factor = 2
    compiled(a)  # @attribute
    for factor in range(3, 12):
        layer.factor = factor
        compiled(a)  # @limit


main()
