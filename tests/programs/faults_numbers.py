"""NaN and Inf: each ``fault_x`` has one fault on the line marked so, and ``fixed_x`` is its twin."""

import warnings

import torch
import torch.nn.functional as F
from torch import nn


def train(model, loss_of, steps=3, lr=0.01):
    optimizer = torch.optim.SGD(model.parameters(), lr=lr)
    for _ in range(steps):
        optimizer.zero_grad()
        loss = loss_of(model)
        loss.backward()
        optimizer.step()
    return loss


class Scale(nn.Module):
    def __init__(self, *values):
        super().__init__()
        self.w = nn.Parameter(torch.tensor(values or (1.0, 2.0, 3.0)))


def x(*values):
    return torch.tensor(values or (0.0, 1.0, 2.0))


def fault_log_of_zero():
    train(Scale(), lambda m: torch.log(m.w * x()).mean())  # @fault


def fixed_log_of_zero():
    train(Scale(), lambda m: torch.log((m.w * x()).clamp(min=1e-6)).mean())


def masked_quotient(m, total):
    return torch.where(total > 0, m.w / total, torch.zeros(3)).sum()  # @fault


def fault_masked_quotient():
    train(Scale(0.0, 1.0, 2.0), lambda m: masked_quotient(m, x() * m.w.detach()))


def fixed_masked_quotient():
    def loss(m):
        total = x() * m.w.detach()
        safe = torch.where(total > 0, total, torch.ones(3))
        return torch.where(total > 0, m.w / safe, torch.zeros(3)).sum()

    train(Scale(0.0, 1.0, 2.0), loss)


def fault_masked_sqrt():
    def loss(m):
        root = torch.sqrt(m.w)  # @fault
        return torch.where(m.w > 0, root, torch.zeros(3)).sum()

    train(Scale(0.0, 1.0, 4.0), loss)


def fixed_masked_sqrt():
    def loss(m):
        root = torch.sqrt(torch.where(m.w > 0, m.w, torch.ones(3)))
        return torch.where(m.w > 0, root, torch.zeros(3)).sum()

    train(Scale(0.0, 1.0, 4.0), loss)


def fault_derivative_of_sqrt():
    train(Scale(1.0, 0.0, 2.0), lambda m: (m.w**2).sqrt().sum())  # @fault


def fixed_derivative_of_sqrt():
    train(Scale(1.0, 0.0, 2.0), lambda m: (m.w**2 + 1e-8).sqrt().sum())


def fault_norm_at_zero():
    def loss(m):
        distance = (m.w * torch.zeros(3)).pow(2).sum().sqrt()  # @fault
        return distance + m.w.sum()

    train(Scale(), loss)


def fixed_norm_at_zero():
    train(Scale(), lambda m: torch.linalg.vector_norm(m.w * x()) + m.w.sum())


def fault_cross_entropy_by_hand():
    def loss(m):
        p = torch.sigmoid(m.w * 200)
        y = torch.tensor([0.0, 1.0, 1.0])
        return -(y * p.log() + (1 - y) * (1 - p).log()).mean()  # @fault

    train(Scale(), loss)


def fixed_cross_entropy_by_hand():
    def loss(m):
        y = torch.tensor([0.0, 1.0, 1.0])
        return F.binary_cross_entropy_with_logits(m.w * 200, y)

    train(Scale(), loss)


def fault_softmax_by_hand():
    def loss(m):
        scores = torch.exp(m.w * 100)  # @fault
        return (scores / scores.sum())[0]

    train(Scale(), loss)


def fixed_softmax_by_hand():
    def loss(m):
        scores = m.w * 100
        largest = scores.max().detach()
        return scores[0] - largest - torch.exp(scores - largest).sum().log()

    train(Scale(), loss)


def fault_log_of_softmax():
    train(Scale(), lambda m: -torch.log(F.softmax(m.w * 1000, 0))[0])  # @fault


def fixed_log_of_softmax():
    train(Scale(), lambda m: -F.log_softmax(m.w * 1000, 0)[0])


def fault_row_masked_whole():
    def loss(m):
        scores = m.w.expand(2, 3).masked_fill(
            torch.tensor([[0, 1, 0], [1, 1, 1]]).bool(), -torch.inf
        )
        return F.softmax(scores, 1).square().sum()  # @fault

    train(Scale(), loss)


def fixed_row_masked_whole():
    def loss(m):
        scores = m.w.expand(2, 3).masked_fill(
            torch.tensor([[0, 1, 0], [0, 1, 0]]).bool(), -torch.inf
        )
        return F.softmax(scores, 1).square().sum()

    train(Scale(), loss)


def fault_deviation_of_one():
    def loss(m):
        batch = (m.w * x()).reshape(1, 3)
        return (batch / batch.std(0)).sum()  # @fault

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        train(Scale(), loss)


def fixed_deviation_of_one():
    def loss(m):
        batch = (m.w * x()).expand(2, 3) + torch.randn(2, 3)
        return (batch / batch.std(0)).sum()

    train(Scale(), loss)


def fault_power_of_negative():
    train(Scale(-1.0, 2.0, 3.0), lambda m: (m.w**0.5).sum())  # @fault


def fixed_power_of_negative():
    train(Scale(-1.0, 2.0, 3.0), lambda m: (m.w.abs() ** 0.5).sum())


def fault_acos_above_one():
    train(Scale(0.5, 0.7, 1.2), lambda m: torch.acos(m.w).sum())  # @fault


