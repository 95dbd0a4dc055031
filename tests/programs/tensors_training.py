"""Trains with torch and prints a digest of all that a debugger could have changed."""

import hashlib

import torch

from graphdebug.runtime import presentation

presentation.install()

torch.manual_seed(0)
model = torch.nn.Sequential(
    torch.nn.Linear(20, 30), torch.nn.ReLU(), torch.nn.Dropout(0.5), torch.nn.Linear(30, 3)
)
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)


def digest(*tensors):
    found = hashlib.sha256()
    for tensor in tensors:
        found.update(tensor.detach().numpy().tobytes())
    return found.hexdigest()[:16]


def order(node, seen):
    """The graph behind a node, by name and by the rank of its sequence number."""
    if node is not None and node not in seen:
        seen[node] = node._sequence_nr()
        for each, _ in node.next_functions:
            order(each, seen)
    return seen


def train(step):
    inputs = torch.randn(64, 20)
    hidden = model[0](inputs)
    view = hidden.view(-1)[:30]
    hidden.mul_(2.0)  # the view's node is now made when somebody asks for it
    wide = torch.zeros(1).expand(10**9)
    print("forward")  # @forward
    outputs = model(inputs) + hidden.mean() + view.mean()
    loss = torch.nn.functional.cross_entropy(outputs, torch.randint(3, (64,)))
    loss.backward()
    grads = [parameter.grad for parameter in model.parameters()]
    print("backward")  # @backward
    nodes = order(loss.grad_fn, {})
    ranks = [name.name() for name in sorted(nodes, key=nodes.get)]
    optimizer.step()
    optimizer.zero_grad()
    print(step, loss.item(), wide.shape, digest(*grads), ranks)


for step in range(3):
    train(step)
print(digest(*model.parameters()), digest(torch.get_rng_state()))
