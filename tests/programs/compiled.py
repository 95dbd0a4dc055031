"""What compilers make of functions: each call of ``main``'s is one of a compiled function."""

import io
import sys

import torch
import torch._dynamo
from torch import nn

torch.manual_seed(1)
backend = sys.argv[1] if len(sys.argv) > 1 else "eager"
x = torch.randn(3, 4)


def helper(a):
    b = a.relu()  # @helper
    return b * 2


@torch.compile(backend=backend, fullgraph=True)
def function(a, n=1):
    k = n + 1  # @folded
    y = a * k  # @function
    z = helper(y)  # @calls
    return z.sum()


@torch.compile(backend=backend)
def broken(a):
    y = a + 1  # @before
    torch._dynamo.graph_break()
    return y * 3  # @after


class Layer(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(4, 2)

    def forward(self, a):
        y = self.linear(a)  # @linear
        return y.relu()  # @relu


compiled_layer = torch.compile(Layer(), backend=backend)
layer = Layer()
layer.compile(backend=backend)


@torch.jit.script
def scripted(a):
    y = a - 1  # @scripted
    for _ in range(2):
        y = y + a  # @loop
    return y  # @returned


class Scripted(nn.Module):
    def forward(self, a):
        return a.sin()  # @method


scripted_module = torch.jit.script(Scripted())


def to_trace(a):
    return a.cos()  # @traced


traced = torch.jit.trace(to_trace, x)


class Exported(nn.Module):
    def forward(self, a):
        return a.tanh()  # @exported


exported = torch.export.export(Exported(), (x,)).module()

saved = io.BytesIO()
torch.jit.save(scripted, saved)
saved.seek(0)
loaded = torch.jit.load(saved)


@torch.compile(backend=backend)
def untouched(a):
    return a / 2  # @untouched


def plain(a):
    return a.exp()  # @plain


def main():
    print(function(x).item().hex())  # @call_function
    print(broken(x).sum().item().hex())  # @call_broken
    print(compiled_layer(x).sum().item().hex())  # @call_compiled_layer
    print(layer(x).sum().item().hex())  # @call_layer
    print(scripted(x).sum().item().hex())  # @call_scripted
    print(scripted_module(x).sum().item().hex())  # @call_module
    print(traced(x).sum().item().hex())  # @call_traced
    print(exported(x).sum().item().hex())  # @call_exported
    print(loaded(x).sum().item().hex())  # @call_loaded
    print(untouched(x).sum().item().hex())  # @call_untouched
    print(plain(x).sum().item().hex())


for _ in range(2):
    main()
found = torch._dynamo.utils.counters
print({key: dict(found[key]) for key in ("stats", "frames")})
print("done")
