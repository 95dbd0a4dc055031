"""The seed's loop: a while loop over tensors, at the top level of a file."""

import torch

first_counter = torch.Tensor([0])
second_counter = torch.Tensor([10])
while (first_counter < second_counter)[0]:  # @test
    first_counter += 2  # @first
    second_counter += 1  # @second
print(first_counter)
print(second_counter)
