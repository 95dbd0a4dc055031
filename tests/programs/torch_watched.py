"""Does to tensors, a line each, what data breakpoints stop for; prints what it comes to."""

import gc
import hashlib
import weakref

import torch
import torch.nn as nn
import torch.nn.functional as F


def writes(weight, values):
    with torch.no_grad():
        weight += 1  # @iadd
        weight.copy_(values)  # @copy
        weight.data[0] = 2.0  # @data
        view = weight[1]
        view.mul_(2)  # @view
        torch.add(weight, 1, out=weight)  # @out
    both = torch.zeros(4)
    left, right = both[:2], both[2:]
    right.add_(1)  # @beside
    left.add_(1)  # @left
    return both


def kinds(batch):
    batch.resize_(2, 6)  # @shape
    batch.data = batch.data.double()  # @dtype
    batch = batch.to("meta")  # @device
    return batch.mul(1)


def becomes(bad):
    bad[0] = 0.0  # @fine
    bad.log_()  # @inf
    bad.add_(1)  # @inf_still
    return bad


def leaves():
    short = torch.zeros(3)
    gone = weakref.ref(short)  # @gone
    short.add_(1)  # @short
    del short
    torch.zeros(1)  # @after
    gc.collect()
    print(gone() is None)


def train():
    model = nn.Linear(3, 2)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    unused = nn.Linear(3, 2)
    inputs, targets = torch.randn(4, 3), torch.randint(0, 2, (4,))
    loss = None
    for _ in range(3):  # @loop
        hidden = model(inputs)  # @hidden
        loss = F.cross_entropy(hidden, targets)  # @loss
        optimizer.zero_grad()
        loss.backward()  # @backward
        optimizer.step()  # @step
    return model, unused, loss


def main():
    torch.manual_seed(7)
    weight, values = torch.zeros(2, 2), torch.ones(2, 2)  # @weight
    both = writes(weight, values)  # @writes
    batch = kinds(torch.zeros(3, 4))  # @kinds
    bad = becomes(torch.ones(3))  # @becomes
    leaves()
    model, _, loss = train()
    digest = hashlib.sha256(b"".join(p.detach().numpy().tobytes() for p in model.parameters()))
    print(weight.tolist(), both.tolist(), batch.shape, bad.tolist(), loss.item().hex())
    print(digest.hexdigest())


main()
