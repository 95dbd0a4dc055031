"""The parts of a training step: ``torch_parts.py SOCKET PEER``, as many steps as the socket asks for.

Answers with the median wall time of each part in the calling thread, the CPU time of the other threads a
step, and the loss. ``PEER``: the least that something that sees steps can do; nothing for none.
"""

import contextlib
import itertools
import statistics
import sys
import threading
import time
from multiprocessing.connection import Client

import torch
import torch.nn.functional as F
import torch_workloads
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

clock = time.perf_counter_ns


class Functions(TorchFunctionMode):
    def __torch_function__(self, func, types, args=(), kwargs=None):
        return func(*args, **(kwargs or {}))


class Operations(TorchDispatchMode):
    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        return func(*args, **(kwargs or {}))


@contextlib.contextmanager
def hooks():
    """Two of the optimizer's that do nothing, and a function around the engine that does nothing."""
    from torch.optim.optimizer import (
        register_optimizer_step_post_hook,
        register_optimizer_step_pre_hook,
    )

    def nothing(*_):
        return None

    def engine(*args, **kwargs):
        return original(*args, **kwargs)

    original = torch.autograd._engine_run_backward
    handles = [
        hook(nothing)
        for hook in (register_optimizer_step_pre_hook, register_optimizer_step_post_hook)
    ]
    torch.autograd._engine_run_backward = engine
    yield
    torch.autograd._engine_run_backward = original
    for handle in handles:
        handle.remove()


@contextlib.contextmanager
def functions():
    """These, and a mode around each function of torch's that does nothing."""
    with hooks(), Functions():
        yield


AROUND = {
    "": contextlib.nullcontext, "hooks": hooks, "function_mode": functions, "dispatch_mode": Operations
}  # fmt: skip


def step(made, times):
    """One step; what each part took, in nanoseconds, goes to ``times``."""
    model, optimizer, inputs, targets = made
    begin = clock()
    optimizer.zero_grad()
    zeroed = clock()
    outputs = model(inputs)
    forward = clock()
    loss = F.cross_entropy(outputs, targets)
    lost = clock()
    loss.backward()
    backward = clock()
    optimizer.step()
    updated = clock()
    at = (begin, zeroed, forward, lost, backward, updated)
    for part, took in enumerate(after - before for before, after in itertools.pairwise(at)):
        times[part].append(took)
    return loss


def others():
    """CPU seconds of all threads of Python's but this one."""
    here = threading.get_ident()
    return sum(
        time.clock_gettime(time.pthread_getcpuclockid(thread.ident))
        for thread in threading.enumerate()
        if thread.ident not in (None, here)
    )


def main():
    address, peer = sys.argv[1:]
    torch.set_num_threads(1)
    made, current = None, ""
    with Client(address, "AF_UNIX") as link:
        while wanted := link.recv():
            name, count = wanted
            if name != current:
                torch.manual_seed(0)
                made, current = torch_workloads.made(name), name
            times = [[] for _ in range(5)]
            before = others()
            with AROUND[peer]():
                for _ in range(count):
                    loss = step(made, times)
            beside = (others() - before) / count
            parts = [statistics.median(each) * 1e-9 for each in times]
            link.send(([*parts, beside], loss.item().hex()))


if __name__ == "__main__":
    main()
