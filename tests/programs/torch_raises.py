"""Calls that raise; prints the traceback of each."""

import threading
import traceback

import torch

model = torch.nn.Linear(3, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
compiled = torch.compile(lambda x: x @ x, backend="eager")


def train():
    for _ in range(3):
        optimizer.zero_grad()
        model(torch.ones(2, 3)).sum().backward()
        optimizer.step()


class Unreadable:
    """A parameter that isn't one."""

    def __getattr__(self, name):
        raise LookupError(name)


def no_parameters():
    torch.optim.Adam([])


def freed():
    loss = model(torch.ones(2, 3)).pow(2).sum()
    loss.backward()
    loss.backward()


def not_differentiable():
    torch.autograd.grad(torch.ones(()), [model.weight])


def unscaled():
    torch.amp.GradScaler("cpu").scale("loss")


def zeroing():
    other = torch.optim.SGD(model.parameters(), lr=0.1)
    other.param_groups[0]["params"] = [Unreadable()]
    other.zero_grad()


def closing():
    optimizer.step(lambda: 1 // 0)


def asking():
    torch.overrides.has_torch_function(3)


def operating():
    torch.nn.functional.linear(torch.ones(2, 3), torch.ones(2, 2))


def compiling():
    compiled(torch.ones(2, 3))


def tracing():
    torch.jit.trace(lambda x: x @ torch.ones(5, 5), torch.ones(2, 3))


def main():
    train()
    for call in (
        no_parameters, freed, not_differentiable, unscaled, zeroing, closing, asking, operating,
        compiling, tracing, train,
    ):  # fmt: skip
        try:
            call()
        except Exception:
            print(f"{call.__name__}:\n{traceback.format_exc()}")


main()
thread = threading.Thread(target=main)
thread.start()
thread.join()
