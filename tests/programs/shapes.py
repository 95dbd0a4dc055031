"""Training steps whose batches change their size, in a function that holds wide characters."""

import torch

layer = torch.nn.Linear(4, 3)
optimizer = torch.optim.SGD(layer.parameters(), lr=0.01)


def train_step(batch):
    optimizer.zero_grad()
    output = {"🐍": layer(batch)}["🐍"]  # @forward
    loss = output.square().mean()  # @loss
    loss.backward()
    optimizer.step()  # @step
    return loss


for size in (5, 5, 8, 8):
    train_step(torch.ones(size, 4))  # @call
print("waits")  # @waits
train_step(torch.ones(2, 4))
print("done")  # @done
