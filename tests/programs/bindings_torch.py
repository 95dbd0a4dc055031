import torch


@torch.compile(backend="eager")
def compiled(x):
    return x * 2  # @compiled


def traced(x):
    return x + 1  # @traced


@torch.jit.script
def scripted(x):
    return x - 1  # @scripted


def plain(x):
    return x / 2  # @plain


graph = torch.jit.trace(traced, torch.ones(2))
for _ in range(3):
    plain(scripted(graph(compiled(torch.ones(2)))))
print("done")
