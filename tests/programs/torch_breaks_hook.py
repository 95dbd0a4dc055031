"""An error is planted in graphdebug itself; argument: which hook."""

import sys

import torch
from torch.optim import optimizer as optimizer_module

torch.manual_seed(0)
model = torch.nn.Linear(3, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)


def plant(where):
    def fails(*args, **kwargs):
        raise LookupError("planted")

    names = {
        "operation": ("trail", "Trail", "add"),
        "pass": ("backward", None, "_walk"),
        "node": ("backward", None, "infos"),
        "update": ("optimizers", None, "_key"),
        "step": ("trail", None, "describe"),
    }
    module, cls, name = names[where]
    owner = sys.modules.get(f"graphdebug.runtime.backends.torch.{module}")
    if owner is not None:
        setattr(getattr(owner, cls) if cls else owner, name, fails)


for step in range(4):
    if step == 1:
        plant(sys.argv[1])
    x = torch.randn(5 + step, 3)
    loss = model(x).pow(2).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(step, loss.item().hex(), torch._C._len_torch_function_stack() if step == 3 else "")
print([m._engine_run_backward.__closure__ for m in (torch.autograd.graph, torch.autograd)])
print(optimizer_module._global_optimizer_pre_hooks, torch.overrides.has_torch_function)
print(torch.optim.Optimizer.__init__.__closure__, torch.nn.Module.zero_grad.__closure__)
