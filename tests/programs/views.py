"""What the views of the editors are shown: a deep step, very many steps, alerts, tensors of all ranks."""

import sys

import torch

DEEP, LONG = int(sys.argv[1]), int(sys.argv[2])

torch.manual_seed(0)
torch.set_num_threads(1)


class Deep(torch.nn.Module):
    """A chain with a way around each fourth link."""

    def __init__(self):
        super().__init__()
        self.scale = torch.nn.Parameter(torch.tensor(1.0))

    def forward(self, x):
        for link in range(DEEP):
            y = torch.tanh(x * self.scale)  # @link
            x = x + y if link % 4 == 0 else y  # @around
        return x


class Small(torch.nn.Module):
    """Two layers."""

    def __init__(self):
        super().__init__()
        self.first = torch.nn.Linear(8, 16)
        self.second = torch.nn.Linear(16, 1)

    def forward(self, x):
        return self.second(torch.relu(self.first(x)))  # @second


def train(model, steps, inputs, poison=None):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    for step in range(steps):
        optimizer.zero_grad()
        batch = inputs * float("nan") if step == poison else inputs  # @poison
        loss = model(batch).square().mean()  # @loss
        loss.backward()
        optimizer.step()  # @update


train(Deep(), 1, torch.randn(4))
train(Small(), 40, torch.randn(32, 8), poison=30)
train(Small(), 40, torch.randn(32, 8))
with torch.no_grad():
    count = torch.zeros(())
    for _ in range(LONG):
        count += 1  # @count

y, x = torch.meshgrid(torch.linspace(-3, 3, 96), torch.linspace(-3, 3, 128), indexing="ij")
volume = torch.stack([torch.sin(x * k) * torch.cos(y) for k in range(1, 6)])
volume[2, 10, 3], volume[2, 11, 4], volume[2, 12, 5] = float("nan"), float("inf"), -float("inf")
picture = torch.stack([(x + 3) / 6, (y + 3) / 6, torch.exp(-(x * x + y * y))])
wide = torch.randn(2000, 3000)
vector = torch.arange(1_000_000)
for turn in range(3):
    scalar = torch.tensor(turn)
    volume[0, 0, 0] = turn  # @turn
print("done")  # @done
