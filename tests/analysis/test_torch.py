"""PyTorch: what is compiled, scripted, traced, exported, and what stays plain Python."""

from __future__ import annotations

import pytest
from marked_programs import check

COMPILED = {
    "decorator": "@torch.compile",
    "options": "@torch.compile(backend='eager', fullgraph=True)",
    "partial": "@functools.partial(torch.compile, backend='eager')",
    "imported": "@fast",
    "alias": "@jit",
    "under no_grad": "@torch.no_grad()\n@torch.compile",
    "over no_grad": "@torch.compile\n@torch.no_grad()",
    "dynamo": "@torch._dynamo.optimize('eager')",
}


@pytest.mark.parametrize("name", COMPILED)
def test_every_spelling_of_a_compiled_function(name: str) -> None:
    check(f"""
import functools
import torch
from torch import compile as fast
jit = torch.compile
{COMPILED[name]}
def step(x):
    return helper(x)  # @hidden torch.compile
def helper(x):
    return x  # @hidden torch.compile
    """)


MODELS = {
    "call": "net = torch.compile(Net())\nnet(1)",
    "rebound": "net = Net()\nnet = torch.compile(net)\nnet(1)",
    "in place": "net = Net()\nnet.compile()\nnet(1)",
    "in place, on a device": "net = Net().to('cuda')\nnet = torch.compile(Net(), mode='default')",
    "keyword": "net = torch.compile(model=Net())",
    "parallel": "net = torch.compile(torch.nn.DataParallel(Net()))",
    "sequence": "net = torch.compile(nn.Sequential(Net(), nn.ReLU()))",
    "method": "net = Net()\nnet.forward = torch.compile(net.forward)\nnet(1)",
    "parameter": "def run(net):\n    return torch.compile(net)\nrun(Net())",
    "trainer": (
        "class Trainer:\n    def __init__(self):\n        self.net = torch.compile(Net())\n"
        "    def step(self):\n        self.net(1)"
    ),
}


@pytest.mark.parametrize("name", MODELS)
def test_every_way_to_compile_a_model(name: str) -> None:
    check(f"""
import torch
from torch import nn
class Block(nn.Module):
    def forward(self, x):
        return x  # @hidden torch.compile
class Net(nn.Module):
    def __init__(self):
        super().__init__()  # @line
        self.first = Block()
        self.blocks = nn.ModuleList([Block() for _ in range(3)])
    def forward(self, x):
        x = self.first(x)  # @hidden torch.compile
        for block in self.blocks:
            x = block(x)
        return self.last(x)
    def last(self, x):
        return x  # @hidden torch.compile
{MODELS[name]}
    """)


def test_blocks_in_lists_are_found() -> None:
    check("""
        import torch
        from torch import nn
        class Listed(nn.Module):
            def forward(self, x):
                return x  # @hidden torch.compile
        class Indexed(nn.Module):
            def forward(self, x):
                return x  # @hidden torch.compile
        class Sequenced(nn.Module):
            def forward(self, x):
                return x  # @hidden torch.compile
        class Checkpointed(nn.Module):
            def forward(self, x):
                return x  # @hidden torch.compile
        class Unused(nn.Module):
            def forward(self, x):
                return x  # @line
        class Net(nn.Module):
            def __init__(self):
                self.blocks = nn.ModuleList([Listed() for _ in range(3)])
                self.table = nn.ModuleDict({"a": Indexed()})
                self.rest = nn.Sequential(Sequenced(), nn.ReLU())
                self.far = Checkpointed()
                self.unused = Unused()
            def forward(self, x):
                for i, block in enumerate(self.blocks):
                    x = block(x)
                x = torch.utils.checkpoint.checkpoint(self.far, x)
                return self.rest(self.table["a"](x))
        torch.compile(Net())
    """)


