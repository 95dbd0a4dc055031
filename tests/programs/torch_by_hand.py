"""Gradient descent without an optimizer: a backward pass ends each step."""

import torch

torch.manual_seed(5)
torch.set_num_threads(1)
x, y = torch.randn(16, 3), torch.randn(16, 1)
weight = torch.randn(3, 1, requires_grad=True)
bias = torch.zeros(1, requires_grad=True)
for _ in range(6):
    loss = (x @ weight + bias - y).pow(2).mean()
    loss.backward()  # @backward
    with torch.no_grad():
        for parameter in (weight, bias):
            parameter -= 0.1 * parameter.grad  # @update
            parameter.grad = None
    print(loss.item().hex())


def functional(w):
    return (x @ w - y).pow(2).mean()


w = weight.detach()
for _ in range(4):
    gradient = torch.func.grad(functional)(w)  # @functional
    w = w - 0.1 * gradient
w.requires_grad_()
for _ in range(5):
    (gradient,) = torch.autograd.grad(functional(w), w)  # @grad
    w = (w - 0.1 * gradient).detach().requires_grad_()
for _ in range(3):
    (first,) = torch.autograd.grad(functional(w), w, create_graph=True)
    (second,) = torch.autograd.grad(first.sum(), w)  # @second
    w = (w - 0.1 * first.detach() / (1 + second)).detach().requires_grad_()
print(w.sum().item().hex())
