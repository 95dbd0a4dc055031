"""200 tensors in a frame, one of 10⁹ elements, a loop to stop and step in, and 10,000 conditions."""

import sys
import time

import torch

for number in range(200):
    globals()[f"tensor{number}"] = torch.full((number % 7 + 1, 16), float(number))
large = torch.zeros(10**9 if "tensors" in sys.argv else 1)


def count():
    seen = 0
    begin = time.perf_counter()
    for number in range(10_000):
        seen += number  # @condition
    return time.perf_counter() - begin


turns = 0
while turns >= 0:
    turns += 1  # @stop
    after = turns * 2
    if "conditions" in sys.argv:
        seconds = count()
        print(f"seconds {seconds}", flush=True)  # @counted
