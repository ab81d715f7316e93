"""The model of examples/gpt.nn trained by PyTorch: the same text cut in the same way, the same kind of beginning, the same optimiser
and schedule, no dropout. Prints the loss of the validation part every 100 steps, to be held beside
  nnc run examples/gpt.nn --set drop=0.0 --set window=W --steps N --batch B
usage: torch_gpt.py [--window W] [--batch B] [--steps N] [--seed S]"""
import argparse, math, os, pathlib

import torch
import torch.nn as nn
import torch.nn.functional as F

parser = argparse.ArgumentParser()
parser.add_argument("--window", type=int, default=256)
parser.add_argument("--batch", type=int, default=64)
parser.add_argument("--steps", type=int, default=1000)
parser.add_argument("--seed", type=int, default=0)
options = parser.parse_args()
LAYERS, WIDTH, HEADS = 6, 384, 6
torch.manual_seed(options.seed)
torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "2")))

text = (pathlib.Path(__file__).parents[2] / "examples" / "psalms.txt").read_text()
characters = sorted(set(text))
ids = torch.tensor([characters.index(c) for c in text])
cut = len(ids) - int(0.1 * len(ids))


def windows(part):
    count = (len(part) - 1) // options.window
    x = part[: count * options.window].view(count, -1)
    return x, part[1 : count * options.window + 1].view(count, -1)


class Norm(nn.Module):
    def __init__(self):
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(WIDTH))

    def forward(self, x):
        return F.layer_norm(x, (WIDTH,), self.gamma, None, 1e-5)


def linear(inputs, outputs, deviation):
    layer = nn.Linear(inputs, outputs, bias=False)
    nn.init.normal_(layer.weight, std=deviation)
    return layer


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        last = 0.02 / math.sqrt(2 * LAYERS)
        self.norm1, self.norm2 = Norm(), Norm()
        self.into, self.out = linear(WIDTH, 3 * WIDTH, 0.02), linear(WIDTH, WIDTH, last)
        self.mlp = nn.Sequential(linear(WIDTH, 4 * WIDTH, 0.02), nn.GELU(), linear(4 * WIDTH, WIDTH, last))
        self.register_buffer("hidden", torch.ones(options.window, options.window, dtype=torch.bool).triu(1))

    def forward(self, x):
        batch, length, width = x.shape
        q, k, v = (p.view(batch, length, HEADS, -1).transpose(1, 2) for p in self.into(self.norm1(x)).chunk(3, -1))
        scores = (q @ k.transpose(-1, -2) / math.sqrt(width // HEADS)).masked_fill(self.hidden, float("-inf"))
        x = x + self.out((scores.softmax(-1) @ v).transpose(1, 2).reshape(batch, length, width))
        return x + self.mlp(self.norm2(x))


class Gpt(nn.Module):
    def __init__(self):
        super().__init__()
        self.tokens = nn.Parameter(torch.randn(len(characters), WIDTH) * 0.02)
        self.positions = nn.Parameter(torch.randn(options.window, WIDTH) * 0.02)
        self.blocks, self.norm = nn.Sequential(*[Block() for _ in range(LAYERS)]), Norm()

    def forward(self, x):
        return self.norm(self.blocks(self.tokens[x] + self.positions)) @ self.tokens.t()


def loss_of(model, x, y):
    return F.cross_entropy(model(x).flatten(0, 1), y.flatten())


def rate(step, warmup=100, most=1e-3, least=1e-4):
    if step < warmup:
        return most * (step + 1) / warmup
    progress = min((step - warmup) / max(options.steps - 1 - warmup, 1), 1)
    return least + (most - least) * 0.5 * (1 + math.cos(math.pi * progress))


model = Gpt()
optimizer = torch.optim.AdamW(model.parameters(), 1e-3, betas=(0.9, 0.99), weight_decay=0.1)
(x, y), (val_x, val_y) = windows(ids[:cut]), windows(ids[cut:])
order = []
for step in range(options.steps):
    if not order:
        order = list(torch.randperm(len(x)).split(options.batch))
    batch = order.pop(0)
    for group in optimizer.param_groups:
        group["lr"] = rate(step)
    optimizer.zero_grad()
    loss = loss_of(model, x[batch], y[batch])
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    if (step + 1) % 100 == 0:
        with torch.no_grad():
            losses = [loss_of(model, val_x[i : i + 16], val_y[i : i + 16]) * len(val_x[i : i + 16]) for i in range(0, len(val_x), 16)]
        print("step %5d  loss %.4f  val.loss %.4f" % (step + 1, loss, sum(losses) / len(val_x)), flush=True)
