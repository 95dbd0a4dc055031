"""inductor, with its probes of the compiler and a pool of its workers."""

import os

import torch
from torch._inductor.async_compile import AsyncCompile


@torch.compile(backend="inductor")
def function(a):
    y = a.sin()
    unused = y + 1  # @body
    del unused
    return (y * 2).sum()


function(torch.ones(64))  # @call
os.environ.pop("TORCHINDUCTOR_WORKER_START", None)
pool = AsyncCompile.process_pool()
assert pool.submit(os.getpid).result() != os.getpid()
print("worker", pool.process.pid)
print("done")
