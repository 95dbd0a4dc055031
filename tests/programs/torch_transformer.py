"""A transformer encoder from torch.nn, trained with Adam and a schedule; a pass in evaluation mode."""

import torch
from torch import nn
from torch_training import digest


class Model(nn.Module):
    def __init__(self, vocabulary=30, width=16, heads=2, layers=2, length=8):
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, width)
        self.position = nn.Parameter(torch.zeros(length, width))
        layer = nn.TransformerEncoderLayer(width, heads, 32, dropout=0.1, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, layers)
        self.head = nn.Linear(width, vocabulary)

    def forward(self, tokens):
        x = self.embedding(tokens) + self.position  # @embed
        x = self.encoder(x)  # @encoder
        return self.head(x)  # @head


torch.manual_seed(11)
torch.set_num_threads(1)
model = Model()
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
schedule = torch.optim.lr_scheduler.StepLR(optimizer, 4)
tokens = torch.randint(0, 30, (8, 9))
for _ in range(8):
    model.train()
    scores = model(tokens[:, :-1])
    loss = nn.functional.cross_entropy(scores.flatten(0, 1), tokens[:, 1:].flatten())
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    schedule.step()
    print(loss.item().hex())
model.eval()
with torch.inference_mode():
    print(model(tokens[:, :-1]).double().sum().item().hex())
print(digest(model))
