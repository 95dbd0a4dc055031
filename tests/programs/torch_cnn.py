"""A small residual network with batch norm and 2d dropout; evaluates under no_grad in between."""

import torch
from torch import nn
from torch_training import digest


class Block(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.conv = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(width)

    def forward(self, x):
        y = self.conv(x)  # @conv
        y = self.norm(y)  # @norm
        return torch.relu(y) + x  # @residual


torch.manual_seed(3)
torch.set_num_threads(1)
net = nn.Sequential(
    nn.Conv2d(1, 6, 3, padding=1),
    *[Block(6) for _ in range(2)],
    nn.Dropout2d(0.1),
    nn.MaxPool2d(2),
    nn.Flatten(),
    nn.Linear(6 * 4 * 4, 3),
)
for parameter in net.parameters():
    if parameter.dim() > 1:
        nn.init.normal_(parameter, std=0.2)
optimizer = torch.optim.AdamW(net.parameters(), lr=1e-2)
images = torch.randn(24, 1, 8, 8)
labels = images.mean((1, 2, 3)).mul(20).clamp(-1, 1).round().long() + 1
for epoch in range(3):
    net.train()
    for part in range(3):
        x, y = images[part::3], labels[part::3]
        loss = nn.functional.cross_entropy(net(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()  # @step
        print(loss.item().hex())
    net.eval()
    right = 0
    with torch.no_grad():
        for part in range(3):
            scores = net(images[part::3])  # @eval
            right += (scores.argmax(1) == labels[part::3]).sum().item()  # @score
    print("right", right)
print(digest(net))
