"""Everything that autograd has; prints the gradients that it gets."""

import threading

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

torch.manual_seed(1)
torch.set_num_threads(1)
w = torch.randn(4, 4, requires_grad=True)


def show(name, *tensors):
    print(name, *[float(t.detach().double().sum()).hex() for t in tensors])


class Doubled(torch.autograd.Function):
    @staticmethod
    def forward(ctx, a):
        ctx.save_for_backward(a)
        return a * 2  # @custom_forward

    @staticmethod
    def backward(ctx, g):
        (a,) = ctx.saved_tensors
        return g * 2 + a * 0  # @custom_backward


def plain():
    y = w @ w  # @matmul
    y = y.sin()  # @sin
    y.sum().backward()  # @sum
    show("plain", w.grad)


def retained():
    loss = (w * 3).sum()  # @retained
    loss.backward(retain_graph=True)
    loss.backward()
    show("retained", w.grad)


def double():
    (g,) = torch.autograd.grad((w @ w).sin().sum(), w, create_graph=True)  # @double
    g.pow(2).sum().backward()
    show("double", w.grad)


def custom():
    Doubled.apply(w).exp().sum().backward()  # @custom
    show("custom", w.grad)


def checkpointed(a):
    return (a @ a).sin().cos()  # @recomputed


def checkpoints():
    for reentrant in (False, True):
        checkpoint(checkpointed, w, use_reentrant=reentrant).sum().backward()  # @checkpoint
        show("checkpoint", w.grad)


def hooks():
    seen = []
    handle = w.register_hook(lambda g: g * 2)
    y = w * w
    node = y.grad_fn.register_prehook(lambda grads: seen.append(len(grads)))
    y.sum().backward()
    handle.remove()
    node.remove()
    multi = torch.autograd.graph.register_multi_grad_hook((w,), lambda g: seen.append(1))
    (w + 1).sum().backward()
    multi.remove()
    show("hooks", w.grad, torch.tensor(float(sum(seen))))


def transforms():
    f = lambda a: (a @ a).sin().sum()  # noqa: E731
    show("func.grad", torch.func.grad(f)(w.detach()))
    show("jacrev", torch.func.jacrev(lambda a: (a @ a).sin())(w.detach()))
    show("vmap", torch.func.vmap(torch.func.grad(lambda r: r.exp().sum()))(w.detach()))
    show("hessian", torch.autograd.functional.hessian(f, w.detach()))
    show("jacobian", torch.autograd.functional.jacobian(lambda a: a.tanh(), w, vectorize=True))
    show("jvp", torch.func.jvp(f, (w.detach(),), (torch.ones(4, 4),))[1])


def raising():
    y = (w * 2).sum()
    y.backward()
    try:
        y.backward()
    except RuntimeError as error:
        print("raised", str(error)[:40])

    class Fails(torch.autograd.Function):
        @staticmethod
        def forward(ctx, a):
            return a.clone()

        @staticmethod
        def backward(ctx, g):
            raise ValueError("mine")

    try:
        Fails.apply(w).sum().backward()
    except ValueError as error:
        print("raised", error)
    try:
        torch.ones(2, 3) @ torch.ones(2, 3)
    except RuntimeError as error:
        print("raised", str(error)[:40])


def threads():
    found = {}

    def work(number):
        model = nn.Linear(4, 1)
        with torch.no_grad():
            model.weight.fill_(number / 7)
            model.bias.fill_(0.5)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for _ in range(5):
            optimizer.zero_grad()
            model(w.detach()).pow(2).sum().backward()
            optimizer.step()  # @threaded
        found[number] = model.weight.detach()

    workers = [threading.Thread(target=work, args=(number,)) for number in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    show("threads", *[found[number] for number in sorted(found)])


def main():
    for part in (plain, retained, double, custom, checkpoints, hooks, transforms, raising):
        w.grad = None
        part()
    threads()
    left = [p for p in (w,) if p.grad_fn is not None]
    print("left", left, len(w._backward_hooks or ()))


main()
