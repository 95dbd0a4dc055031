"""Writes to watched tensors in other places than the one that named them: an update, a thread."""

import threading

import torch

torch.manual_seed(3)
scale = torch.ones(2)
model = torch.nn.Linear(2, 2)
adam = torch.optim.Adam(model.parameters(), lr=0.1)


def forward(x):
    y = x * scale  # @scaled
    return model(y)


def seen():
    (torch.ones(1, requires_grad=True) * 2).sum().backward()
    scale.mul_(2)  # @seen


def unseen():
    scale.mul_(2)


@torch.compile(backend="eager")
def compiled(item):
    item.add_(1)
    return item * 2


def run(function):
    thread = threading.Thread(target=function)
    thread.start()
    thread.join()


x = torch.ones(1, 2)  # @begin
for step in range(5):
    loss = forward(x).sum()  # @loss
    loss.backward()
    adam.step()  # @adam
    adam.zero_grad()
fused = torch.optim.Adam(model.parameters(), lr=0.1, fused=True)  # @trained
model(x).sum().backward()
fused.step()  # @fused
print(loss.item().hex())  # @fused_trained


def rebound():
    item = torch.ones(2)
    torch.ones(1)  # @rebound
    item = torch.ones(2) * 2
    del item
    item = torch.zeros(3)  # @bound_again
    torch.ones(1)
    return item  # @bound


rebound()
scale = scale + 1  # @scale
scale.add_(1)  # @add
compiled(scale)  # @compiled
run(seen)  # @threads
run(unseen)
total = scale.sum()  # @after
print(total.item().hex())
