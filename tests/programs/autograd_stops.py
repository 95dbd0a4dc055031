"""What breakpoints in backward meet besides models; prints the gradients that it gets."""

import threading
import weakref

import torch
from torch.utils.checkpoint import checkpoint

torch.manual_seed(1)
torch.set_num_threads(1)
w = torch.randn(4, 4, requires_grad=True)
optimizer = torch.optim.SGD([w], lr=0.5)


def show(name):
    print(name, float(w.grad.double().sum()).hex())


def earlier():
    loss = w.exp().sum()  # @earlier
    w.grad = torch.ones(4, 4)
    optimizer.step()  # what made the Nodes belongs to a step that is over
    loss.backward()
    show("earlier")


def placed():
    loss = w.exp().sum()  # @placed
    # A breakpoint here is one on the line above.  # @comment
    loss.backward()  # @called
    show("placed")  # @after


def layer(a):
    return (a @ a).tanh()  # @layer


def kept_once():
    checkpoint(layer, w, use_reentrant=False).sum().backward()  # @kept
    show("kept once")


def packed():
    def unpack(value):
        print("unpacked")
        return value

    with torch.autograd.graph.saved_tensors_hooks(lambda value: value, unpack):
        loss = w.sin().sum()  # @packed
    loss.backward()
    show("packed")


def elsewhere():
    """On a GPU the engine has threads of its own; where there is none, no device's path is taken."""
    device = "cuda" if torch.cuda.is_available() else "meta"
    there = torch.ones(4, 4, device=device, requires_grad=True)
    (there * 2).sum().backward()  # @elsewhere
    print("elsewhere", there.grad.shape, torch._C._is_multithreading_enabled())


def threads():
    def work():
        for _ in range(2):
            (w * 3).sum().backward()  # @threaded

    worker = threading.Thread(target=work)
    worker.start()
    worker.join()
    show("threads")


def nowhere():
    """A pass in a thread that runs no line of the program's; its graph has to go with it."""
    loss = w.tan().sum()
    kept = weakref.ref(loss)
    worker = threading.Thread(target=loss.backward)
    worker.start()
    worker.join()
    del loss, worker
    print("gone", kept() is None)
    show("nowhere")


for part in (earlier, placed, kept_once, packed, elsewhere, threads, nowhere):  # @runs
    w.grad = None
    part()
    optimizer.step()
    w.grad = None
