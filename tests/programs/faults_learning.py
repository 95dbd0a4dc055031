"""Nothing learned: each ``fault_x`` has one fault on the line marked so, and ``fixed_x`` is its twin."""

import torch
import torch.nn.functional as F
from torch import nn


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Linear(4, 8)
        self.head = nn.Linear(8, 2)

    def forward(self, x):
        return self.head(torch.tanh(self.body(x)))


def train(model, optimizer, loss_of, steps=4):
    for _ in range(steps):
        optimizer.zero_grad()
        loss_of(model, torch.randn(6, 4)).backward()
        optimizer.step()


def loss_of(model, x):
    return F.cross_entropy(model(x), torch.zeros(len(x), dtype=torch.long))


def fault_never_zeroed():
    model = Model()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    for _ in range(4):
        loss_of(model, torch.randn(6, 4)).backward()
        optimizer.step()  # @fault


def fixed_accumulated_on_purpose():
    model = Model()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    for number in range(12):
        loss_of(model, torch.randn(6, 4)).backward()
        if number % 3 == 2:
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad(set_to_none=number > 6)


def fixed_zeroed_by_hand():
    model = Model()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    for _ in range(4):
        for parameter in model.parameters():
            if parameter.grad is not None:
                parameter.grad.zero_()
        loss_of(model, torch.randn(6, 4)).backward()
        optimizer.step()


def fault_detached():
    model = Model()

    def loss(model, x):
        hidden = torch.tanh(model.body(x)).detach()  # @fault
        return model.head(hidden).square().mean()

    train(model, torch.optim.SGD(model.parameters(), lr=0.01), loss)


def fixed_detached():
    model = Model()

    def loss(model, x):
        hidden = torch.tanh(model.body(x))
        print(hidden.detach().mean().item() < 5)
        return model.head(hidden).square().mean()

    train(model, torch.optim.SGD(model.parameters(), lr=0.01), loss)


def fault_frozen_head():
    model = Model()
    model.head.requires_grad_(False)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)  # @fault
    train(model, optimizer, loss_of)


def fixed_frozen_head():
    model = Model()
    model.head.requires_grad_(False)
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.01)
    train(model, optimizer, loss_of)


def fixed_zeroed_through_data():
    model = Model()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    for _ in range(4):
        loss_of(model, torch.randn(6, 4)).backward()
        optimizer.step()
        for parameter in model.parameters():
            parameter.grad.data.zero_()


def fixed_frozen_in_turns():
    model = Model()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    for number in range(6):
        model.head.requires_grad_(number % 2 == 0)
        model.body.requires_grad_(number % 2 == 1)
        train(model, optimizer, loss_of, steps=1)


def fault_other_model():
    model, other = Model(), Model()
    optimizer = torch.optim.SGD(other.parameters(), lr=0.01)  # @fault
    train(model, optimizer, loss_of)


def fixed_other_model():
    model = Model()
    train(model, torch.optim.SGD(model.parameters(), lr=0.01), loss_of)


def fault_no_grad_around_body():
    model = Model()

    def loss(model, x):
        with torch.no_grad():
            hidden = model.body(x)  # @fault
        return model.head(hidden).square().mean()

    train(model, torch.optim.Adam(model.parameters(), lr=0.01), loss)


def fixed_no_grad_around_body():
    model = Model()

    def loss(model, x):
        with torch.no_grad():
            target = model(x).mean()
        return (model(x) - target).square().mean()

    train(model, torch.optim.Adam(model.parameters(), lr=0.01), loss)


def fault_data_of_hidden():
    model = Model()

    def loss(model, x):
        hidden = model.body(x).data  # @fault
        return model.head(hidden).square().mean()

    train(model, torch.optim.SGD(model.parameters(), lr=0.01), loss)


def fixed_data_of_hidden():
    model = Model()
    train(model, torch.optim.SGD(model.parameters(), lr=0.01), lambda m, x: m(x).square().mean())


def fault_loss_from_item():
    model = Model()

    def loss(model, x):
        value = model(x).square().mean().item()  # @fault
        return torch.tensor(value, requires_grad=True)

    train(model, torch.optim.SGD(model.parameters(), lr=0.01), loss)


def fixed_loss_from_item():
    model = Model()

    def loss(model, x):
        value = model(x).square().mean()
        print(value.item() < 100)
        return value

    train(model, torch.optim.SGD(model.parameters(), lr=0.01), loss)


