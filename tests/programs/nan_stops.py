"""Makes NaN and Inf in forward, in backward, in the optimizer, and where autograd doesn't follow."""

import torch

torch.set_num_threads(1)


def weight(*values):
    return torch.nn.Parameter(torch.tensor(values))


def in_forward(w):
    scaled = w * 2
    logs = torch.log(scaled)  # @forward
    logs.sum().backward()


def in_backward(w):
    root = torch.sqrt(w)  # @backward
    torch.where(w > 0, root * 0, w).sum().backward()


def in_the_optimizer(w):
    optimizer = torch.optim.SGD([w], lr=1e38)
    (w * 100).sum().backward()
    optimizer.step()  # @step


def read_late():
    with torch.no_grad():
        root = torch.tensor([-1.0, 4.0]).sqrt()  # @late
        print(root.sum().item() > 0)


in_forward(weight(0.0, 1.0, 2.0))
in_backward(weight(0.0, 1.0, 4.0))
in_the_optimizer(weight(1.0, 2.0))
read_late()
