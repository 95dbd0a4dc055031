"""PyTorch's training steps: ``torch_training.py SOCKET PEER``, as many as the socket asks for.

Answers with the CPU time of all threads and the wall time a step, the bytes that the process holds, and the
loss. ``PEER``: another tool that looks on, put around each block of steps; nothing for none.
"""

import contextlib
import math
import sys
import time
from multiprocessing.connection import Client
from pathlib import Path

import torch
import torch.nn.functional as F
import torch_workloads
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

STATM = Path("/proc/self/statm")


class Attention(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.heads = heads

    def forward(self, x):
        batch, length, width = x.shape
        q, k, v = (
            part.view(batch, length, self.heads, -1).transpose(1, 2)
            for part in self.qkv(x).split(width, dim=2)
        )
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.out(y.transpose(1, 2).contiguous().view(batch, length, width))


class Layer(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.first, self.second = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = Attention(width, heads)
        self.feed = nn.Sequential(
            nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)
        )

    def forward(self, x):
        x = x + self.attention(self.first(x))
        return x + self.feed(self.second(x))


class GPT(nn.Module):
    """A language model of characters: tied embeddings, causal attention."""

    def __init__(self, words=65, length=64, width=128, heads=4, layers=4):
        super().__init__()
        self.words, self.places = nn.Embedding(words, width), nn.Embedding(length, width)
        self.layers = nn.ModuleList([Layer(width, heads) for _ in range(layers)])
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, words, bias=False)
        self.head.weight = self.words.weight

    def forward(self, tokens, targets):
        x = self.words(tokens) + self.places(torch.arange(tokens.shape[1]))
        for layer in self.layers:
            x = layer(x)
        logits = self.head(self.norm(x))
        return logits, F.cross_entropy(logits.view(-1, logits.shape[-1]), targets.view(-1))


def gpt():
    """Its loop: a batch of its own for each step, AdamW in two groups, a schedule, clipped gradients."""
    model = GPT()
    text = torch.randint(0, 65, (100_000,))
    matrices = [p for p in model.parameters() if p.dim() >= 2]
    others = [p for p in model.parameters() if p.dim() < 2]
    groups = [{"params": matrices, "weight_decay": 0.1}, {"params": others, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=1e-3, betas=(0.9, 0.99))
    done = 0

    def batch():
        begins = torch.randint(len(text) - 65, (12,))
        return (torch.stack([text[i + shift : i + shift + 64] for i in begins]) for shift in (0, 1))

    def step():
        nonlocal done
        done += 1
        for group in optimizer.param_groups:
            group["lr"] = 1e-3 * 0.5 * (1 + math.cos(math.pi * (done % 1000) / 1000))
        tokens, targets = batch()
        _, loss = model(tokens, targets)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        return loss

    return step, model, tuple(batch())


def chain(length):
    """A step of as many operations, each tiny."""
    x = torch.ones(16, requires_grad=True)
    optimizer = torch.optim.SGD([x], lr=1e-6)
    factor = torch.tensor(1 + 1e-6)

    def step():
        optimizer.zero_grad()
        y = x
        for _ in range(length):
            y = y * factor
        loss = y.sum()
        loss.backward()
        optimizer.step()
        return loss

    return step, None, None


def elsewhere():
    return None  # @elsewhere


def workload(name):
    """A step, and the model with its inputs, where there is one."""
    torch.manual_seed(0)
    if name == "GPT":
        return gpt()
    if name.startswith("chain-"):
        return chain(int(name[6:]))
    step, model, inputs = torch_workloads.workload(name)
    return step, model, (inputs,)


# -- the peers


class NoOperation(TorchDispatchMode):
    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        return func(*args, **(kwargs or {}))


def profiler():
    activities = [torch.profiler.ProfilerActivity.CPU]
    return torch.profiler.profile(activities=activities, record_shapes=True)


def debug_mode():
    from torch.utils._debug_mode import DebugMode

    return DebugMode()


AROUND = {
    "": contextlib.nullcontext,
    "torchlens": contextlib.nullcontext,
    "detect_anomaly": lambda: torch.autograd.set_detect_anomaly(True),
    "dispatch_mode": NoOperation,
    "profiler": profiler,
    "debug_mode": debug_mode,
}


def with_trace(made):
    """A step, with TorchLens's record of its forward pass before it; None where there is no model."""
    import torchlens

    step, model, inputs = made
    if model is None:
        return None

    def traced():
        torchlens.trace(model, inputs if len(inputs) > 1 else inputs[0])
        return step()

    return traced, model, inputs


def prepared(name, peer):
    made = workload(name)
    if peer == "torchlens":
        made = with_trace(made)
    return made


def main():
    address, peer = sys.argv[1:]
    torch.set_num_threads(1)
    made, current = None, ""
    with Client(address, "AF_UNIX") as link:
        while wanted := link.recv():
            name, count = wanted
            if name != current:
                made, current = prepared(name, peer), name
            if made is None:
                link.send(None)
                continue
            cpu, wall = time.process_time(), time.perf_counter()
            with AROUND[peer]():
                for _ in range(count):
                    loss = made[0]()
            cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
            held = int(STATM.read_text().split()[1]) * 4096
            link.send((cpu / count, wall / count, held, loss.item().hex()))


if __name__ == "__main__":
    main()
