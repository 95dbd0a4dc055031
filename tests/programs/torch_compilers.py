"""Compilers, exporters and tracers: what they make of a function must not depend on who looks on."""

import sys
import warnings

import torch
import torch._dynamo
from torch import nn

warnings.simplefilter("ignore")
torch.manual_seed(2)
torch.set_num_threads(1)
x = torch.randn(4, 4, requires_grad=True)


def function(a):
    return (a @ a).sin().sum()


def broken(a):
    b = a.sin()
    torch._dynamo.graph_break()
    return (b @ a).sum()


class Layer(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(4, 4)

    def forward(self, a):
        return torch.relu(self.linear(a))


def counters():
    found = torch._dynamo.utils.counters
    return {key: dict(found[key]) for key in ("stats", "frames", "graph_break") if found[key]}


def compiled():
    for backend in sys.argv[1:] or ("eager", "aot_eager"):
        torch._dynamo.reset()
        torch._dynamo.utils.counters.clear()
        f = torch.compile(function, backend=backend, fullgraph=True)
        for _ in range(4):
            x.grad = None
            out = f(x)  # @compiled
            out.backward()
        print(backend, out.item().hex(), x.grad.sum().item().hex(), counters())
        layer = torch.compile(Layer(), backend=backend, fullgraph=True)
        optimizer = torch.optim.Adam(layer.parameters())
        for _ in range(3):
            loss = layer(x.detach()).pow(2).sum()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        print(loss.item().hex(), counters())
        torch._dynamo.utils.counters.clear()
        print(torch.compile(broken, backend=backend)(x).item().hex(), counters())

        torch.compile(optimizer.step, backend=backend)()
        print(counters())


def attention():
    torch.manual_seed(4)
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True).eval()
    data = torch.randn(2, 3, 8)
    with torch.no_grad():
        print("fast path", layer(data).double().sum().item().hex())
    scripted = torch.jit.script(nn.MultiheadAttention(8, 2, batch_first=True).eval())
    print("scripted", scripted(data, data, data)[0].shape)


def traced():
    scripted = torch.jit.script(function)
    print("script", scripted(x).item().hex(), str(scripted.graph))
    scripted(x).backward()
    trace = torch.jit.trace(Layer(), torch.randn(2, 4))
    print("trace", str(trace.inlined_graph))
    symbolic = torch.fx.symbolic_trace(Layer())
    print("fx", symbolic.code)
    exported = torch.export.export(Layer(), (torch.randn(2, 4),))
    print("export", str(exported.graph))
    strict = torch.export.export(Layer(), (torch.randn(2, 4),), strict=True)
    print("export", str(strict.graph))
    made = torch.fx.experimental.proxy_tensor.make_fx(function, tracing_mode="symbolic")(x.detach())
    print("make_fx", made.code)


def main():
    attention()
    compiled()
    traced()


main()
