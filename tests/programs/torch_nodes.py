"""Training steps over many kinds of operations; ``watch``: but one, and hooks tell what autograd runs."""

import json
import sys

import torch
import torch.nn.functional as F
from torch import nn


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(12, 8)
        self.recurrent = nn.GRUCell(8, 8)
        self.scale = nn.Parameter(torch.ones(8))
        self.heads = nn.ModuleList([nn.Linear(8, 3), nn.Linear(8, 5)])

    def forward(self, tokens):
        x = self.embedding(tokens)
        state = x.new_zeros(len(tokens), 8)
        for moment in range(x.shape[1]):
            state = self.recurrent(x[:, moment], state)
        wide = torch.cat([state, x.mean(1)], dim=1)
        first, second = wide.chunk(2, dim=1)
        gate = torch.sigmoid(first) * self.scale
        gate[:, 0] = 0.5
        mixed = torch.where(second > 0, gate, second)
        return [head(mixed) for head in self.heads]


def loss_of(model, tokens):
    left, right = model(tokens)
    labels = tokens[:, 0] % 3
    loss = F.cross_entropy(left, labels)
    values, _ = right.max(dim=1)
    return loss + F.smooth_l1_loss(values, torch.ones_like(values)) + right.T.logsumexp(0).mean()


def watch(loss):
    """Prints each Node that runs: its name, its gradients' shapes, the line that made it, and which
    of those before it they come from."""
    nodes, told, fed = [loss.grad_fn], [], {}
    for node in nodes:
        nodes += [n for n, _ in node.next_functions if n is not None and n not in nodes]

    def hook(node):
        made = node.metadata.get("traceback_", [])
        lines = [line for text in made for line in text.splitlines() if __file__ in line]
        line = int(lines[-1].split(", line ")[1].split(",")[0]) if lines else None
        name = node.name().rpartition("::")[2]
        entry = {"name": name, "line": line}

        def before(gradients):
            entry["inputs"] = [list(g.shape) for g in gradients if g is not None]
            entry["from"] = sorted(fed.get(node, ()))
            for following, _ in node.next_functions:
                fed.setdefault(following, set()).add(len(told))
            told.append(entry)

        def after(outputs, gradients):
            entry["outputs"] = [list(g.shape) for g in outputs if g is not None]

        node.register_prehook(before)
        node.register_hook(after)

    for node in nodes:
        hook(node)
    return told


def main():
    torch.manual_seed(6)
    torch.set_num_threads(1)
    model = Model()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    tokens = torch.randint(0, 12, (4, 3))
    watching = sys.argv[1:] == ["watch"]
    for _ in range(1 if watching else 3):
        optimizer.zero_grad()
        with torch.autograd.set_detect_anomaly(watching, check_nan=False):
            loss = loss_of(model, tokens)
        told = watch(loss) if watching else None
        loss.backward()
        optimizer.step()  # @step
        print(loss.item().hex())
    if told is not None:
        print(json.dumps(told))


if __name__ == "__main__":
    main()
