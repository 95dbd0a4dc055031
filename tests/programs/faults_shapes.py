"""A loss that broadcasts: each ``fault_x`` does on the line marked so, and ``fixed_x`` is its twin."""

import warnings

import torch
import torch.nn.functional as F
from torch import nn


def train(loss_of):
    model = nn.Linear(4, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    for _ in range(3):
        optimizer.zero_grad()
        loss_of(model(torch.randn(6, 4)), torch.randn(6)).backward()
        optimizer.step()


def fault_difference():
    def loss(predicted, target):
        error = predicted - target  # @fault
        return error.abs().pow(2).mean()

    train(loss)


def fixed_difference():
    train(lambda predicted, target: (predicted.squeeze(1) - target).abs().pow(2).mean())


def fault_product():
    train(lambda predicted, target: (1 - target.sign() * predicted).clamp(min=0).mean())  # @fault


def fixed_product():
    train(lambda predicted, target: (1 - target.sign() * predicted[:, 0]).clamp(min=0).mean())


def fault_mse_loss():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        train(lambda predicted, target: F.mse_loss(predicted, target))  # @fault


def fixed_mse_loss():
    train(lambda predicted, target: F.mse_loss(predicted, target.unsqueeze(1)))


def fixed_on_purpose():
    """Masks, biases, scores of all pairs, outer products, distances and normalization."""

    def loss(predicted, target):
        outer = predicted.squeeze(1)[:, None] * target
        pairs = predicted - predicted.T
        squares = (predicted**2).sum(1, keepdim=True)
        distances = squares + (predicted**2).sum(1) - 2 * predicted @ predicted.T
        normal = predicted / predicted.sum(0, keepdim=True)
        mask = (target[:, None] > target).float()
        ranked = F.softplus(-pairs) * mask
        scaled = nn.Parameter(torch.ones(6)) * torch.randn(5, 6)
        column, row, table = nn.Parameter(torch.ones(6, 1)), torch.randn(6), torch.randn(6, 6)
        factored = (column * row - table) ** 2
        everything = (outer, pairs, distances, normal, ranked, scaled, factored)
        return sum(item.mean() for item in everything)

    train(loss)