def fault_unused_layer():
    model = Model()
    extra = nn.Linear(2, 2)
    optimizer = torch.optim.SGD([*model.parameters(), *extra.parameters()], lr=0.01)  # @fault
    train(model, optimizer, loss_of)


def fixed_unused_now_and_then():
    """Two experts that take turns: each is without a gradient in two steps in a row."""
    experts, turn = nn.ModuleList([Model(), Model()]), [0]

    def loss(experts, x):
        turn[0] += 1
        return loss_of(experts[turn[0] // 2 % 2], x)

    train(experts, torch.optim.SGD(experts.parameters(), lr=0.01), loss, steps=7)


def fixed_experts():
    """One isn't chosen at first; a detach that has to do with neither is there too."""
    experts, count = nn.ModuleList([nn.Linear(4, 4) for _ in range(3)]), [0]

    def loss(experts, x):
        count[0] += 1
        hidden = experts[0 if count[0] < 6 else count[0] % 3](x)
        print(hidden.detach().mean().item() < 5)
        return hidden.square().mean()

    train(experts, torch.optim.Adam(experts.parameters(), lr=0.01), loss, steps=9)


def fault_expert_never_chosen():
    experts = nn.ModuleList([Model(), Model()])
    optimizer = torch.optim.Adam(experts.parameters(), lr=0.01)  # @fault
    train(experts, optimizer, lambda experts, x: loss_of(experts[0], x), steps=24)


def fixed_gradients_that_fade():
    model = Model()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    for _ in range(5):
        for parameter in model.parameters():
            if parameter.grad is not None:
                parameter.grad.mul_(0.9)
        loss_of(model, torch.randn(6, 4)).backward()
        optimizer.step()


def fault_never_zeroed_but_clipped():
    model = Model()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    for _ in range(4):
        loss_of(model, torch.randn(6, 4)).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1e-3)
        optimizer.step()  # @fault


def fault_rate_of_zero():
    model = Model()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda epoch: epoch // 100)
    for _ in range(4):
        optimizer.zero_grad()
        loss_of(model, torch.randn(6, 4)).backward()
        optimizer.step()  # @fault
        schedule.step()


def fixed_rate_that_warms_up():
    model = Model()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda epoch: epoch / 100)
    for _ in range(4):
        optimizer.zero_grad()
        loss_of(model, torch.randn(6, 4)).backward()
        optimizer.step()
        schedule.step()


def dead(optimizer, model, bias):
    with torch.no_grad():
        model.bias.fill_(bias)
    for _ in range(4):
        optimizer.zero_grad()
        torch.relu(model(torch.randn(6, 4))).mean().backward()
        optimizer.step()  # @fault


def fault_dead_relu():
    model = nn.Linear(4, 2)
    dead(torch.optim.SGD(model.parameters(), lr=0.01), model, -100.0)


def fixed_dead_relu():
    model = nn.Linear(4, 2)
    dead(torch.optim.SGD(model.parameters(), lr=0.01), model, 1.0)


def fixed_nothing_left_to_learn():
    model = nn.Linear(2, 1)
    x, side = torch.tensor([[2.0, 2.0], [-2.0, -2.0]]), torch.tensor([[1.0], [-1.0]])
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    for _ in range(20):
        optimizer.zero_grad()
        torch.relu(1 - side * model(x)).mean().backward()
        optimizer.step()


def fixed_adversaries():
    """Two optimizers, each of which gets gradients that it didn't ask for."""
    maker, judge = nn.Linear(4, 4), nn.Linear(4, 1)
    first = torch.optim.Adam(maker.parameters(), lr=0.01)
    second = torch.optim.Adam(judge.parameters(), lr=0.01)
    for _ in range(4):
        second.zero_grad()
        judge(maker(torch.randn(6, 4)).detach()).mean().backward()
        second.step()
        first.zero_grad()
        (-judge(maker(torch.randn(6, 4)))).mean().backward()
        first.step()


def fixed_closure():
    model = Model()
    optimizer = torch.optim.LBFGS(model.parameters(), max_iter=3)
    x = torch.randn(6, 4)

    def closure():
        optimizer.zero_grad()
        loss = loss_of(model, x)
        loss.backward()
        return loss

    for _ in range(4):
        optimizer.step(closure)
