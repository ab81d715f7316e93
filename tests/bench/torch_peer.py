"""A network of bench_nets.c in PyTorch, run as well as it can be. usage: torch_peer.py NAME
Prints the seconds its first step took, from the start of making it; then answers each line "THREADS SECONDS" by the median
seconds of a step over at least that time, and the megabytes it has had at most beyond what it began with. Convolutions are
tried with channels first and last, predictions also traced and frozen: the fastest is used."""
import copy, ctypes, gc, sys, time

import torch
import torch.nn as nn
import torch.nn.functional as F

RATE = 1e-9  # small: the same batch again and again is not learnt into numbers too small for the processor's fast path


def mlp():
    return nn.Sequential(nn.Linear(784, 512), nn.ReLU(), nn.Linear(512, 256), nn.ReLU(), nn.Linear(256, 10))


def cnn():
    return nn.Sequential(nn.Conv2d(1, 32, 3), nn.ReLU(), nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
                         nn.Linear(9216, 128), nn.ReLU(), nn.Linear(128, 10))


def tiny():
    return nn.Sequential(nn.Linear(2, 4), nn.Tanh(), nn.Linear(4, 2), nn.Tanh(), nn.Linear(2, 1), nn.Tanh())


def vision(name, **settings):
    import torchvision.models
    return getattr(torchvision.models, name)(**settings)


def resnet18():
    model = vision("resnet18", num_classes=10)
    model.conv1, model.maxpool = nn.Conv2d(3, 64, 3, 1, 1, bias=False), nn.Identity()
    return model


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


class Gpt(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding, self.positions = nn.Embedding(65, 384), nn.Parameter(torch.randn(256, 384) * 0.02)
        self.blocks = nn.Sequential(*[Block(384, 6) for _ in range(6)])
        self.norm, self.out = nn.LayerNorm(384), nn.Linear(384, 65)

    def forward(self, ids):
        return self.out(self.norm(self.blocks(self.embedding(ids) + self.positions)))


class Unet(nn.Module):
    def __init__(self):
        super().__init__()
        sizes = [32, 64, 128, 256, 512]
        pair = lambda i, o: nn.Sequential(nn.Conv2d(i, o, 3, padding=1), nn.ReLU(), nn.Conv2d(o, o, 3, padding=1), nn.ReLU())
        self.down = nn.ModuleList([pair(i, o) for i, o in zip([1] + sizes, sizes)])
        self.up = nn.ModuleList([nn.ConvTranspose2d(i, o, 2, 2) for i, o in zip(sizes[:0:-1], sizes[-2::-1])])
        self.across = nn.ModuleList([pair(i, o) for i, o in zip(sizes[:0:-1], sizes[-2::-1])])
        self.out = nn.Conv2d(32, 1, 1)

    def forward(self, x):
        seen = []
        for down in self.down:
            x = down(F.max_pool2d(x, 2) if seen else x)
            seen.append(x)
        for up, across, old in zip(self.up, self.across, seen[-2::-1]):
            x = across(torch.cat([old, up(x)], 1))
        return self.out(x)


def classes(count, of):
    return torch.randint(of, (count,))


def of_sequences(logits, target):
    return F.cross_entropy(logits.flatten(0, 1), target.flatten())


def training(build, optimizer, loss, x, y, images=False):
    def made(layout):
        model = build().to(memory_format=layout)
        own, inputs = optimizer(model.parameters()), x.to(memory_format=layout) if images else x

        def step():
            own.zero_grad(set_to_none=True)
            loss(model(inputs), y).backward()
            own.step()
        return step
    return [lambda: made(torch.contiguous_format)] + ([lambda: made(torch.channels_last)] if images else [])


def prediction(build, batch):
    model, x = build().eval(), torch.rand(batch, 3, 224, 224)

    def made(call, inputs):
        def step():
            with torch.no_grad():
                call(inputs)
        return step
    return [lambda: made(model, x),
            lambda: made(copy.deepcopy(model).to(memory_format=torch.channels_last), x.to(memory_format=torch.channels_last)),
            lambda: made(torch.jit.optimize_for_inference(torch.jit.script(model)), x)]


def adam(p): return torch.optim.Adam(p, RATE)
def adamw(p): return torch.optim.AdamW(p, RATE)
def sgd(p): return torch.optim.SGD(p, 0.03)
def momentum(p): return torch.optim.SGD(p, RATE, 0.9)


WORKLOADS = {
    "W1": lambda: training(mlp, adam, F.cross_entropy, torch.rand(64, 784), classes(64, 10)),
    "W2": lambda: training(cnn, adam, F.cross_entropy, torch.rand(64, 1, 28, 28), classes(64, 10), images=True),
    "W3": lambda: training(resnet18, momentum, F.cross_entropy, torch.rand(64, 3, 32, 32), classes(64, 10), images=True),
    "W4": lambda: prediction(lambda: vision("resnet50"), 1),
    "W4b8": lambda: prediction(lambda: vision("resnet50"), 8),
    "W5": lambda: prediction(lambda: vision("vgg16"), 1),
    "W6": lambda: training(Characters, adam, of_sequences, torch.randint(65, (32, 64)), torch.randint(65, (32, 64))),
    "W7": lambda: training(Gpt, adamw, of_sequences, torch.randint(65, (8, 256)), torch.randint(65, (8, 256))),
    "W8": lambda: training(tiny, sgd, F.mse_loss, torch.rand(10, 2), torch.rand(10, 1)),
    "W9": lambda: prediction(lambda: vision("mobilenet_v2"), 1),
    "W10": lambda: prediction(lambda: vision("vit_b_16"), 1),
    "W11": lambda: training(lambda: vision("resnet50"), momentum, F.cross_entropy, torch.rand(8, 3, 224, 224), classes(8, 1000), images=True),
    "W12": lambda: training(Unet, adam, F.binary_cross_entropy_with_logits, torch.rand(4, 1, 128, 128), torch.rand(4, 1, 128, 128), images=True),
}


# getrusage counts what the process had before it became this one, so it is no measure here.
def peak_megabytes():
    with open("/proc/self/status") as status:
        return int(next(line for line in status if line.startswith("VmHWM")).split()[1]) / 1e3


# Gives back what the slower layouts took, so that the peak is the chosen one's.
def forget_peak():
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    with open("/proc/self/clear_refs", "w") as refs:
        refs.write("5")


def seconds_of(step, least):
    times, begin = [], time.perf_counter()
    while not times or time.perf_counter() - begin < least:
        start = time.perf_counter()
        step()
        times.append(time.perf_counter() - start)
    return sorted(times)[len(times) // 2]


torch.manual_seed(0)
torch.set_num_threads(2)
empty, begin = peak_megabytes(), time.perf_counter()
best, first = None, None
for make in WORKLOADS[sys.argv[1]]():
    step = make()
    step()
    first = first or time.perf_counter() - begin
    step()
    taken = seconds_of(step, 0.2)
    if best is None or taken < best[0]:
        best = (taken, step)
    del step, make
forget_peak()
print(first, flush=True)
for line in sys.stdin:
    threads, least = line.split()
    torch.set_num_threads(int(threads))
    print(seconds_of(best[1], float(least)), peak_megabytes() - empty, flush=True)