def fixed_acos_above_one():
    train(Scale(0.5, 0.7, 1.2), lambda m: torch.acos(m.w.clamp(-0.999, 0.999)).sum())


def fault_half_overflow():
    def loss(m):
        scores = m.w.half() * 40000  # @fault
        return scores.float().mean()

    train(Scale(), loss)


def fixed_half_overflow():
    train(Scale(), lambda m: (m.w.half() * 100).float().mean())


def fault_state_carried_on():
    cell, state = nn.RNNCell(3, 3), torch.zeros(1, 3)
    optimizer = torch.optim.SGD(cell.parameters(), lr=0.01)
    for number in range(4):
        state = cell(torch.ones(1, 3), state.detach())
        if number == 1:
            state = state / (state - state)  # @fault
        optimizer.zero_grad()
        state.sum().backward()
        optimizer.step()


def fixed_state_carried_on():
    cell, state = nn.RNNCell(3, 3), torch.zeros(1, 3)
    optimizer = torch.optim.SGD(cell.parameters(), lr=0.01)
    for _ in range(4):
        state = cell(torch.ones(1, 3), state.detach())
        optimizer.zero_grad()
        state.sum().backward()
        optimizer.step()


def fault_empty_mean():
    def loss(m):
        chosen = (m.w * x())[x() > 5]
        return chosen.mean() + m.w.sum()  # @fault

    train(Scale(), loss)


def fixed_empty_mean():
    def loss(m):
        chosen = (m.w * x())[x() > 5]
        return (chosen.mean() if len(chosen) else 0) + m.w.sum()

    train(Scale(), loss)


def exploding(lr):
    torch.manual_seed(0)
    model = nn.Linear(3, 1)
    inputs, targets = torch.randn(8, 3), torch.randn(8, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=lr)
    for _ in range(40):
        optimizer.zero_grad()
        error = model(inputs) - targets
        loss = (error**2).mean()  # @fault
        loss.backward()
        optimizer.step()


def fault_exploding_rate():
    exploding(100.0)


def fixed_exploding_rate():
    exploding(0.01)


def fault_update_overflows():
    model = Scale()
    optimizer = torch.optim.SGD(model.parameters(), lr=1e38)
    for _ in range(3):
        optimizer.zero_grad()
        (model.w * 100).sum().backward()
        optimizer.step()  # @fault


def fixed_update_overflows():
    train(Scale(), lambda m: (m.w * 100).sum(), lr=1e-3)


def fault_gradient_overflows():
    def loss(m):
        large = m.w * 1e-20 * 1e30  # @fault
        return (large * 1e-20).sum() * 1e30

    train(Scale(), loss)


def fixed_gradient_overflows():
    train(Scale(), lambda m: (m.w * 1e3 * 1e-3).sum())


def fault_data():
    train(Scale(), lambda m: (m.w * x(1.0, float("nan"), 2.0)).sum())  # @fault


def fixed_data():
    train(Scale(), lambda m: (m.w * torch.nan_to_num(x(1.0, float("nan"), 2.0))).sum())


def fault_read_without_backward():
    with torch.no_grad():
        total = torch.zeros(3)
        print((x() / total).sum().item() > 1)  # @fault


def fixed_read_without_backward():
    with torch.no_grad():
        print((x() / (x() + 1)).sum().item() > 1)


class Reciprocal(torch.autograd.Function):
    @staticmethod
    def forward(ctx, a):
        ctx.save_for_backward(a)
        return torch.where(a == 0, torch.zeros_like(a), a)

    @staticmethod
    def backward(ctx, g):
        (a,) = ctx.saved_tensors
        return g / a  # @fault


class Kept(Reciprocal):
    @staticmethod
    def backward(ctx, g):
        return g


def fault_custom_backward():
    train(Scale(0.0, 1.0, 2.0), lambda m: Reciprocal.apply(m.w).sum())


def fixed_custom_backward():
    train(Scale(0.0, 1.0, 2.0), lambda m: Kept.apply(m.w).sum())


def fixed_on_purpose():
    """Inf that is meant: masks, first values, garbage, a branch that isn't taken."""
    model = nn.Linear(4, 4)
    causal = torch.triu(torch.full((4, 4), float("-inf")), 1)
    best = torch.full((4,), float("inf"))
    lowest = float("inf")

    def loss(m):
        nonlocal lowest
        scores = m(torch.eye(4))
        allowed = torch.where(torch.eye(4) > 0, torch.tensor(0.0), torch.log(torch.zeros(4, 4)))
        masked = (scores + causal).softmax(1) + (scores + allowed.detach()).softmax(1)
        masked = masked + scores.masked_fill(causal < 0, -torch.inf).softmax(1)
        garbage = torch.empty(4)
        garbage.fill_(float("nan"))
        garbage.mul_(2).zero_()
        best.copy_(torch.minimum(best, scores.detach().amin(1)))
        lowest = min(lowest, best.min().item())
        return (masked * scores).sum() + garbage.sum() + (scores + causal).logsumexp(1).mean()

    train(model, loss)
    with torch.no_grad():
        scores = model(torch.eye(4))
        print(torch.where(scores > 0, scores.log(), torch.zeros(4, 4)).sum().item() < 100)


def fixed_scaled_loss():
    """A scaled loss whose gradients overflow: the scaler leaves the step out, and scales less."""
    model = nn.Linear(3, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    scaler = torch.amp.GradScaler("cpu", init_scale=1e38)
    for _ in range(3):
        optimizer.zero_grad()
        loss = (model(torch.ones(2, 3) * 100) ** 2).sum()
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
