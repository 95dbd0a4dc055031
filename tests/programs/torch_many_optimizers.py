"""Accumulated gradients, two optimizers in turn, a closure, and a recurrent loop under grad."""

import torch
from torch import nn

torch.manual_seed(9)
torch.set_num_threads(1)
x = torch.randn(12, 4)

model = nn.Linear(4, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for _ in range(3):
    for part in range(4):
        loss = model(x[part::4]).pow(2).mean()
        (loss / 4).backward()
    optimizer.step()  # @accumulated
    optimizer.zero_grad()

maker, judge = nn.Linear(2, 4), nn.Linear(4, 1)
makes = torch.optim.Adam(maker.parameters())
judges = torch.optim.SGD(judge.parameters(), lr=0.01)
for _ in range(3):
    noise = torch.randn(12, 2)
    loss = judge(maker(noise).detach()).mean() - judge(x).mean()
    judges.zero_grad()
    loss.backward()
    judges.step()  # @judge
    loss = -judge(maker(noise)).mean()
    makes.zero_grad()
    loss.backward()
    makes.step()  # @maker

cell, head = nn.RNNCell(4, 5), nn.Linear(5, 1)
recurrent = torch.optim.RMSprop([*cell.parameters(), *head.parameters()], lr=0.01)
for _ in range(2):
    hidden = torch.zeros(3, 5)
    for moment in range(4):
        hidden = cell(x[moment * 3 : moment * 3 + 3], hidden)  # @moment
    loss = head(hidden).pow(2).mean()
    recurrent.zero_grad()
    loss.backward()
    recurrent.step()  # @recurrent

point = torch.tensor([1.0, 2.0], requires_grad=True)
newton = torch.optim.LBFGS([point], max_iter=4)


def closure():
    newton.zero_grad()
    value = (point - 3).pow(2).sum()  # @closure
    value.backward()
    return value


for _ in range(2):
    print(newton.step(closure).item().hex())  # @newton
print(sum(p.sum().item() for p in [*model.parameters(), *maker.parameters()]).hex())
