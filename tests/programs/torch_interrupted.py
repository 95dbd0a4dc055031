"""Is interrupted wherever Python looks for signals while our hooks run, in turn, and trains on each time.

As people do who interrupt a notebook's cell, or a program that saves its model then; with an argument
by an error that a signal handler of its own raises. Where it was interrupted is printed.
"""

import signal
import sys

import torch
from torch import nn


class Interrupts:
    """Interrupts at the given place: Python looks for signals as functions begin, and as C's end."""

    def __init__(self, left):
        self.left = left

    def __call__(self, frame, event, argument):
        if event not in ("call", "c_return"):
            return
        self.left -= 1
        self.ours = "/graphdebug/runtime/" in frame.f_code.co_filename
        if self.left == 0:
            self.place = f"{event} {frame.f_code.co_filename}:{frame.f_lineno}"
            if len(sys.argv) > 1:
                signal.raise_signal(signal.SIGUSR1)
            raise KeyboardInterrupt(self.place)


def give_up(number, frame):
    raise TimeoutError(interrupts.place)


def train(number):
    optimizer.zero_grad()
    x = torch.linspace(0, 1, 8).reshape(2, 4)
    with nn.attention.sdpa_kernel(nn.attention.SDPBackend.MATH):
        loss = model(x).square().mean() + number
    loss.backward()


signal.signal(signal.SIGUSR1, give_up)
torch.manual_seed(0)
model = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 1))
optimizer = torch.optim.SGD(model.parameters(), lr=0.001)
places, everywhere = 0, False
while not everywhere:
    places += 1
    interrupts = Interrupts(places)
    sys.setprofile(interrupts)
    try:
        train(0.0)
        optimizer.step()
    except (KeyboardInterrupt, TimeoutError) as error:
        print(error)
        assert torch.is_grad_enabled() or not interrupts.ours
        torch.set_grad_enabled(True)  # as an interrupt in torch's own contexts may leave it
    finally:
        sys.setprofile(None)
    everywhere = interrupts.left > 0
    train(0.0)
    optimizer.step()
    train(float(places))
    optimizer.step()  # @whole
print(places)