def test_what_stays_out_of_compiled_code() -> None:
    check("""
        import torch
        @torch.compiler.disable
        def disabled(x):
            return under(x)  # @line
        def under(x):
            return x  # @line
        @torch._dynamo.disable(recursive=True)
        def also(x):
            return x  # @line
        @torch.compile(disable=True)
        def off(x):
            return x  # @line
        @torch.compile
        def step(x):
            return also(disabled(x))  # @hidden torch.compile
        class Net(torch.nn.Module):
            def forward(self, x):
                return self.ignored(x)  # @hidden torch.jit.script
            @torch.jit.ignore
            def ignored(self, x):
                return x  # @line
            @torch.jit.export
            def exported(self, x):
                return x  # @hidden torch.jit.script
            def eager(self, x):
                return x  # @line
        torch.jit.script(Net())
    """)


def test_compiled_and_plain() -> None:
    check("""
        import torch
        def step(x):
            return helper(x)  # @both torch.compile
        def helper(x):
            return x  # @both torch.compile
        def once(x):
            return x  # @hidden torch.compile
        fast = torch.compile(step)
        slow = step(1)
        once = torch.compile(once)
        once(1)
    """)


@pytest.mark.parametrize(
    "switch",
    [
        "torch._dynamo.config.disable = True",
        "torch.compiler.set_stance('force_eager')",
        "os.environ['TORCHDYNAMO_DISABLE'] = '1'",
        "os.environ['TORCH_COMPILE_DISABLE'] = '1'",
    ],
)
def test_compilation_turned_off(switch: str) -> None:
    check(f"""
        import os
        import torch
        {switch}
        @torch.compile
        def step(x):
            return x  # @line
        @torch.jit.script
        def scripted(x):
            return x  # @hidden torch.jit.script
        step(1)
    """)


@pytest.mark.parametrize(
    "switch",
    [
        "if args.debug:\n    torch._dynamo.config.disable = True",
        "with torch.compiler.set_stance('force_eager'):\n    pass",
        "torch._dynamo.config.disable = args.debug",
        "torch._dynamo.config.disable = True\ntorch._dynamo.config.disable = False",
    ],
)
def test_compilation_turned_off_perhaps(switch: str) -> None:
    analysis = check(
        "import torch\n@torch.compile\ndef step(x):\n    return x  # @hidden torch.compile\n"
        + switch
    )
    assert "unless" in analysis.binding(4).reason


HANDED = {
    "torch.jit.trace(f, (1,))": "boundary torch.jit.trace",
    "g = torch.jit.trace(func=f, example_inputs=1)": "boundary torch.jit.trace",
    "torch.fx.symbolic_trace(f)": "boundary torch.fx.symbolic_trace",
    "torch.export.export(f, (1,))": "boundary torch.export.export",
    "torch.export.export(f, (1,), strict=True)": "hidden torch.export.export",
    "torch.cond(p, f, f, (1,))": "hidden torch.cond",
    "from torch._higher_order_ops.while_loop import while_loop\nwhile_loop(f, f, (1,))": (
        "hidden torch.while_loop"
    ),
    "from torch.fx.experimental.proxy_tensor import make_fx\nmake_fx(f)(1)": "boundary make_fx",
    "torch.jit.script(f)": "hidden torch.jit.script",
    "torch.vmap(f)(1)": "line",
    "torch.func.grad(f)(1)": "line",
    "torch.utils.checkpoint.checkpoint(f, 1)": "line",
    "torch.autograd.gradcheck(f, 1)": "line",
}


@pytest.mark.parametrize("call", HANDED)
def test_functions_that_are_handed_to_torch(call: str) -> None:
    check(f"""
import torch
def f(x):
    return helper(x)  # @{HANDED[call]}
def helper(x):
    return x  # @{HANDED[call]}
{call}
    """)


def test_autograd_functions_and_hooks_are_plain() -> None:
    check("""
        import torch
        class Double(torch.autograd.Function):
            @staticmethod
            def forward(ctx, x):
                return x * 2  # @line
            @staticmethod
            def backward(ctx, g):
                return g * 2  # @line
        x = torch.ones(3, requires_grad=True)
        x.register_hook(lambda g:
            g * 2)  # @line
        Double.apply(x).sum().backward()  # @line
    """)
