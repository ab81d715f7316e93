"""The peer: PyTorch's training samples and steps a second on the nets of the benchmarks, run well (an OpenMP build of
its BLAS, two threads, freed pages kept: run.sh sets the environment). usage: torch_peer.py [mlp|cnn|tiny|lstm|gpt]..."""
import os, statistics, sys, time

import torch
import torch.nn as nn
import torch.nn.functional as F


def rate(step, seconds=0.4, rounds=7):
    for _ in range(5):
        step()
    rates = []
    for _ in range(rounds):
        begin, calls = time.perf_counter(), 0
        while time.perf_counter() - begin < seconds:
            step()
            calls += 1
        rates.append(calls / (time.perf_counter() - begin))
    return statistics.median(rates)


def trainer(model, optimizer, loss, x, y):
    def step():
        optimizer.zero_grad(set_to_none=True)
        loss(model(x), y).backward()
        optimizer.step()
    return step


def mlp():
    model = nn.Sequential(nn.Linear(784, 512), nn.ReLU(), nn.Linear(512, 256), nn.ReLU(), nn.Linear(256, 10))
    step = trainer(model, torch.optim.Adam(model.parameters(), 1e-6), F.cross_entropy, torch.rand(64, 784), torch.randint(10, (64,)))
    print("torch mlp  %10.0f samples/s" % (64 * rate(step)), flush=True)


def cnn():
    model = nn.Sequential(nn.Conv2d(1, 32, 3), nn.ReLU(), nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
                          nn.Linear(9216, 128), nn.ReLU(), nn.Linear(128, 10)).to(memory_format=torch.channels_last)
    x = torch.rand(64, 1, 28, 28).to(memory_format=torch.channels_last)
    step = trainer(model, torch.optim.Adam(model.parameters(), 1e-6), F.cross_entropy, x, torch.randint(10, (64,)))
    print("torch cnn  %10.0f samples/s" % (64 * rate(step)), flush=True)


def tiny():
    model = nn.Sequential(nn.Linear(2, 4), nn.Tanh(), nn.Linear(4, 2), nn.Tanh(), nn.Linear(2, 1), nn.Tanh())
    step = trainer(model, torch.optim.SGD(model.parameters(), 0.03), F.mse_loss, torch.rand(10, 2), torch.rand(10, 1))
    print("torch tiny %10.0f steps/s" % rate(step), flush=True)


class Characters(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(65, 64)
        self.lstm = nn.LSTM(64, 256, 2, batch_first=True)
        self.out = nn.Linear(256, 65)

    def forward(self, ids):
        return self.out(self.lstm(self.embedding(ids))[0])


class Block(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.into, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def forward(self, x):
        batch, length, width = x.shape
        q, k, v = (p.view(batch, length, self.heads, -1).transpose(1, 2) for p in self.into(self.norm1(x)).chunk(3, -1))
        scores = q @ k.transpose(-1, -2) * (width // self.heads) ** -0.5
        hidden = torch.ones(length, length, dtype=torch.bool).triu(1)
        weights = scores.masked_fill(hidden, float("-inf")).softmax(-1)
        x = x + self.out((weights @ v).transpose(1, 2).reshape(batch, length, width))
        return x + self.mlp(self.norm2(x))


class Transformer(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding, self.positions = nn.Embedding(65, 384), nn.Parameter(torch.randn(256, 384) * 0.02)
        self.blocks = nn.Sequential(*[Block(384, 6) for _ in range(6)])
        self.norm, self.out = nn.LayerNorm(384), nn.Linear(384, 65)

    def forward(self, ids):
        return self.out(self.norm(self.blocks(self.embedding(ids) + self.positions)))


def of_characters(name, model, optimizer, batch, length):
    x, y = torch.randint(65, (batch, length)), torch.randint(65, (batch, length))
    loss = lambda logits, target: F.cross_entropy(logits.flatten(0, 1), target.flatten())
    step = trainer(model, optimizer(model.parameters(), 1e-6), loss, x, y)
    print("torch %-4s %10.0f samples/s" % (name, batch * rate(step)), flush=True)


def lstm():
    of_characters("lstm", Characters(), torch.optim.Adam, 32, 64)


def gpt():
    of_characters("gpt", Transformer(), torch.optim.AdamW, 8, 256)


torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "2")))
for name in sys.argv[1:] or ["mlp", "cnn", "tiny", "lstm", "gpt"]:
    {"mlp": mlp, "cnn": cnn, "tiny": tiny, "lstm": lstm, "gpt": gpt}[name]()
