"""Operations that raise: each ``fault_x`` does on the line marked so, and ``fixed_x`` is its twin."""

import torch
import torch.nn.functional as F
from torch import nn


def fault_shapes():
    features = torch.randn(8, 12)
    nn.Linear(16, 4)(features).sum().backward()  # @fault


def fixed_shapes():
    nn.Linear(12, 4)(torch.randn(8, 12)).sum().backward()


def fault_in_place():
    w = torch.ones(3, requires_grad=True)
    squashed = torch.sigmoid(w)
    squashed += 1
    squashed.sum().backward()  # @fault


def fixed_in_place():
    w = torch.ones(3, requires_grad=True)
    squashed = torch.sigmoid(w)
    squashed = squashed + 1
    squashed.sum().backward()


def fault_backward_twice():
    w = torch.ones(3, requires_grad=True)
    loss = (w * w).sum()
    loss.backward()
    loss.backward()  # @fault


def fixed_backward_twice():
    w = torch.ones(3, requires_grad=True)
    loss = (w * w).sum()
    loss.backward(retain_graph=True)
    loss.backward()


def fault_other_device():
    mask = torch.empty(3, device="meta")
    (torch.ones(3, requires_grad=True) * mask).sum().backward()  # @fault


def fixed_other_device():
    mask = torch.ones(3, device="cpu")
    (torch.ones(3, requires_grad=True) * mask).sum().backward()


def fault_no_gradients():
    w = torch.ones(3, requires_grad=True)
    with torch.no_grad():
        loss = (w * 2).sum()
    loss.backward()  # @fault


def fixed_no_gradients():
    w = torch.ones(3, requires_grad=True)
    (w * 2).sum().backward()


def fault_integer_parameters():
    weight = nn.Parameter(torch.arange(3))  # @fault
    weight.sum().backward()


def fixed_integer_parameters():
    weight = nn.Parameter(torch.arange(3.0))
    weight.sum().backward()


def fault_labels_as_numbers():
    scores = torch.randn(4, 3, requires_grad=True)
    F.cross_entropy(scores, torch.randn(4)).backward()  # @fault


def fixed_labels_as_numbers():
    scores = torch.randn(4, 3, requires_grad=True)
    F.cross_entropy(scores, torch.tensor([0, 1, 2, 0])).backward()


def fault_leaf_in_place():
    w = torch.ones(3, requires_grad=True)
    w -= 0.1  # @fault
    w.sum().backward()


def fixed_leaf_in_place():
    w = torch.ones(3, requires_grad=True)
    with torch.no_grad():
        w -= 0.1
    w.sum().backward()
