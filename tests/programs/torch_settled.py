"""Training that has gone on for a while before anything changes, or goes wrong."""

import torch
from torch import nn

torch.manual_seed(5)
torch.set_num_threads(1)
x, labels = torch.randn(6, 4), torch.randint(0, 3, (6,))
lossy = nn.functional.cross_entropy


def made(kind=torch.optim.SGD, **settings):
    model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 3))
    return model, kind(model.parameters(), **{"lr": 0.1, **settings})


def train(model, optimizer, steps, data=x, zero=True):
    for _ in range(steps):
        if zero:
            optimizer.zero_grad()
        loss = lossy(model(data), labels)
        loss.backward()
        optimizer.step()
    return loss


# Optimizers take turns.
maker, makes = made()
judge, judges = made(torch.optim.Adam)
for _ in range(9):
    for model, optimizer in ((maker, makes), (judge, judges)):
        optimizer.zero_grad()
        lossy(model(x), labels).backward()
        optimizer.step()

# The learning rate changes, is 0 for a while, and isn't.
model, optimizer = made(momentum=0.9)
train(model, optimizer, 9)
for rate in (0.05, 0.025, 0.0, 0.0, 0.0, 0.0, 0.1, 0.1):
    optimizer.param_groups[0]["lr"] = rate
    train(model, optimizer, 1)

# It becomes too large for the parameters, not for their gradients.
point = torch.tensor([1.0], requires_grad=True)
optimizer = torch.optim.SGD([point], lr=0.001)
for rate in (*[0.001] * 9, 1e38, 1e38):
    optimizer.param_groups[0]["lr"] = rate
    optimizer.zero_grad()
    (point * 50).sum().backward()
    optimizer.step()

# The data holds NaN.
model, optimizer = made()
train(model, optimizer, 9)
train(model, optimizer, 2, torch.where(x > 1, torch.log(-x.abs()), x))

# Gradients aren't zeroed any more.
model, optimizer = made()
train(model, optimizer, 9)
train(model, optimizer, 6, zero=False)

# A layer is frozen.
model, optimizer = made()
train(model, optimizer, 9)
model[0].requires_grad_(False)
train(model, optimizer, 5)

# The loss is 0, then no more.
point = torch.tensor([1.0], requires_grad=True)
optimizer = torch.optim.SGD([point], lr=0.1)
for factor in (1, 1, 1, 1, 1, 0, 0, 0, 0, 1):
    optimizer.zero_grad()
    (point * factor).sum().backward()
    optimizer.step()

# A step that raises, closures, gradients that are differentiated, clipped, and two losses.
model, optimizer = made()
train(model, optimizer, 6)
for turn in range(8):
    optimizer.zero_grad()
    loss = lossy(model(x), labels)
    if turn == 3:
        handle = model[0].weight.register_hook(lambda gradient: 1 / 0)
    try:
        loss.backward(retain_graph=turn == 4, create_graph=turn == 5)
    except ZeroDivisionError:
        handle.remove()
        continue
    if turn == 4:
        loss.backward()
    if turn == 6:
        nn.utils.clip_grad_norm_(model.parameters(), 0.1)
    optimizer.step((lambda: lossy(model(x), labels)) if turn == 7 else None)
broken = optimizer.register_step_post_hook(lambda *_: 1 / 0)
try:
    train(model, optimizer, 1)
except ZeroDivisionError:
    broken.remove()
loss = train(model, optimizer, 70)
print(loss.item().hex(), sum(p.sum().item() for p in model.parameters()).hex())
