"""The peer: PyTorch's training samples and steps a second on the nets of the benchmarks, run well (an OpenMP build of
its BLAS, two threads, freed pages kept: run.sh sets the environment). usage: torch_peer.py [mlp|cnn|tiny]..."""
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


torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "2")))
for name in sys.argv[1:] or ["mlp", "cnn", "tiny"]:
    {"mlp": mlp, "cnn": cnn, "tiny": tiny}[name]()
